"""Publishing a finished study or fit: read from its run folder, told to a tracker."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted, joined
from manyheads.findings.finding import Finding
from manyheads.publish.publication import PublishedRow
from manyheads.publish.read_publication import read_publication
from manyheads.publish.trackers import TRACKERS, RowCounts, tracker_errors, tracker_named
from manyheads.study.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Published(Finding):
    """What was published of a run, and where.

    `to` is the tracker, `place` where it is, `name` the study's there; `entries` are the rows: one
    for each candidate, or each option of a fit. `opened_by` is the command that shows it.
    """

    run: str
    to: str
    place: str
    name: str
    counts: RowCounts
    curves: int
    left_out: tuple[str, ...]
    seconds: float
    opened_by: str
    entries: tuple[PublishedRow, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What was published, what is not, and how to see it."""
        counts = self.counts
        parts = [
            f"{number:,} {word}"
            for number, word in (
                (counts.new, "new"),
                (counts.changed, "changed"),
                (counts.unchanged, "there already"),
            )
            if number
        ]
        also = [counted(self.curves, "learning curve")] if self.curves else []
        also += [counted(counts.files, "file")] if counts.files else []
        rows = counted(len(self.entries), "row")
        return (
            f"{TRACKERS[self.to].title} has {self.name} at {self.place}: "
            f"{joined([f'{rows} ({joined(parts)})', *also])}.",
            *self.left_out,
            *counts.remarks,
        )


def publish_run(
    run: str | Path,
    to: str,
    *,
    address: str | None = None,
    project: str | None = None,
    files: bool = True,
    job: Job = SILENT,
) -> Published:
    """Publish the finished study or fit in the folder `run` to the tracker `to`.

    `address` is a URI or a folder, and None the tracker's usual place; `project` None is the data
    set's name. With `files` go the report, the tables, the figures and the model. What the tracker
    has of this study already is replaced where it has changed and else left. Nothing is trained,
    and nothing is written to the run folder. Raises `SettingError`, `MissingExtraError`, `RunError`
    for a run that is not finished, `TrackerError` for whatever the tracker raises, and
    `Interrupted` when `job` is stopped.
    """
    began = time.monotonic()
    tracker = tracker_named(to, address, project)
    publication = read_publication(RunFolder(Path(run).expanduser()), files=files, job=job)
    with tracker_errors(to, tracker.place):
        counts = tracker.publish(publication, job)
    return Published(
        run=str(run),
        to=to,
        place=tracker.place,
        name=publication.label,
        counts=counts,
        curves=sum(bool(row.curves) for row in publication.rows),
        left_out=publication.left_out,
        seconds=time.monotonic() - began,
        opened_by=counts.opened_by,
        entries=publication.rows,
    )
