"""What a folder or a manifest says, before any image is read."""

from __future__ import annotations

from dataclasses import dataclass

from manyheads.data.columns import Names, NamesWriter
from manyheads.data.paths import Paths, PathsWriter


@dataclass(frozen=True, eq=False)
class Listing:
    """All images of a source, and what lies beside them without being one.

    `layout` is "split folders", "class folders" or "manifest". `splits` and `groups` are None if
    the source gives none; an empty group means none.
    """

    layout: str
    paths: Paths
    labels: Names
    splits: Names | None
    groups: Names | None
    ignored: Paths


class ListingWriter:
    """Makes a `Listing` of one image after the other."""

    def __init__(self) -> None:
        self._paths, self._ignored = PathsWriter(), PathsWriter()
        self._labels, self._splits, self._groups = NamesWriter(), NamesWriter(), NamesWriter()
        self.reasons: list[str] = []
        self._images = 0
        self._with_split = self._with_group = False

    def __len__(self) -> int:
        return self._images

    def add(
        self, folder: str, name: str, label: str, split: str | None = None, group: str = ""
    ) -> None:
        """Append the image `name` in `folder`; a split is given for each of them, or for none."""
        self._paths.add(folder, name)
        self._labels.add(label)
        self._splits.add(split or "")
        self._groups.add(group)
        self._images += 1
        self._with_split |= split is not None
        self._with_group |= bool(group)

    def ignore(self, folder: str, name: str, reason: str = "") -> None:
        """Append what is left out, and why: a short plural, such as "rows without a label"."""
        self._ignored.add(folder, name)
        self.reasons.append(reason)

    def listing(self, layout: str) -> Listing:
        """What was added; nothing may be added after that."""
        return Listing(
            layout,
            self._paths.column(),
            self._labels.column(),
            self._splits.column() if self._with_split else None,
            self._groups.column() if self._with_group else None,
            self._ignored.column(),
        )
