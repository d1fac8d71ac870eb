"""What a folder or a manifest says, before any image is read."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace

from manyheads.data.columns import Categorical, CategoricalWriter, kept_rows
from manyheads.data.left_out import LeftOut, LeftOutWriter, Reason
from manyheads.data.paths import Paths, PathsWriter


@dataclass(frozen=True, eq=False)
class Listing:
    """All images of a source, and what lies beside them without being one.

    `layout` is "split folders", "class folders" or "manifest". `splits` and `groups` are None if
    the source gives none; an empty group means none. `remarks` are lines on what may not be meant;
    `missing` are the texts of a table that were taken for no label. Where an image may have
    several labels, `labels` are label sets as texts, and `label_names` all labels, sorted.
    """

    layout: str
    paths: Paths
    labels: Categorical
    splits: Categorical | None
    groups: Categorical | None
    ignored: LeftOut
    remarks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()

    def without(self, rows: Collection[int], reason: Reason | str) -> Listing:
        """This listing with the images at the indices `rows` left out for a `reason`."""
        writer, kept = LeftOutWriter(), kept_rows(len(self.paths), rows)
        writer.extend(self.ignored)
        for row in rows:
            path = self.paths[row]
            writer.add(str(path.parent), path.name, reason)
        return replace(
            self,
            paths=self.paths.take(kept),
            labels=self.labels.take(kept),
            splits=None if self.splits is None else self.splits.take(kept),
            groups=None if self.groups is None else self.groups.take(kept),
            ignored=writer.column(),
        )


class ListingWriter:
    """Makes a `Listing` of one image after the other."""

    def __init__(self) -> None:
        self._paths, self._ignored = PathsWriter(), LeftOutWriter()
        self._remarks: list[str] = []
        self._labels, self._splits, self._groups = (CategoricalWriter() for _ in range(3))
        self._images = 0
        self._with_split = self._with_group = False

    def __len__(self) -> int:
        return self._images

    def add(
        self, folder: str, name: str, label: str, split: str | None = None, group: str = ""
    ) -> None:
        """Append the image `name` in `folder`; a split is given for each of them, or for none.

        A label's letters are composed (Unicode NFC): decomposed ones, as a Mac writes names, are
        the same label.
        """
        self._paths.add(folder, name)
        self._labels.add(unicodedata.normalize("NFC", label))
        self._splits.add(split or "")
        self._groups.add(group)
        self._images += 1
        self._with_split |= split is not None
        self._with_group |= bool(group)

    def ignore(self, folder: str, name: str, reason: Reason | str) -> None:
        """Append what is left out and why: in words a plural, such as `rows without a label`."""
        self._ignored.add(folder, name, reason)

    def remark(self, text: str) -> None:
        """Append a line on what may not be meant."""
        self._remarks.append(text)

    def listing(self, layout: str) -> Listing:
        """What was added; nothing may be added after that."""
        return Listing(
            layout,
            self._paths.column(),
            self._labels.column(),
            self._splits.column() if self._with_split else None,
            self._groups.column() if self._with_group else None,
            self._ignored.column(),
            tuple(self._remarks),
        )
