"""What a person decided about the images of a data set: an append-only log that can be undone.

A line of the file is a decision, or that one was undone or done again. A line is flushed to the
disk before anybody sees its effect; of a process that was killed while it wrote, the last line may
be torn, and is passed over.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manyheads.core.places import disk_errors, make_folder
from manyheads.core.text import counted
from manyheads.data.label_names import composed
from manyheads.data.name_rules import likeness
from manyheads.data.splits import SPLITS
from manyheads.data.table_files import MISSING
from manyheads.errors import DataError

RELABEL, LEAVE_OUT, MOVE, AS_GIVEN, KEEP = "relabel", "leave out", "move", "as given", "keep"
KINDS = (RELABEL, LEAVE_OUT, MOVE, AS_GIVEN, KEEP)
_UNDO, _REDO = "undo", "redo"
_DIGITS = 32  # of a digest, in hexadecimal: as much of it as a study keeps of its images
_LONGEST = 200  # letters of a class's name


@dataclass(frozen=True)
class DecidedImage:
    """An image by its name in the data set and the first digits of its content's digest."""

    name: str
    digest: str

    @classmethod
    def of(cls, name: str, digest: str) -> DecidedImage:
        """The image of this name and this SHA-256."""
        return cls(name, digest[:_DIGITS])


@dataclass(frozen=True)
class Decision:
    """One step: a kind of `KINDS`, the images that it is about, and its value.

    The value of `relabel` is a class and of `move` a split. `keep` dismisses a finding, whose kind
    is the value: of a suspicious label each image's own, else the one of all images together.
    """

    kind: str
    images: tuple[DecidedImage, ...]
    value: str = ""
    when: str = ""

    @property
    def words(self) -> str:
        """The step in a few words, such as `3 images: label 'hat'`."""
        first = self.images[0].name if self.images else ""
        who = first if len(self.images) == 1 else counted(len(self.images), "image")
        what = {
            RELABEL: f"label {self.value!r}",
            LEAVE_OUT: "left out",
            MOVE: f"in {self.value}",
            AS_GIVEN: "as given again",
            KEEP: "kept as it is",
        }[self.kind]
        return f"{who}: {what}"


@dataclass
class DecidedState:
    """What all steps amount to, by image: labels, splits, images left out, findings dismissed."""

    labels: dict[DecidedImage, str] = field(default_factory=dict)
    splits: dict[DecidedImage, str] = field(default_factory=dict)
    left_out: set[DecidedImage] = field(default_factory=set)
    kept: set[tuple[str, frozenset[str]]] = field(default_factory=set)

    def add(self, step: Decision) -> None:
        """Apply a further step."""
        if step.kind == RELABEL:
            self.labels |= dict.fromkeys(step.images, step.value)
        elif step.kind == MOVE:
            self.splits |= dict.fromkeys(step.images, step.value)
        elif step.kind == LEAVE_OUT:
            self.left_out |= {*step.images}
        elif step.kind == AS_GIVEN:
            for image in step.images:
                self.labels.pop(image, None)
                self.splits.pop(image, None)
                self.left_out.discard(image)
        elif step.value == "label":
            self.kept |= {(step.value, frozenset((image.name,))) for image in step.images}
        else:
            self.kept.add((step.value, frozenset(image.name for image in step.images)))


