"""TensorBoard: a folder of event files, one for each candidate, with its HParams.

An event file is written anew where its bytes differ, so that publishing again doubles nothing. It
holds no time but that of the study.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manyheads.core.destinations import folder_for
from manyheads.core.job import Job
from manyheads.core.places import disk_errors, make_folder
from manyheads.publish.publication import Publication, PublishedRow, RowState
from manyheads.publish.trackers import Counts, library

_FOLDER = "tensorboard"
_FILE = "events.out.tfevents.0000000000.manyheads"
_OURS = re.compile(r"(candidate|option)-\w+")
_STATUS: Mapping[RowState, str] = {
    "done": "STATUS_SUCCESS",
    "pruned": "STATUS_UNKNOWN",
    "failed": "STATUS_FAILURE",
}
_NO_FILES = "TensorBoard has no place for files: its text names the run folder's report."
_AT_ONCE = 100  # rows between two looks at a request to stop


def tracker(address: str | None, project: str | None) -> TensorboardTracker:
    """The folder `address` (None: `tensorboard` here), or a folder `project` in it."""
    folder = folder_for(Path(address or _FOLDER).expanduser(), "to_address")
    return TensorboardTracker(folder / plain_folder(project) if project else folder)


class TensorboardTracker:
    """A folder that TensorBoard reads, with a folder for each study."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    def publish(self, publication: Publication, job: Job) -> Counts:
        """Write the event files of a study; raises `DiskError` and `Interrupted`."""
        made = _Events(publication.ended)
        root = make_folder(self._folder / plain_folder(publication.label))
        counts = dict.fromkeys(("new", "changed", "unchanged"), 0)
        for place, row in enumerate(publication.rows):
            if not place % _AT_ONCE:
                job.check("publishing")
                job.progress("publishing", place, len(publication.rows), "candidates")
            counts[_write(root / row.key, made.of_row(row))] += 1
        _write(root, made.of_study(publication))
        _remove_former(root, {row.key for row in publication.rows})
        job.progress("publishing", len(publication.rows), len(publication.rows), "candidates")
        return Counts(
            opened_by=f"tensorboard --logdir {shlex.quote(str(root))}",
            remarks=(_NO_FILES,) if publication.files else (),
            **counts,
        )


class _Events:
    """Event files as bytes, all of one moment."""

    def __init__(self, moment: float) -> None:
        self._moment = moment
        self._event = library("tensorboard.compat.proto.event_pb2").Event
        self._summary = library("tensorboard.compat.proto.summary_pb2").Summary
        self._records = library("tensorboard.summary.writer.record_writer")
        self._hparams = library("tensorboard.plugins.hparams.summary_v2")
        self._session = library("tensorboard.plugins.hparams.summary")
        self._api = library("tensorboard.plugins.hparams.api_pb2")
        self._text = library("tensorboard.plugins.text.summary_v2")

    def of_row(self, row: PublishedRow) -> bytes:
        """A candidate: its hyperparameters, its scores at step 0, its curves by epoch."""
        values = dict(row.parameters)
        start = self._hparams.hparams_pb(values, trial_id=row.key, start_time_secs=self._moment)
        status = getattr(self._api, _STATUS[row.state])
        end = self._session.session_end_pb(status, self._moment)
        scalars = [(0, name, value) for name, value in row.metrics.items()]
        scalars += [
            (epoch, name, value)
            for name, curve in row.curves.items()
            for epoch, value in enumerate(curve, start=1)
        ]
        steps: dict[int, list[Any]] = {}
        for step, name, value in scalars:
            steps.setdefault(step, []).append(self._summary.Value(tag=name, simple_value=value))
        found = [(step, self._summary(value=values)) for step, values in sorted(steps.items())]
        return self._bytes([(0, start), *found, (0, end)])

    def of_study(self, publication: Publication) -> bytes:
        """The study: which hyperparameters and metrics there are, its text, its figures."""
        hparams = library("tensorboard.plugins.hparams.api")
        names = dict.fromkeys(name for row in publication.rows for name in row.parameters)
        metrics = dict.fromkeys(name for row in publication.rows[:1] for name in row.metrics)
        config = self._hparams.hparams_config_pb(
            hparams=[hparams.HParam(name) for name in names],
            metrics=[hparams.Metric(name, display_name=name) for name in metrics],
            time_created_secs=self._moment,
        )
        told = {**publication.tags, **publication.parameters}
        table = ["| setting | value |", "| --- | --- |"]
        table += [f"| {name} | {_cell(value)} |" for name, value in told.items()]
        text = self._text.text_pb("study", f"{publication.text}\n\n" + "\n".join(table))
        pictures = [each for each in publication.files if each.suffix == ".png"]
        return self._bytes([(0, config), (0, text), *((0, self._picture(p)) for p in pictures)])

    def _picture(self, path: Path) -> Any:
        from PIL import Image

        with Image.open(path) as opened:
            width, height = opened.size
        image = self._summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=path.read_bytes()
        )
        return self._summary(value=[self._summary.Value(tag=path.stem, image=image)])

    def _bytes(self, summaries: list[tuple[int, Any]]) -> bytes:
        import io

        made = io.BytesIO()
        writer = self._records.RecordWriter(made)
        first = self._event(wall_time=self._moment, file_version="brain.Event:2")
        writer.write(first.SerializeToString(deterministic=True))
        for step, summary in summaries:
            event = self._event(wall_time=self._moment, step=step, summary=summary)
            writer.write(event.SerializeToString(deterministic=True))
        return made.getvalue()


def plain_folder(name: str) -> str:
    """A name as one folder's, on every platform."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".") or "study"


def _write(folder: Path, data: bytes) -> str:
    """Write an event file where it is not there as it is to be; says how it was found."""
    file = folder / _FILE
    known = file.read_bytes() if file.is_file() else None
    if known == data:
        return "unchanged"
    make_folder(folder)
    draft = folder / ".draft"
    with disk_errors(file):
        # Ten thousand files: each is whole or not there, without the flush that a crash would need.
        draft.write_bytes(data)
        os.replace(draft, file)  # noqa: PTH105
    return "new" if known is None else "changed"


def _remove_former(root: Path, keys: set[str]) -> None:
    """Take away the folders of rows that the study has no longer, if nothing else is in them."""
    for folder in _folders(root):
        if folder.name not in keys and [each.name for each in folder.iterdir()] == [_FILE]:
            with disk_errors(folder):
                shutil.rmtree(folder)


def _folders(root: Path) -> Iterator[Path]:
    return (each for each in root.iterdir() if _OURS.fullmatch(each.name) and each.is_dir())


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
