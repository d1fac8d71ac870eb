"""A data set: where the images are, their labels, classes, splits and content."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from manyheads.data import catalog
from manyheads.data.digests import file_digests
from manyheads.data.folders import scan_folder
from manyheads.data.manifest import MANIFEST_SUFFIXES, read_manifest
from manyheads.data.splits import SPLITS, assign_splits, carve_validation
from manyheads.data.trainable import require_trainable
from manyheads.errors import DataError
from manyheads.settings import SplitSettings

_DEFAULT = SplitSettings()


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images with labels, in the order of the source.

    `labels` index into the sorted `classes`; `splits` holds "train", "validation" or "test" for
    each image; `digests` are the SHA-256 of the files' bytes; an empty group means none.
    `divided` is how images without a given split were divided, None if all were given; `carved`
    says that only validation was missing and was taken from training.
    `ignored` are the files and empty class folders that were left out.
    """

    name: str
    root: Path
    layout: str
    paths: tuple[Path, ...]
    labels: Int64[np.ndarray, "samples"]
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    digests: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    divided: SplitSettings | None = None
    carved: bool = False
    ignored: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        splits = ", ".join(f"{split} {len(self.rows(split)):,}" for split in SPLITS)
        return f"<Dataset {self.name}: {len(self):,} images, {len(self.classes)} classes; {splits}>"

    def rows(self, split: str) -> Int64[np.ndarray, "rows"]:
        """The ascending indices of the images in `split`."""
        if split not in SPLITS:
            raise DataError(f"one of {', '.join(SPLITS)}", repr(split), "choose one of these")
        return np.flatnonzero(np.array(self.splits) == split).astype(np.int64)

    def name_of(self, index: int) -> str:
        """The image's path as one reads it: below the data set's folder where it lies there."""
        folder = self.root.parent if self.layout == "manifest" else self.root
        path = os.path.normpath(self.paths[index])
        return os.path.relpath(path, folder) if path.startswith(f"{folder}{os.sep}") else path

    def without(self, bad: Collection[int]) -> Dataset:
        """This data set less the images at the indices `bad`; classes keep their numbers."""
        dropped = set(bad)
        kept = [index for index in range(len(self)) if index not in dropped]
        return replace(
            self,
            paths=tuple(self.paths[index] for index in kept),
            labels=_frozen(self.labels[kept]),
            splits=tuple(self.splits[index] for index in kept),
            digests=tuple(self.digests[index] for index in kept),
            groups=None if self.groups is None else tuple(self.groups[index] for index in kept),
        )

    def require_trainable(self) -> None:
        """Raise `DataError` unless every class can be trained on and selected by."""
        require_trainable(self)

    @cached_property
    def content(self) -> str:
        """SHA-256 over the classes and every image's bytes, label and split, in their order."""
        total = hashlib.sha256("\0".join(self.classes).encode())
        for digest, label, split in zip(self.digests, self.labels, self.splits, strict=True):
            total.update(f"\n{digest}\0{self.classes[label]}\0{split}".encode())
        return total.hexdigest()


def open_dataset(
    source: str | Path,
    *,
    split: SplitSettings = _DEFAULT,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
) -> Dataset:
    """Open a folder, a manifest (`.csv`, `.parquet`) or a data set of the catalog by its name.

    Images are hashed, not decoded: a damaged one is met when it is used. Where no splits are
    given the images are divided by `split` and their content; where only validation is missing
    it is carved from training. Raises `DataError` for a source that holds no two classes.
    """
    root, name = _locate(source, stop)
    listing = read_manifest(root) if root.is_file() else scan_folder(root)
    paths = tuple(entry.path for entry in listing.entries)
    digests = file_digests(paths, progress=progress, stop=stop)
    groups = tuple(entry.group for entry in listing.entries)
    groups = groups if any(groups) else None
    given = tuple(entry.split for entry in listing.entries if entry.split is not None)
    carved = bool(given) and "validation" not in given
    divided = split if carved or not given else None
    splits = _splits(given, digests, groups, divided)
    classes = tuple(sorted({entry.label for entry in listing.entries}))
    if len(classes) < 2:
        found = f"one: {listing.entries[0].label!r}"
        raise DataError(f"two or more classes in {root}", found, "add images of another class")
    numbers = {label: number for number, label in enumerate(classes)}
    labels = np.array([numbers[entry.label] for entry in listing.entries], dtype=np.int64)
    return Dataset(
        name, root, listing.layout, paths, _frozen(labels), classes, splits, digests,
        groups, divided, carved, listing.ignored,
    )  # fmt: skip


def _locate(source: str | Path, stop: threading.Event | None) -> tuple[Path, str]:
    path = _existing(source)
    if path is None:
        if str(source) in catalog.names():
            return catalog.locate(str(source), stop=stop), str(source)
        raise _unknown(source)
    if path.is_dir():
        return path, path.resolve().name
    if path.suffix.lower() not in MANIFEST_SUFFIXES:
        remedy = "give the folder of the images, or a table with the columns path and label"
        raise DataError("a folder or a manifest (.csv, .parquet)", f"the file {path}", remedy)
    return path, path.stem


def _existing(source: str | Path) -> Path | None:
    try:
        path = Path(source).expanduser().absolute()
        return path if str(source).strip() and path.exists() else None
    # An unknown user after `~`, a name that is too long, a folder above that may not be read.
    except (RuntimeError, OSError):
        return None


def _unknown(source: str | Path) -> DataError:
    near = catalog.nearest(str(source))
    known = f"did you mean {near!r}?" if near else f"known names: {', '.join(catalog.names())}"
    return DataError(
        "a folder, a manifest or the name of a known data set",
        f"nothing at {str(source)!r}",
        f"check the path ({known})",
    )


def _splits(
    given: tuple[str, ...],
    digests: tuple[str, ...],
    groups: tuple[str, ...] | None,
    divided: SplitSettings | None,
) -> tuple[str, ...]:
    if divided is None:
        return given
    if given:
        return carve_validation(given, digests, groups, divided)
    return assign_splits(digests, groups, divided)


def _frozen(labels: Int64[np.ndarray, "samples"]) -> Int64[np.ndarray, "samples"]:
    labels.flags.writeable = False
    return labels
