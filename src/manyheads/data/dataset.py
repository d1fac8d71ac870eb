"""A data set: where the images are, their labels, classes, splits and content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from manyheads.core.addresses import is_address, was_address
from manyheads.core.job import SILENT, Job
from manyheads.core.label_sets import LabelSets
from manyheads.core.text import counted
from manyheads.data import catalog
from manyheads.data.array_tables import ARRAYS_SUFFIX
from manyheads.data.columns import Categorical, Digests, frozen, kept_rows
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.feature_packs import PACK_SUFFIX
from manyheads.data.file_index import indexed_digests
from manyheads.data.folders import scan_folder
from manyheads.data.image_groups import with_group_column, with_groups
from manyheads.data.left_out import LeftOut
from manyheads.data.listing import Listing
from manyheads.data.manifest import read_manifest
from manyheads.data.paths import Paths
from manyheads.data.remote_path import FilePath, RemoteError, RemotePath, file_path
from manyheads.data.remote_sources import listed_once, refresh_table
from manyheads.data.splits import SPLITS, assign_splits, carve_validation
from manyheads.data.table_files import NEAR_FORMATS, TABLE_SUFFIXES, TABLE_WORDS
from manyheads.data.trainable import require_trainable
from manyheads.errors import DataError

_DEFAULT = SplitSettings()
_USUAL = TableSettings()


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images with labels, in the order of the source.

    `labels` index into the sorted `classes`; `splits` holds "train", "validation" or "test" for
    each image; `digests` are the SHA-256 of the files' bytes; an empty group means none. All
    of it takes some eighty bytes per image, and reads like tuples.
    `divided` is how images without a given split were divided, None if all were given; `carved`
    says that only validation was missing and was taken from training. Of the `layout` "features"
    there are no image files: `paths` only name the rows, and a digest is that of a row's numbers.
    `ignored` are the files and folders that were left out, with the reason of each, and `remarks`
    lines on what may not be meant; `missing` are the texts of a table that were taken for no label.
    `known_folds` are the folds, from 0, of images that a former run divided, and −1 of others.
    Where an image may have several labels, `label_names` are all of them, sorted, and a class is
    a set of them (`core.label_sets`).
    """

    name: str
    root: FilePath
    layout: str
    paths: Paths
    labels: Int64[np.ndarray, "samples"]
    classes: tuple[str, ...]
    splits: Categorical
    digests: Digests
    groups: Categorical | None = None
    divided: SplitSettings | None = None
    carved: bool = False
    ignored: LeftOut = field(default_factory=LeftOut.none)
    remarks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    known_folds: Int64[np.ndarray, "samples"] | None = None
    label_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        splits = ", ".join(f"{split} {len(self.rows(split)):,}" for split in SPLITS)
        return f"<Dataset {self.name}: {counted(len(self), 'image')}, {self.what}; {splits}>"

    @cached_property
    def label_sets(self) -> LabelSets | None:
        """Which labels each class stands for; None where an image has one class."""
        return LabelSets.of(self.label_names, self.classes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a model has an output for: each label, or each class."""
        return self.label_names or self.classes

    @property
    def what(self) -> str:
        """How many classes there are, or labels, in words."""
        return counted(len(self.outputs), "label" if self.label_names else "class")

    def counts(self, rows: Int64[np.ndarray, "rows"]) -> Int64[np.ndarray, "outputs"]:
        """How many of the images at `rows` have each class, or each label: as `outputs`."""
        if self.label_sets is not None:
            return self.label_sets.positives(self.labels[rows])
        return np.bincount(self.labels[rows], minlength=len(self.classes))

    def having(self, output: int) -> Bool[np.ndarray, "samples"]:
        """Whether an image has the class, or the label, at this place of `outputs`."""
        if self.label_sets is not None:
            return self.label_sets.members[self.labels, output]
        return self.labels == output

    def rows(self, split: str) -> Int64[np.ndarray, "rows"]:
        """The ascending indices of the images in `split`."""
        if split not in SPLITS:
            raise DataError(f"one of {', '.join(SPLITS)}", repr(split), "choose one of these")
        return self.splits.where(split)

    def name_of(self, index: int) -> str:
        """The image's path as one reads it: below the data set's folder where it lies there."""
        return self.below(self.paths.text(index))

    def below(self, path: str) -> str:
        """A path from the data set's folder, or in full if it does not lie there."""
        if is_address(path):
            return path.removeprefix(f"{self.folder}/")
        return os.path.normpath(path).removeprefix(f"{self.folder}{os.sep}")

    @property
    def folder(self) -> FilePath:
        """The data set's folder: the images' names are paths from here, or full paths."""
        return self.root.parent if self.layout in ("manifest", "features") else self.root

    @property
    def file(self) -> Path:
        """The file of a data set of features, which is never at an address."""
        assert isinstance(self.root, Path)
        return self.root

    @property
    def left_out(self) -> str:
        """What was left out, in one line with its share; empty if nothing was."""
        noun = "rows" if self.layout in ("manifest", "features") else "files"
        return self.ignored.line(len(self), noun)

    def without(self, bad: Collection[int]) -> Dataset:
        """This data set less the images at the indices `bad`; classes keep their numbers."""
        return self.taken(kept_rows(len(self), bad))

    def only(self, split: str) -> Dataset:
        """The images in `split` alone; classes keep their numbers."""
        return self.taken(self.rows(split))

    def taken(self, kept: Int64[np.ndarray, "rows"]) -> Dataset:
        """The images at the indices `kept`, in their order; classes keep their numbers."""
        return replace(
            self,
            paths=self.paths.take(kept),
            labels=frozen(self.labels[kept]),
            splits=self.splits.take(kept),
            digests=self.digests.take(kept),
            groups=None if self.groups is None else self.groups.take(kept),
            known_folds=None if self.known_folds is None else self.known_folds[kept],
        )

    def require_trainable(self) -> None:
        """Raise `DataError` unless every class can be trained on and selected by."""
        require_trainable(self)

    @cached_property
    def contents(self) -> Digests:
        """The different digests among the images', in the order in which they appear."""
        return self.digests.take(self.digests.distinct()[0])

    @cached_property
    def units(self) -> Int64[np.ndarray, "samples"]:
        """A number for each image: equal for images of one group, or else of one content.

        Such images say the same twice, so folds and resampling keep them together.
        """
        content = self.digests.distinct()[1]
        if self.groups is None:
            return content
        grouped = np.array([bool(name) for name in self.groups.names])[self.groups.codes]
        return np.where(grouped, len(content) + self.groups.codes, content)

    @cached_property
    def content(self) -> str:
        """SHA-256 over the classes and every image's bytes, label and split, in their order."""
        total = hashlib.sha256("\0".join(self.classes).encode())
        ends = [[f"\0{name}\0{split}" for split in self.splits.names] for name in self.classes]
        places = zip(self.labels.tolist(), self.splits.codes.tolist(), strict=True)
        for digest, (label, split) in zip(self.digests, places, strict=True):
            total.update(f"\n{digest}{ends[label][split]}".encode())
        return total.hexdigest()


def open_dataset(
    source: str | FilePath,
    *,
    split: SplitSettings = _DEFAULT,
    table: TableSettings = _USUAL,
    reread: bool = False,
    job: Job = SILENT,
) -> Dataset:
    """Open a folder, a manifest (a table, see `tables`) or a data set of the catalog by its name.

    A folder or a manifest may lie at an address, such as s3://bucket/photos, and so may images that
    a manifest names; its last part says which it is. Images are hashed, not decoded: a damaged one
    is met when it is used. A file whose path, size and times are those of an earlier opening is not
    hashed again, but with `reread`. Where no splits are given the images are divided by `split`;
    where only validation is missing it is carved from training. With `group_by`, `split` says
    which images belong together, whether or not splits are given. `table` says how a manifest is
    read. Raises `DataError` for a source that holds no two classes, and for addresses
    `MissingExtraError`, and `DownloadError` where the network is not to be used and something is
    not known.
    """
    root, name = _locate(source, job)
    is_table = _is_table(root)
    with nullcontext() if is_table or isinstance(root, Path) else listed_once(root.address, job):
        listing = _listed(root, table, split) if is_table else _scanned(root, table, split)
        _require_classes(listing, root)
        digests = indexed_digests(root, listing.paths, reread=reread, job=job)
    return dataset_of(listing, root, name, digests, split, job)


def _listed(root: FilePath, table: TableSettings, split: SplitSettings) -> Listing:
    return read_manifest(root, with_group_column(table, split))


def _is_table(root: FilePath) -> bool:
    """Whether it is a table: an address says it by its last part."""
    if isinstance(root, RemotePath):
        return root.suffix.lower() in TABLE_SUFFIXES
    return root.is_file()


def _scanned(root: FilePath, table: TableSettings, split: SplitSettings) -> Listing:
    if table.given:
        setting = next(iter(table.given))
        raise DataError(
            f"a {TABLE_WORDS} for `{setting}`", f"the folder {root}",
            "name the table as `data`, or leave it out",
        )  # fmt: skip
    return scan_folder(root, grouped=split.group_by is not None)


def dataset_of(
    listing: Listing,
    root: FilePath,
    name: str,
    digests: Digests,
    split: SplitSettings,
    job: Job = SILENT,
) -> Dataset:
    """The data set of a listing whose images have these `digests`, divided as `open_dataset` does.

    Raises `DataError` if there are no two classes, and what `with_groups` raises.
    """
    _require_classes(listing, root)
    listing = with_groups(listing, root, split, job)
    found = listing.labels
    classes = tuple(sorted(found.names))
    number = {label: number for number, label in enumerate(classes)}
    numbers = np.array([number[label] for label in found.names], np.int64)
    given = listing.splits
    carved = given is not None and "validation" not in given.names
    divided = split if carved or given is None else None
    labels = frozen(numbers[found.codes])
    sets = LabelSets.of(listing.label_names, classes)
    members = None if sets is None else sets.members
    splits = _splits(given, labels, digests, listing.groups, divided, members)
    return Dataset(
        name, root, listing.layout, listing.paths, labels, classes, splits,
        digests, listing.groups, divided, carved, listing.ignored, listing.remarks,
        listing.missing, label_names=listing.label_names,
    )  # fmt: skip


def _require_classes(listing: Listing, root: FilePath) -> None:
    if len(listing.label_names) == 1:
        raise DataError(
            f"two or more labels in {root}", f"one: {listing.label_names[0]!r}",
            "add images of another label, or give two classes, one label per image",
        )  # fmt: skip
    if len(listing.labels.names) < 2:
        raise DataError(
            f"two or more classes in {root}", f"one: {listing.labels[0]!r}",
            "add images of another class",
        )  # fmt: skip


def _locate(source: str | FilePath, job: Job) -> tuple[FilePath, str]:
    if is_address(str(source)):
        root = file_path(str(source))
        assert isinstance(root, RemotePath)
        return _located_elsewhere(root, job)
    path = _existing(source)
    if path is None:
        if str(source) in catalog.names():
            return catalog.locate(str(source), job=job), str(source)
        raise _unknown(source)
    if path.is_dir():
        return path, path.resolve().name
    if path.suffix.lower() not in TABLE_SUFFIXES:
        remedy = "give the folder of the images, or a table with the columns path and label"
        if path.suffix.lower() in (PACK_SUFFIX, ARRAYS_SUFFIX):
            remedy = "this takes images; a study (`features`) trains on a file of features"
        if path.suffix.lower() in NEAR_FORMATS:
            remedy = "save it as CSV, .xlsx or JSON lines, with the columns path and label"
        raise DataError(f"a folder or a {TABLE_WORDS}", f"the file {path}", remedy)
    return path, path.stem


def _located_elsewhere(root: RemotePath, job: Job) -> tuple[RemotePath, str]:
    suffix = root.suffix.lower()
    if suffix in (PACK_SUFFIX, ARRAYS_SUFFIX, *NEAR_FORMATS):
        raise DataError(
            f"a folder or a {TABLE_WORDS}",
            f"{root}",
            "give the address of a folder or such a table",
        )
    if not _is_table(root):
        return root, root.name or root.address
    try:
        refresh_table(root.address, job)
    except RemoteError as error:
        raise DataError(f"to read {root}", error.found, error.remedy) from error
    return root, root.stem


def _existing(source: str | FilePath) -> Path | None:
    try:
        path = Path(str(source)).expanduser().absolute()
        return path if str(source).strip() and path.exists() else None
    # An unknown user after `~`, a name that is too long, a folder above that may not be read.
    except (RuntimeError, OSError):
        return None


def _unknown(source: str | FilePath) -> DataError:
    if was_address(str(source)):
        return DataError(
            "an address as text", f"the path {str(source)!r}, which lacks a slash",
            "give it as text: pathlib takes a slash away",
        )  # fmt: skip
    near = catalog.nearest(str(source))
    known = f"did you mean {near!r}?" if near else f"known names: {', '.join(catalog.names())}"
    return DataError(
        "a folder, a manifest or the name of a known data set",
        f"nothing at {str(source)!r}",
        f"check the path ({known})",
    )


def _splits(
    given: Categorical | None,
    labels: Int64[np.ndarray, "samples"],
    digests: Digests,
    groups: Categorical | None,
    divided: SplitSettings | None,
    members: Bool[np.ndarray, "sets labels"] | None,
) -> Categorical:
    if given is None:
        assert divided is not None
        return assign_splits(labels, digests, groups, divided, members)
    if divided is None:
        return given
    return carve_validation(given, labels, digests, groups, divided, members)
