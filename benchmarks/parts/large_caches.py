"""The steps of `scale`, each in a process of its own: shards, large caches, units, restarts."""

from __future__ import annotations

import itertools
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import answer
from manyheads.data.columns import Digests
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.features.cache import FeatureCache, FeatureRecipe
from manyheads.features.index import Index

SHARD = 256  # images of a unit of extraction
WIDTH = 2048
_AT_ONCE = 4096
_ADDED = 20  # shards, of which the median is told
_LINKS = 50_000  # names of one file; some file systems allow 65,000
_KIB = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss in bytes


def extracting(data: str, backbone: str, size: int, shards: int) -> dict[str, float]:
    """Photographs to features: images a second of this process, and bytes of an image."""
    from manyheads.backbones import registry, weights
    from manyheads.backbones.compiled import compile_backbone
    from manyheads.features.shard import fill

    dataset = open_dataset(data)
    first, _ = dataset.digests.distinct()
    images = dict(zip(dataset.digests.take(first), dataset.paths.take(first), strict=True))
    spec, settings = registry.get(backbone), ImageSettings(size=size)
    pairs = iter(images.items())
    with (
        compile_backbone(spec, weights.resolve(spec, "random:0"), size) as network,
        FeatureCache(_recipe(str(time.time()))) as cache,
    ):
        fill(cache, dict(itertools.islice(pairs, network.batch)), network, settings)
        part = dict(itertools.islice(pairs, SHARD * shards))
        started, worked = time.perf_counter(), time.process_time()
        fill(cache, part, network, settings)
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
    sizes = [Path(str(path)).stat().st_size for path in part.values()]
    return {
        "images": len(part), "seconds": seconds, "worked": worked, "bytes": float(np.mean(sizes)),
        "row": 4.0 * cache_width(spec.name, size),
    }  # fmt: skip


def cache_width(backbone: str, size: int) -> int:
    """How many features an image has."""
    from manyheads.backbones import registry, weights
    from manyheads.backbones.compiled import compile_backbone

    spec = registry.get(backbone)
    with compile_backbone(spec, weights.resolve(spec, "random:0"), size) as network:
        found = dict(network.run([(0, np.zeros((1, size, size, 3), np.uint8))]))
    return found[0].shape[1]


def building(rows: int) -> dict[str, float]:
    """The index of a cache of so many generated rows, written in the order of its keys."""
    started, contents = time.perf_counter(), _contents(rows)
    with FeatureCache(_recipe()) as cache:
        folder = cache.folder
    order = np.argsort(contents.view(">u8")[:, 0], kind="stable")
    database = sqlite3.connect(folder / "index.sqlite", isolation_level=None)
    database.executescript(
        "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA cache_size=-1000000; BEGIN"
    )
    database.executemany("INSERT INTO features VALUES (?, ?, ?)", _entries(contents, order))
    database.execute("INSERT INTO facts VALUES ('width', ?)", (WIDTH,))
    database.execute("COMMIT")
    database.close()
    # Of the rows there are only holes: nothing here reads them.
    os.truncate(folder / "features.f32", rows * WIDTH * 4)
    size = (folder / "index.sqlite").stat().st_size
    return {"seconds": time.perf_counter() - started, "bytes": size}


def _entries(contents: Any, order: Any) -> Iterator[tuple[str, int, int]]:
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        yield from (
            (text, row, 0) for text, row in zip(Digests(contents[part]), part.tolist(), strict=True)
        )


def looked_through(rows: int) -> dict[str, float]:
    """How long an opening would take that looks through the whole index."""
    with FeatureCache(_recipe()) as cache:
        path = cache.folder / "index.sqlite"
    path.with_suffix(".suspect").touch()
    started = time.perf_counter()
    Index(path).close()
    return {"rows": rows, "seconds": time.perf_counter() - started}


def resuming(rows: int, missing: float) -> dict[str, float]:
    """Open a cache and find what it lacks of as many contents, a share of which is `missing`.

    `listed`: where the keys are not there yet. `one` are seconds of a content by the index.
    """
    contents = _contents(rows)
    contents[: int(rows * missing), 0] ^= 1
    wanted = Digests(contents[np.random.default_rng(1).permutation(rows)])
    del contents
    before, told = _peak(), dict[str, float]()
    for name in ("listed", "resumed"):
        started = time.perf_counter()
        with FeatureCache(_recipe()) as cache:
            told["opening"] = time.perf_counter() - started
            told["absent"] = len(cache.absent(wanted))
            told[name] = time.perf_counter() - started
            told["keys"] = (cache.folder / "contents.u64").stat().st_size
        told[f"{name} peak"] = _peak() - before
    few = wanted[:20_000]
    with FeatureCache(_recipe()) as cache:
        started = time.perf_counter()
        cache.absent(few)
        told["one"] = (time.perf_counter() - started) / len(few)
    return told


