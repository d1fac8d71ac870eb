"""Groups of images that are derived by `group_by`: from paths, from EXIF, or from a column."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from manyheads.core.addresses import is_address
from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted, percent
from manyheads.core.threads import map_in_threads
from manyheads.data.cell_paths import Finder
from manyheads.data.columns import Categorical
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.exif_values import exif_text
from manyheads.data.group_rules import GroupRule, exif_tags, group_rule
from manyheads.data.listing import Listing
from manyheads.data.name_rules import class_name
from manyheads.data.remote_path import FilePath, file_path
from manyheads.data.table_files import TABLE_SUFFIXES, TABLE_WORDS, read_rows
from manyheads.errors import DataError

READING = "reading EXIF"
_PATH_COLUMNS = ("path", "file_name")
_TOLD = 1024  # images between two reports of progress


def with_group_column(table: TableSettings, split: SplitSettings) -> TableSettings:
    """How a table is read whose column of groups `group_by` may name.

    Raises `DataError` if the setting `group_column` names another one.
    """
    rule = _rule(split)
    if rule is None or rule.kind != "column":
        return table
    if table.group_column not in (None, rule.text):
        raise DataError(
            "one column of groups", f"`group_by` {rule.text} and `group_column` "
            f"{table.group_column}", "leave out one of them",
        )  # fmt: skip
    return replace(table, group_column=rule.text)


def with_groups(
    listing: Listing, root: FilePath, split: SplitSettings, job: Job = SILENT
) -> Listing:
    """The images of `listing` in the groups that the `group_by` of `split` means.

    `root` is the folder or the table that was listed. Without `group_by` it is returned as it is.
    An image that the rule says nothing of has no group. What came of it is added to the remarks.
    Raises `DataError` for a rule that gives no image a group, all images one, or each class its own
    group; for EXIF of rows of features; and `Interrupted` when `job` is stopped.
    """
    rule = _rule(split)
    if rule is None:
        return listing
    if rule.kind == "column":
        if listing.layout in ("manifest", "features"):
            if listing.groups is None:  # the column is there, or reading the table had failed
                raise _none(rule, root, "an empty column")
            groups = listing.groups
        else:
            groups = _of_sidecar(listing, root, rule.text)
    elif rule.kind == "exif":
        groups = _of_exif(listing, rule.text, job)
    else:
        groups = _of_paths(listing, root, rule)
    _require_useful(groups, listing, root, rule)
    remarks = [*listing.remarks, _remark(groups, rule)]
    if listing.groups is not None and rule.kind != "column":
        remarks.append(f"the groups of {root.name} are replaced by those of {_words(rule)}")
    return replace(listing, groups=groups, remarks=tuple(remarks))


def _rule(split: SplitSettings) -> GroupRule | None:
    return None if split.group_by is None else group_rule(split.group_by)


def _words(rule: GroupRule) -> str:
    return f"`group_by` {rule.setting}"


def _below(listing: Listing, root: FilePath) -> Iterator[str]:
    """The images' paths below the data, or in full if they do not lie there; with / everywhere."""
    folder = root.parent if listing.layout in ("manifest", "features") else root
    begin = f"{str(folder).replace(os.sep, '/').rstrip('/')}/"
    for text in listing.paths.texts():
        path = text if is_address(text) else os.path.normpath(text).replace(os.sep, "/")
        yield path.removeprefix(begin)


def _of_paths(listing: Listing, root: FilePath, rule: GroupRule) -> Categorical:
    if rule.kind == "parent":
        found = zip(_below(listing, root), listing.labels, strict=True)
        return Categorical.of(_parent(path, label) for path, label in found)
    pattern = re.compile(rule.text)
    return Categorical.of(_matched(pattern, path) for path in _below(listing, root))


def _parent(path: str, label: str) -> str:
    folder = path.rpartition("/")[0].rpartition("/")[2]
    # The folder of a class divides nothing: images that lie directly in it have no group.
    return "" if class_name(folder) == label else folder


def _matched(pattern: re.Pattern[str], path: str) -> str:
    found = pattern.search(path)
    return "" if found is None else "/".join(part for part in found.groups() if part)


