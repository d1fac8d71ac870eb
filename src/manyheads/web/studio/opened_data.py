"""The data set that is open in a studio: its images by number, and the decisions about them."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from manyheads.core.job import Job
from manyheads.core.label_sets import require_one_label
from manyheads.core.places import write_text
from manyheads.data.changes import KEPT_BYTES
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.manifest_writer import check_manifest_path, write_manifest
from manyheads.data.splits import SPLITS
from manyheads.errors import DataError, ManyheadsError
from manyheads.web.studio.decided_data import DecidedData, given_splits_of
from manyheads.web.studio.decisions import (
    RELABEL,
    DecidedImage,
    Decision,
    DecisionLog,
    like_another,
)

_DECIDED = re.compile(r"-decided(-\d+)?$")
_TOKEN = 16  # digits of the data set's digest that a page names it by
STATES = ("all", "changed", "out")


class OpenedData:
    """A data set of the place, opened from `path`, with its decisions in the folder `own`.

    A page names images by their numbers, from 0 in the data set's order, and the data set by the
    `token`, so that numbers of data that have changed since are refused. Safe to use from several
    threads.
    """

    def __init__(self, name: str, path: Path, dataset: Dataset, own: Path) -> None:
        self.name, self.path, self.dataset = name, path, dataset
        self.token = dataset.content[:_TOKEN]
        self._own = own
        self.log = DecisionLog(decisions_file(own, name))
        self._lock = threading.RLock()
        self._view: tuple[int, DecidedData] | None = None

    @classmethod
    def opened(cls, name: str, path: Path, own: Path, job: Job) -> OpenedData:
        """Open the folder or manifest at `path`; raises what `open_dataset` raises."""
        dataset = open_dataset(path, job=job)
        remedy = "use the commands `manyheads check` and `manyheads sweep`"
        require_one_label(dataset.label_names, "the studio", remedy)
        return cls(name, path, dataset, own)

    @cached_property
    def places(self) -> dict[str, int]:
        """The number of each image by its name."""
        return {self.dataset.name_of(image): image for image in range(len(self.dataset))}

    @cached_property
    def _contents(self) -> dict[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        starts = np.ascontiguousarray(self.dataset.digests.values[:, :KEPT_BYTES])
        for image, start in enumerate(starts):
            found.setdefault(start.tobytes(), []).append(image)
        return found

    def with_content(self, start: bytes) -> list[int]:
        """The numbers of the images whose digest begins with `start`, 16 bytes of it."""
        return self._contents.get(start, [])

    @property
    def view(self) -> DecidedData:
        """The data set as decided by now."""
        with self._lock:
            version = self.log.version
            if self._view is None or self._view[0] != version:
                self._view = version, DecidedData.of(self.dataset, self.log.decided(), self.places)
            return self._view[1]

    def require(self, token: str) -> None:
        """Raise `DataError` unless `token` names these data as they are."""
        if token != self.token:
            raise DataError(
                f"the data that are open, {self.name}", "a page of others", "load the page again"
            )

    def known(self, images: Sequence[int]) -> list[int]:
        """The numbers of images, each once; raises `DataError` for one that there is not."""
        for image in images:
            if not 0 <= image < len(self.dataset):
                raise DataError(
                    f"images from 0 to {len(self.dataset) - 1}", f"{image}", "load the page again"
                )
        return list(dict.fromkeys(images))

    def decide(self, kind: str, images: Sequence[int], value: str = "") -> Decision:
        """Append a decision about images by their numbers.

        Raises what `DecisionLog.add` raises, and `DataError` for a new class whose name is like
        another's.
        """
        keys = [
            DecidedImage.of(self.dataset.name_of(image), self.dataset.digests[image])
            for image in self.known(images)
        ]
        if kind == RELABEL and (other := like_another(value.strip(), self.view.classes)):
            raise DataError(
                "one of the classes, or a name unlike theirs",
                f"{value!r} beside {other!r}",
                f"choose {other!r}, or another name",
            )
        return self.log.add(kind, keys, value)

    def chosen(
        self, split: str | None = None, label: str | None = None, state: str = STATES[0]
    ) -> Int64[np.ndarray, "images"]:
        """The ascending numbers of the images of a split, a class and a state of `STATES`.

        Splits and classes are those that were decided. Raises `DataError` for unknown ones.
        """
        view = self.view
        mask = {"all": ~view.out, "changed": view.changed, "out": view.out}.get(state)
        if mask is None:
            raise DataError(f"one of {', '.join(STATES)}", repr(state), "choose one of these")
        if split is not None:
            if split not in SPLITS:
                raise DataError(f"one of {', '.join(SPLITS)}", repr(split), "choose one of these")
            mask = mask & (view.splits == SPLITS.index(split))
        if label is not None:
            if label not in view.classes:
                raise DataError("one of the classes", repr(label), "choose one from the list")
            mask = mask & (view.labels == view.classes.index(label))
        return np.flatnonzero(mask)

    def image(self, image: int) -> dict[str, Any]:
        """What a page shows of an image, as plain data."""
        view, dataset = self.view, self.dataset
        given = SPLITS[given_splits_of(dataset.taken(np.array([image])))[0]]
        return {
            "number": image,
            "name": dataset.name_of(image),
            "label": view.label(image),
            "given": dataset.classes[dataset.labels[image]],
            "split": view.split(image),
            "given_split": given,
            "out": bool(view.out[image]),
            "changed": bool(view.changed[image]),
        }

    @property
    def problem(self) -> str:
        """Why nothing can be trained on what was decided; "" if something can."""
        try:
            self.view.applied().require_trainable()
        except ManyheadsError as error:
            return str(error)
        return ""

    @property
    def written(self) -> Path | None:
        """The manifest with exactly these decisions; None if it was not written, or has changed."""
        name, digest = self._manifests().get(self._state, ("", ""))
        file = self._folder / name
        if name and file.is_file() and _content(file) == digest:
            return file
        return None

    def manifest(self, name: str | None = None) -> Path | None:
        """The manifest with exactly these decisions, written now if it is not there.

        It is `NAME-decided.csv` beside the data, or of the `name` asked for; what is there is never
        written over, so later decisions come into `NAME-decided-2.csv`, and so on. None if nothing
        was decided. Raises what `write_manifest` raises, and `DataError` for a name that is no
        file's.
        """
        with self._lock:
            if not self.view.differs:
                return None
            found = self.written
            if found is not None and name in (None, found.name):
                return found
            file = self._free() if name is None else self._named(name)
            write_manifest(file, self.view.applied(), divided=True)
            known = self._manifests() | {self._state: (file.name, _content(file))}
            write_text(self._record, json.dumps(known) + "\n")
            return file

    @property
    def _folder(self) -> Path:
        """Where manifests lie: beside the data, and never outside the place."""
        return self._own.parent if self.name == "." else self.path.parent

    @property
    def _state(self) -> str:
        """A digest of what was decided, and of what about."""
        view = self.view
        total = hashlib.sha256(self.dataset.content.encode())
        total.update("\0".join(view.classes).encode())
        for array in (view.labels, view.splits, view.out):
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    @property
    def _record(self) -> Path:
        return self._own / "manifests" / f"{self.log.file.stem}.json"

    def _manifests(self) -> dict[str, tuple[str, str]]:
        """The name and the digest of each manifest that was written, by what was decided."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = json.loads(self._record.read_text(encoding="utf-8"))
            return {state: (str(name), str(digest)) for state, (name, digest) in found.items()}
        return {}

    def _free(self) -> Path:
        """The first of the usual names that is not taken."""
        usual = _DECIDED.sub("", self.path.stem if self.path.is_file() else self.path.name)
        number = 1
        while True:
            more = "" if number == 1 else f"-{number}"
            file = self._folder / f"{usual}-decided{more}.csv"
            if not file.exists() and not file.is_symlink():
                return file
            number += 1

    def _named(self, name: str) -> Path:
        if Path(name).name != name or name.startswith(".") or "\\" in name or "\0" in name:
            raise DataError("the name of a file, without a folder", repr(name), "name another")
        file = self._folder / name
        check_manifest_path(file)
        return file


def decisions_file(own: Path, name: str) -> Path:
    """The file of the decisions about the data of this name, in the studio's own folder."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return own / "decisions" / f"{_slug(name)}-{digest[:8]}.jsonl"


def _content(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40] or "place"
