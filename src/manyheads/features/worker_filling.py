"""Filling a feature cache by workers: they compute, and the one process that called them stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from manyheads.core.job import Job
from manyheads.core.text import counted, size_words
from manyheads.core.workers import WorkerResources, Workers
from manyheads.data.remarks import Remarks
from manyheads.data.remote_path import FilePath
from manyheads.errors import SettingError
from manyheads.features.cache import FeatureCache
from manyheads.features.stage_times import StageTimes
from manyheads.features.worker_shards import (
    EACH,
    SHARD,
    ShardContext,
    ShardFeatures,
    compute_shard,
    shard_size,
    unlike_driver,
    with_probe,
)
from manyheads.workers.opening import planned_words
from manyheads.workers.worker_record import recorded

_LISTED = 8  # workers that a note lists, at most
_LOOKED_AT = 16  # files, of which one is to be seen by every worker
_SLOW = 0.5  # of the median rate, below which a worker is slow


class MissingImages(NamedTuple):
    """What a cache lacks: different `contents`, and the file of each in `paths`."""

    contents: Sequence[str]
    paths: Sequence[FilePath]

    @property
    def file(self) -> str:
        """One of the files that are here, "" if none of the first is."""
        first = (path.absolute() for path in self.paths[:_LOOKED_AT] if isinstance(path, Path))
        return next((str(path) for path in first if path.is_file()), "")

    def shards(self, size: int) -> Iterator[dict[str, str]]:
        """Content → path, for so many images at a time."""
        for start in range(0, len(self.contents), size):
            part = slice(start, start + size)
            files = (str(path.absolute()) for path in self.paths[part])
            yield dict(zip(self.contents[part], files, strict=True))


def fill_by_workers(
    workers: Workers,
    cache: FeatureCache,
    missing: MissingImages,
    context: ShardContext,
    remarks: Remarks,
    times: StageTimes,
    job: Job,
) -> tuple[int, dict[str, str]]:
    """Let `workers` compute what `missing` names, and store it: the same bits as `fill`.

    Workers whose features would be others are left out, and the job hears of it. Returns the number
    of passes, and why some files could not be read this time. Raises what `compile_backbone` and
    `Workers.map` raise, and `Interrupted` once `job` is stopped; what was stored stays.
    """
    with context.compiled(job) as backbone:
        known = workers.resources()
        count = len(known)
        size = shard_size(len(missing.contents), backbone.features, backbone.batch, count)
        context = replace(context, file=missing.file)
        context = with_probe(context, backbone, send=not workers.here)
    if not workers.here:
        for line in machine_lines(known):
            job.note(line)
    total, done, passes = len(missing.contents), 0, 0
    unread: dict[str, str] = {}
    tallies: dict[str, tuple[int, float]] = {}
    job.progress("extracting", 0, total)
    units = missing.shards(size)
    mapped = workers.map(compute_shard, context, units, check=unlike_driver, job=job)
    with recorded(cache.folder, workers), closing(mapped) as computed:
        for _, shard in computed:
            with times.writing():
                _store(cache, shard)
            unread |= shard.unread
            remarks.include(shard.remarks)
            times.include(shard.stages)
            passes += len(shard.contents)
            images = len(shard.contents) + len(shard.failures) + len(shard.unread)
            done += images
            name = shard.worker if workers.here else f"{shard.worker} on {shard.node}"
            before, seconds = tallies.get(name, (0, 0.0))
            tallies[name] = before + images, seconds + shard.seconds
            job.progress("extracting", done, total, limit=times.bottleneck)
    job.check("extracting the features", "the same command goes on from there")
    if len(tallies) > 1:
        job.note(f"Workers    {tally_words(tallies)}")
    return passes, unread


def shard_words(given: int | str | Workers, passes: int, width: int) -> str:
    """Such as `2 processes of this machine, 1 core each; 14 shards of at most 256 images`.

    `width` is how many features an image has, 0 if that is unknown.
    """
    words, count = planned_words(given)
    size = min(SHARD, max(1, -(-passes // (EACH * count)))) if count else SHARD
    shards = counted(-(-passes // size), "shard")
    parts = [words, f"about {shards} of at most {counted(size, 'image')}"]
    if width:
        parts.append(f"{size_words(4 * passes * width)} of features come back")
    return "; ".join(parts)


def require_processor(device: str) -> None:
    """Raise `SettingError` unless `device` is the processor, which alone workers divide."""
    if device != "cpu":
        raise SettingError(
            "the `device` cpu with `workers`", device, "add `device` cpu, or leave out `workers`"
        )


def machine_lines(known: Sequence[WorkerResources]) -> list[str]:
    """A line for each kind of machine among these workers: its nodes, processor and versions."""
    kinds: dict[str, list[str]] = {}
    for each in known:
        versions = ", ".join(f"{name} {version}" for name, version in each.versions.items())
        kinds.setdefault(f"{each.processor}; {versions}", []).append(each.node)
    return [
        f"Machines   {counted(len(nodes), 'worker')} on "
        f"{', '.join(sorted(set(nodes))[:_LISTED])}: {kind}"
        for kind, nodes in kinds.items()
    ]


def tally_words(tallies: Mapping[str, tuple[int, float]]) -> str:
    """What each worker did in all, from its images and seconds.

    Such as `worker 1 512 images, 40.1/s; worker 2 256 images, 19.8/s, slow`.
    """
    rates = {name: images / seconds if seconds else 0.0
             for name, (images, seconds) in tallies.items()}  # fmt: skip
    usual = median(rates.values())
    slow = [name for name, rate in rates.items() if rate < _SLOW * usual]
    if len(tallies) > _LISTED:
        least, most = min(rates.values()), max(rates.values())
        words = f"{len(tallies)}, {least:.1f} to {most:.1f}/s each"
        return f"{words}; slow: {', '.join(slow)}" if slow else words
    return "; ".join(
        f"{name} {counted(images, 'image')}, {rates[name]:.1f}/s"
        + (", slow" if name in slow else "")
        for name, (images, _) in sorted(tallies.items())
    )


def _store(cache: FeatureCache, shard: ShardFeatures) -> None:
    if shard.contents:
        cache.add(shard.contents, shard.rows)
    for content, reason in shard.failures.items():
        cache.add_failure(content, reason)