def adding(rows: int) -> dict[str, float]:
    """Seconds to store a shard behind so many rows, the median."""
    chance, taken = np.random.default_rng(rows), list[float]()
    features = chance.standard_normal((SHARD, WIDTH), np.float32)
    with FeatureCache(_recipe()) as cache:
        for _ in range(_ADDED):
            names = list(Digests(np.frombuffer(chance.bytes(32 * SHARD), np.uint8).reshape(-1, 32)))
            started = time.perf_counter()
            cache.add(names, features)
            taken.append(time.perf_counter() - started)
    return {"seconds": float(np.median(taken)), "most": max(taken)}


def rereading(rows: int) -> dict[str, float]:
    """Seconds of an image to find its row and compare its checksum, the file in memory."""
    chance = np.random.default_rng(2)
    names = Digests(np.frombuffer(chance.bytes(32 * rows), np.uint8).reshape(-1, 32))
    with FeatureCache(_recipe("read")) as cache:
        for start in range(0, rows, _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            cache.add(list(part), chance.standard_normal((len(part), WIDTH), np.float32))
        started = time.perf_counter()
        assert (cache.rows(names) >= 0).all()
        return {"one": (time.perf_counter() - started) / rows}


def linking(folder: str, images: int, classes: int) -> dict[str, float]:
    """Paths of images, links to few files, so that they take little disk."""
    started, root = time.perf_counter(), Path(folder)
    for number in range(classes):
        (root / f"class_{number:03d}").mkdir(parents=True)
    source = root.with_name("sources")
    source.mkdir()
    for number in range(images):
        file = source / f"{number // _LINKS:08d}"
        if number % _LINKS == 0:
            file.write_bytes(os.urandom(2000))
        os.link(file, root / f"class_{number % classes:03d}" / f"{number:08d}.jpg")
    return {"seconds": time.perf_counter() - started}


def opening(folder: str) -> dict[str, float]:
    """Open a data set: list it, know its content, divide it."""
    before, started = _peak(), time.perf_counter()
    dataset = open_dataset(folder)
    seconds = time.perf_counter() - started
    return {"images": len(dataset), "seconds": seconds, "peak": _peak() - before}


def units(asked: str, count: int) -> dict[str, float]:
    """Seconds of a unit that computes nothing and gives the features of a shard."""
    # By its module: a worker does not find what is in the program's own.
    from benchmarks.parts.large_caches import features_of_a_shard as function
    from manyheads.workers.opening import opened_workers

    with opened_workers(asked) as workers:
        assert workers is not None
        started = time.perf_counter()
        list(workers.map(function, WIDTH, range(4)))
        start = time.perf_counter() - started
        started = time.perf_counter()
        done = sum(1 for _ in workers.map(function, WIDTH, range(count)))
        return {"start": start, "one": (time.perf_counter() - started) / done}


def features_of_a_shard(context: int, unit: int) -> np.ndarray:
    """As much as the features of a shard, of no meaning."""
    return np.full((SHARD, context), unit, np.float32)


def restarting(candidates: int, seeds: int) -> dict[str, float]:
    """A study of many small heads: seconds of all, and of a start when nothing is left to do."""
    from benchmarks.big_study import grid_of
    from manyheads.heads.bank import Fold, engine_named
    from manyheads.study.folder import RunFolder
    from manyheads.study.store import Store
    from manyheads.study.study_settings import StudySettings
    from manyheads.study.training import train_study
    from manyheads.study.work import Work

    chance = np.random.default_rng(0)
    features, labels = chance.standard_normal((80, 8), np.float32), np.arange(80) % 2
    train, held = np.arange(60), np.arange(60, 80)
    fold = Fold(features, train, labels[train], held, labels[held], 2)
    grid = replace(grid_of(candidates, [4]), epochs=(1,))
    settings = StudySettings(data="generated", grid=grid, seeds=seeds)
    told = {"trials": float(len(settings.trials()))}
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "study.sqlite")
        for step in ("trained", "restarted"):
            started = time.perf_counter()
            with Store(file) as store:
                train_study(
                    settings, RunFolder(name), store, [fold], engine_named("fused"),
                    work=Work(settings),
                )  # fmt: skip
            told[step] = time.perf_counter() - started
        told["bytes"] = file.stat().st_size
    return told


def _contents(rows: int) -> Any:
    return np.frombuffer(np.random.default_rng(0).bytes(32 * rows), np.uint8).reshape(-1, 32).copy()


def _recipe(weights: str = "0") -> FeatureRecipe:
    image = ImageSettings(size=150)
    return FeatureRecipe(backbone="generated", weights=weights, image=image, preprocessing="none")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB


if __name__ == "__main__":
    answer({name: value for name, value in globals().items() if callable(value)})