def _of_exif(listing: Listing, tag: str, job: Job) -> Categorical:
    if listing.layout == "features":
        raise DataError(
            f"images, for `group_by` EXIF:{tag}", "rows of features",
            "name the column of the groups",
        )  # fmt: skip
    texts, paths = [], (file_path(text) for text in listing.paths.texts())
    read = partial(exif_text, tag=exif_tags()[tag])
    for text in map_in_threads(read, paths, what=READING, job=job):
        texts.append(text)
        if len(texts) % _TOLD == 0 or len(texts) == len(listing.paths):
            job.progress(READING, len(texts), len(listing.paths))
    return Categorical.of(texts)


def _of_sidecar(listing: Listing, root: FilePath, column: str) -> Categorical:
    """The groups that the only table with this column in the folder `root` gives."""
    if not isinstance(root, Path):
        raise DataError(
            f"a table for `group_by` {column}", f"the folder {root}",
            "give a table of the images, or group by parent or by a regular expression",
        )  # fmt: skip
    tables = [(file, _headers(file)) for file in sorted(root.iterdir()) if _is_table(file)]
    found = [(file, names) for file, names in tables if column in names]
    if len(found) != 1:
        kinds = f"one {TABLE_WORDS} with the columns path and {column} in {root}"
        seen = f"{len(found)} of them" if found else "none"
        if tables and not found:
            seen = f"{tables[0][0].name} with the columns {', '.join(tables[0][1])[:160]}"
        raise DataError(
            f"{kinds}, for `group_by` {column}", seen,
            "name another column, or give a regular expression with parentheses",
        )  # fmt: skip
    file, names = found[0]
    path = next((name for name in _PATH_COLUMNS if name in names), _PATH_COLUMNS[0])
    settings, groups = TableSettings(path_column=path, group_column=column), {}
    finder = Finder(file, settings)
    for row in read_rows(file, settings, ("path",)):
        place = finder.find(row.cells["path"], row.number)
        if place is not None:
            groups[os.path.normpath(place[0])] = row.cells["group"].strip()
    return Categorical.of(groups.get(os.path.normpath(text), "") for text in listing.paths.texts())


def _is_table(file: Path) -> bool:
    return file.suffix.lower() in TABLE_SUFFIXES and file.is_file()


def _headers(file: Path) -> list[str]:
    header: list[str] = []
    next(read_rows(file, TableSettings(), (), header), None)
    return header


def _none(rule: GroupRule, root: FilePath, found: str) -> DataError:
    remedy = {
        "parent": "put the images of a group into a folder of its own, in the class folder",
        "regex": "correct the expression, which is searched in such paths",
        "exif": "choose another tag, or group by folders: what edits images often takes EXIF away",
        "column": "fill it in, or name another",
    }
    return DataError(
        f"groups of images in {root} by {_words(rule)}", found, remedy[rule.kind]
    )  # fmt: skip


def _require_useful(groups: Categorical, listing: Listing, root: FilePath, rule: GroupRule) -> None:
    codes, labels = groups.codes, listing.labels.codes
    named = np.array([bool(name) for name in groups.names])[codes]
    first = next(_below(listing, root))
    if not named.any():
        raise _none(rule, root, f"none for any of {counted(len(codes), 'image')}, such as {first}")
    used = np.unique(codes)
    if len(used) == 1:
        raise _none(rule, root, f"one for all images, {groups.names[used[0]]!r}")
    pairs = np.unique(np.stack([codes, labels]), axis=1)
    if named.all() and pairs.shape[1] == len(used) == len(np.unique(labels)):
        raise _none(rule, root, f"the classes themselves, such as {groups.names[used[0]]!r}")


def _remark(groups: Categorical, rule: GroupRule) -> str:
    sizes = np.bincount(groups.codes, minlength=len(groups.names))
    named = np.array([bool(name) for name in groups.names])
    largest = int(np.argmax(np.where(named, sizes, -1)))
    number = int((named & (sizes > 0)).sum())
    text = (
        f"{counted(number, 'group')} by {rule.setting}, the largest, {groups.names[largest]}, with "
        f"{percent(sizes[largest] / len(groups))} of the images"
    )
    without = int(sizes[~named].sum())
    return f"{text}; {counted(without, 'image')} without a group" if without else text
