"""What a data set's source holds without its being used: which files and folders, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manyheads.data.columns import Categorical, CategoricalWriter, Column, Rows
from manyheads.data.name_rules import printable
from manyheads.data.paths import Paths, PathsWriter, split_path
from manyheads.data.remote_path import FilePath

_SINGULARS = {"are": "is", "these": "this", "have": "has"}


@dataclass(frozen=True)
class Reason:
    """Why something is left out: `many` reads well behind a number, `one` behind 1.

    A `remedy` is told where there is one. What is `harmless` needs no attention. A `folder` is
    counted as one, whatever it holds. With `example`, the first name is told.
    """

    many: str
    one: str = ""
    remedy: str = ""
    harmless: bool = False
    folder: bool = False
    example: bool = False

    def counted(self, number: int) -> str:
        """Such as `1 HEIC image` and `3,000 HEIC images`."""
        return f"{number:,} {self.many if number != 1 else self.one or singular(self.many)}"


SYSTEM_FILES = Reason("system files", harmless=True)
HIDDEN_FILES = Reason("hidden files", harmless=True)
SYSTEM_FOLDERS = Reason("system folders", harmless=True, folder=True, example=True)
HIDDEN_FOLDERS = Reason("hidden folders", harmless=True, folder=True, example=True)
OUTPUTS = Reason(
    "folders that manyheads has written", "folder that manyheads has written",
    harmless=True, folder=True, example=True,
)  # fmt: skip
FOLLOWED = Reason(
    "links to folders that are read already", "link to a folder that is read already",
    harmless=True, folder=True, example=True,
)  # fmt: skip
TWINS = Reason(
    "links to images that are read already", "link to an image that is read already",
    harmless=True, example=True,
)  # fmt: skip
EMPTY = Reason(
    "class folders without images", "class folder without images", folder=True, example=True
)
NO_IMAGES = Reason("files that are no images", "file that is no image", example=True)
OUTSIDE = Reason("images outside the class folders", example=True)
UNLABELLED = Reason("images without a label", "image without a label", example=True)
BROKEN = Reason("broken links", example=True)
STRANGE = Reason("pipes and devices", "pipe or device", example=True)
UNREADABLE = Reason("files that cannot be opened", "file that cannot be opened", example=True)
VIDEOS = Reason("videos")


def of_kind(kind: str, remedy: str) -> Reason:
    """Images of a kind that is not read here."""
    words = f"to read them: {remedy}" if remedy.startswith("pip") else remedy
    return Reason(f"{kind} images", remedy=words)


def singular(many: str) -> str:
    """`row without a label` of `rows without a label`: the first plural and its verb."""
    words = many.split(" ")
    for place, word in enumerate(words):
        if word.endswith("s") and not word.endswith("ss"):
            ending = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("s", ""))
            old, new = next(pair for pair in ending if word.endswith(pair[0]))
            rest = [_SINGULARS.get(other, other) for other in words[place + 1 :]]
            return " ".join([*words[:place], word.removesuffix(old) + new, *rest])
    return many


class LeftOut(Column[FilePath]):
    """What is left out, in the order in which it was met, in some forty bytes each.

    It reads like the paths. `reasons` has a reason for each.
    """

    def __init__(self, paths: Paths, names: Categorical, known: dict[str, Reason]) -> None:
        self.paths, self._names, self._known = paths, names, known

    @classmethod
    def none(cls) -> LeftOut:
        """Nothing."""
        return LeftOutWriter().column()

    @property
    def reasons(self) -> Categorical:
        """Why each is left out, by `Reason.many`."""
        return self._names

    def reason(self, many: str) -> Reason:
        """The reason whose plural this is."""
        return self._known[many]

    @property
    def counts(self) -> dict[Reason, int]:
        """How many are left out for each reason, the most first; what needs attention before."""
        counted = np.bincount(self._names.codes, minlength=len(self._names.names))
        found = {
            self._known[name]: int(count)
            for name, count in zip(self._names.names, counted, strict=True)
            if count
        }
        return dict(sorted(found.items(), key=lambda item: (item[0].harmless, -item[1])))

    def first(self, reason: Reason, most: int = 1) -> list[FilePath]:
        """Some of those that are left out for this reason."""
        return [self.paths[int(row)] for row in self._names.where(reason.many)[:most]]

    def line(self, used: int, noun: str = "files") -> str:
        """One line for all, beside so many that are `used`; empty if nothing is left out.

        Such as `12 of 3,421 files (0.4 %): 9 HEIC images (to read them: …), 3 system files`.
        """
        counts = self.counts
        files = {reason: count for reason, count in counts.items() if not reason.folder}
        folders = {reason: count for reason, count in counts.items() if reason.folder}
        parts = []
        if files:
            left, total = sum(files.values()), sum(files.values()) + used
            words = ", ".join(self._words(*item) for item in files.items())
            # Of one file, the plural too: it is the total that is counted.
            parts.append(f"{left:,} of {total:,} {noun} ({_share(left, total)}): {words}")
        if folders:
            parts.append(", ".join(self._words(*item) for item in folders.items()))
        return "; ".join(parts)

    def _words(self, reason: Reason, count: int) -> str:
        words = reason.counted(count)
        if reason.remedy:
            return f"{words} ({reason.remedy})"
        if reason.example:
            name = printable(self.first(reason)[0].name)
            return f"{words} ({name}{', …' if count > 1 else ''})"
        return words

    def take(self, rows: Rows) -> LeftOut:
        return LeftOut(self.paths.take(rows), self._names.take(rows), self._known)

    def __len__(self) -> int:
        return len(self.paths)

    def _item(self, row: int) -> FilePath:
        return self.paths[row]


class LeftOutWriter:
    """Makes a `LeftOut` of one entry after the other."""

    def __init__(self) -> None:
        self._paths, self._names = PathsWriter(), CategoricalWriter()
        self._known: dict[str, Reason] = {}

    def add(self, folder: str, name: str, reason: Reason | str) -> None:
        """Append `name` in `folder`; a reason in words is a plural: `rows without a label`."""
        if isinstance(reason, str):
            reason = self._known.get(reason) or Reason(reason)
        self._known.setdefault(reason.many, reason)
        self._paths.add(folder, name)
        self._names.add(reason.many)

    def extend(self, others: LeftOut) -> None:
        """Append all of another column."""
        for path, many in zip(others.paths.texts(), others.reasons, strict=True):
            self.add(*split_path(path), others.reason(many))

    def column(self) -> LeftOut:
        """What was added; nothing may be added after that."""
        return LeftOut(self._paths.column(), self._names.column(), self._known)


def _share(part: int, whole: int) -> str:
    share = 100 * part / whole
    return "< 0.1 %" if share < 0.05 else f"{share:.1f} %"
