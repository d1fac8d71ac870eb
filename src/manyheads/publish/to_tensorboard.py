"""TensorBoard: a folder of event files, one for each candidate, with its HParams.

An event file is written anew where its bytes differ, so that publishing again doubles nothing. It
holds no time but that of the study.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from manyheads.core.destinations import folder_for
from manyheads.core.job import Job
from manyheads.core.places import disk_errors, make_folder
from manyheads.core.text import option
from manyheads.publish.event_files import EventFiles
from manyheads.publish.publication import Publication
from manyheads.publish.trackers import RowCounts, no_rows, silenced

_FOLDER = "tensorboard"
_FILE = "events.out.tfevents.0000000000.manyheads"
_OURS = re.compile(r"(candidate|option)-\w+")
_NO_FILES = "TensorBoard has no place for files but figures: they are in the run folder."
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

    def publish(self, publication: Publication, job: Job) -> RowCounts:
        """Write the event files of a study; raises `DiskError` and `Interrupted`."""
        with silenced({}):
            return self._written(publication, job)

    def _written(self, publication: Publication, job: Job) -> RowCounts:
        made = EventFiles(publication)
        root = make_folder(self._folder / plain_folder(publication.label))
        counts = no_rows()
        for place, row in enumerate(publication.rows):
            if not place % _AT_ONCE:
                job.check("publishing")
                job.progress("publishing", place, len(publication.rows), "candidates")
            counts[_write(root / row.key, made.of_row(row))] += 1
        _write(root, made.of_study())
        _remove_former(root, {row.key for row in publication.rows})
        job.progress("publishing", len(publication.rows), len(publication.rows), "candidates")
        return RowCounts.of(
            counts,
            shlex.join(["tensorboard", *option("logdir", root)]),
            remarks=(_NO_FILES,) if publication.files else (),
        )


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
        draft.replace(file)
    return "new" if known is None else "changed"


def _remove_former(root: Path, keys: set[str]) -> None:
    """Take away the folders of rows that the study has no longer, if nothing else is in them."""
    for folder in _folders(root):
        if folder.name not in keys and [each.name for each in folder.iterdir()] == [_FILE]:
            with disk_errors(folder):
                shutil.rmtree(folder)


def _folders(root: Path) -> Iterator[Path]:
    return (each for each in root.iterdir() if _OURS.fullmatch(each.name) and each.is_dir())