class DecisionLog:
    """The steps in the file `file`, which may be missing; safe to use from several threads.

    Steps that another process appends are seen at the next use. Raises `DiskError` where the file
    cannot be written, and `DataError` where it cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.RLock()
        self._read_bytes, self._whole = -1, True
        self._steps: list[Decision] = []
        self._undone: list[Decision] = []

    @property
    def steps(self) -> tuple[Decision, ...]:
        """The steps that hold, in order."""
        with self._lock:
            self._refresh()
            return tuple(self._steps)

    @property
    def undone(self) -> tuple[Decision, ...]:
        """The steps that can be done again, the next one last."""
        with self._lock:
            self._refresh()
            return tuple(self._undone)

    @property
    def version(self) -> int:
        """A number that differs after each change: the bytes of the file."""
        with self._lock:
            self._refresh()
            return self._read_bytes

    def decided(self) -> DecidedState:
        """What the steps that hold amount to."""
        found = DecidedState()
        for step in self.steps:
            found.add(step)
        return found

    def add(self, kind: str, images: Sequence[DecidedImage], value: str = "") -> Decision:
        """Append a decision; what had been undone cannot be done again then.

        Raises `DataError` for an unknown kind, for no images, and for a value that is no split or
        cannot be the name of a class.
        """
        step = Decision(kind, tuple(images), checked_value(kind, value), _now())
        if not step.images:
            raise DataError("images to decide about", "none", "select some first")
        with self._lock:
            pairs = [[image.name, image.digest] for image in step.images]
            self._append({"kind": kind, "value": step.value, "when": step.when, "images": pairs})
        return step

    def undo(self) -> Decision:
        """Take the last step back, and return it; raises `DataError` if there is none."""
        with self._lock:
            steps = self.steps
            if not steps:
                raise DataError("a decision to undo", "none", "decide something first")
            self._append({"kind": _UNDO, "when": _now()})
            return steps[-1]

    def redo(self) -> Decision:
        """Do the step again that was undone last; raises `DataError` if there is none."""
        with self._lock:
            undone = self.undone
            if not undone:
                raise DataError("an undone decision to do again", "none", "undo something first")
            self._append({"kind": _REDO, "when": _now()})
            return undone[-1]

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=True).encode("ascii") + b"\n"
        make_folder(self.file.parent)
        with disk_errors(self.file), self.file.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # torn by a process that was killed
                    text = b"\n" + text
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._refresh()

    def _refresh(self) -> None:
        """Read what the file has grown by, or all of it again if it was torn or taken away."""
        try:
            size = self.file.stat().st_size if self.file.is_file() else 0
            if size == self._read_bytes:
                return
            if size < self._read_bytes or not self._whole:
                self._read_bytes, self._steps, self._undone = 0, [], []
            start = max(0, self._read_bytes)
            content = b""
            if size:
                with self.file.open("rb") as file:
                    file.seek(start)
                    content = file.read()
        except OSError as error:
            raise DataError(
                f"to read the decisions in {self.file.name}",
                os.strerror(error.errno or 0).lower(),
                "make the file readable",
            ) from error
        for line in content.splitlines():
            self._replay(line)
        self._read_bytes = start + len(content)
        self._whole = content.endswith(b"\n")

    def _replay(self, text: bytes) -> None:
        try:
            line = json.loads(text)
            if line["kind"] == _UNDO:
                if self._steps:
                    self._undone.append(self._steps.pop())
            elif line["kind"] == _REDO:
                if self._undone:
                    self._steps.append(self._undone.pop())
            elif line["kind"] in KINDS:
                images = tuple(DecidedImage(name, digest) for name, digest in line["images"])
                self._steps.append(Decision(line["kind"], images, line["value"], line["when"]))
                self._undone = []
        except (ValueError, KeyError, TypeError):  # a torn line
            return


def checked_value(kind: str, value: str) -> str:
    """The value of a decision, a class's letters composed; raises `DataError` if it cannot be."""
    if kind not in KINDS:
        raise DataError(f"one of {', '.join(KINDS)}", repr(kind), "choose one of these")
    if kind == MOVE and value not in SPLITS:
        raise DataError(f"one of {', '.join(SPLITS)}", repr(value), "choose one of these")
    if kind != RELABEL:
        return value
    name = composed(value).strip()
    if not name or not name.isprintable() or len(name) > _LONGEST:
        raise DataError(
            f"a class's name of 1 to {_LONGEST} letters on one line",
            repr(value[:_LONGEST]),
            "choose a class, or give the new one another name",
        )
    if name in MISSING:
        raise DataError(
            "a label that means one in a table",
            f"{name!r}, which means none there",
            "choose another name",
        )
    return name


def like_another(name: str, classes: Sequence[str]) -> str | None:
    """The class from which a name differs only in case, white space or signs; None for none."""
    if name in classes:
        return None
    return next((each for each in classes if likeness(each) == likeness(name)), None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
