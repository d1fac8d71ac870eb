"""Labelled images as programs have them: tables, pairs, and data sets of other libraries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as PillowImage

from manyheads.core.label_sets import JOINER, set_text
from manyheads.core.text import counted
from manyheads.data.data_settings import TableSettings
from manyheads.data.duck_typing import as_array, column_names, column_values
from manyheads.data.several_labels import LabelCells
from manyheads.data.split_names import split_name
from manyheads.data.table_files import ROLES, TableRow, cell_text, columns_of
from manyheads.errors import DataError

DATA_WORDS = (
    "a folder, a manifest or the name of a known data set; a data frame with the columns path and "
    "label; pairs (image, label), or (images, labels); a data set of PyTorch, Keras or Hugging "
    "Face; or a dictionary of these by split"
)
"""What a whole data set may be given as."""

_TABLE = "the table"


class LabelledImage(NamedTuple):
    """An image, as a path or in memory, and the texts that a manifest has of it."""

    image: Any
    label: str
    split: str = ""
    group: str = ""


def labelled_images(
    given: Any, table: TableSettings, required: Sequence[str] = ("path", "label")
) -> Iterator[LabelledImage]:
    """The images of what is given as one of `DATA_WORDS`, but for a text, in their order.

    `table` names the columns of a table, of which those that are `required` must be there. A number
    as a label is the class's name where the data set has `classes` or `class_names`. Raises
    `DataError` for what is none of these, a missing column or a label that is not one class. A list
    of texts as a label is a label set (`SeveralLabels`).
    """
    if isinstance(given, Mapping) and given and all(map(_is_split, given)):
        for split, part in given.items():
            found = labelled_images(part, table, required)
            yield from (each._replace(split=str(split)) for each in found)
        return
    names = column_names(given)
    if names is not None:
        yield from _of_table(given, names, table, required)
        return
    label = _label_reader(getattr(given, "classes", None) or getattr(given, "class_names", None))
    if isinstance(given, tuple) and len(given) == 2 and all(map(_is_sequence, given)):
        yield from _paired(*given, label)
        return
    for place, sample in enumerate(_samples(given)):
        if isinstance(sample, Mapping):
            yield from _of_record(sample, table, required, label)
            continue
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            raise _no_pair(sample, place)
        image, value = as_array(sample[0]), sample[1]
        if isinstance(image, np.ndarray) and image.ndim == 4:  # a batch
            yield from _paired(image, value, label)
        else:
            yield LabelledImage(image, label(value))


def _is_split(key: Any) -> bool:
    return isinstance(key, str) and split_name(key) is not None


def _is_sequence(given: Any) -> bool:
    """Whether this is several images or labels, and not one."""
    texts = str | bytes | bytearray | Mapping | PillowImage.Image
    given = as_array(given)
    if isinstance(given, np.ndarray):
        return given.ndim > 0
    return not isinstance(given, texts) and hasattr(given, "__len__")


def _paired(images: Any, labels: Any, label: Callable[[Any], str]) -> Iterator[LabelledImage]:
    images, labels = as_array(images), as_array(labels)
    if len(images) != len(labels):
        raise DataError(
            "a label for each image",
            f"{counted(len(images), 'image')} and {counted(len(labels), 'label')}",
            "give as many labels as images",
        )
    yield from (LabelledImage(*pair) for pair in zip(images, map(label, labels), strict=True))


def _samples(given: Any) -> Iterable[Any]:
    # A data set of PyTorch may have places and a length, and no end where one goes on and on.
    if hasattr(given, "__getitem__") and hasattr(given, "__len__"):
        if not isinstance(given, str | bytes | np.ndarray | PillowImage.Image):
            return (given[place] for place in range(len(given)))
    elif isinstance(given, Iterable):
        return given
    raise DataError(DATA_WORDS, type(given).__name__, "give one of these")


def _no_pair(sample: Any, place: int) -> DataError:
    if isinstance(sample, str | os.PathLike):
        found, remedy = f"the path {str(sample)!r} alone", "give (paths, labels)"
    else:
        found, remedy = f"{type(sample).__name__} as sample {place}", "give one of these"
    return DataError(DATA_WORDS, found, remedy)


def _of_table(
    given: Any, names: list[str], table: TableSettings, required: Sequence[str]
) -> Iterator[LabelledImage]:
    features = getattr(given, "features", None)
    if not isinstance(features, Mapping):
        columns = _columns(names, table, required)
        values = [column_values(given, names[place]) for place in columns.values()]
        for row in zip(*values, strict=True):
            yield _row(dict(zip(columns, row, strict=True)), _label_reader(None), table)
        return
    # Of Hugging Face: a row at a time, because each access to a column decodes all its images.
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    table = _by_kind(table, names, kinds)
    columns = _columns(names, table, required)
    of = features.get(names[columns["label"]]) if "label" in columns else None
    label = _label_reader(getattr(of, "names", None))
    for record in _undecoded(given, names[columns["path"]], kinds) if "path" in columns else given:
        yield _row({role: record[names[place]] for role, place in columns.items()}, label, table)


def _undecoded(given: Any, name: str, kinds: dict[str, str]) -> Iterable[Any]:
    """The data set with the files of its images as they are, where it can give them."""
    if kinds.get(name) != "Image" or not callable(getattr(given, "cast_column", None)):
        return given
    return given.cast_column(name, type(given.features[name])(decode=False))


def _by_kind(table: TableSettings, names: list[str], kinds: dict[str, str]) -> TableSettings:
    """Settings with the only column of images and the only one of classes, if none is named."""
    for role, kind in (("path", "Image"), ("label", "ClassLabel")):
        found = [name for name in names if kinds.get(name) == kind]
        if len(found) == 1 and role not in names and getattr(table, f"{role}_column") is None:
            table = replace(table, **{f"{role}_column": found[0]})
    return table


def _of_record(
    record: Mapping[Any, Any],
    table: TableSettings,
    required: Sequence[str],
    label: Callable[[Any], str],
) -> Iterator[LabelledImage]:
    names = list(map(str, record))
    columns, values = _columns(names, table, required), list(record.values())
    yield _row({role: values[place] for role, place in columns.items()}, label, table)


def _columns(names: list[str], table: TableSettings, required: Sequence[str]) -> dict[str, int]:
    return columns_of(_TABLE, names, table, required)


def _row(cells: dict[str, Any], label: Callable[[Any], str], table: TableSettings) -> LabelledImage:
    split, group = (_text(cells[role]) if role in cells else "" for role in ROLES[2:])
    image = cells.get("path")
    if isinstance(image, Mapping) and image.keys() >= {"bytes", "path"}:  # as Hugging Face has it
        image = image["bytes"] or image["path"]
    if table.several_labels:
        return LabelledImage(image, _of_cells(cells, table), split, group)
    return LabelledImage(image, label(cells["label"]), split, group)


class SeveralLabels(str):
    """The text of a label set, where a list of labels was given."""

    __slots__ = ()


def _label_reader(classes: Any) -> Callable[[Any], str]:
    """What makes the text of a label; a whole number is the place of one of the `classes`.

    A list of texts, or a set, is a label set.
    """
    names = list(map(str, classes)) if isinstance(classes, list | tuple) else []

    def read(value: Any) -> str:
        if (several := _several(value)) is not None:
            return several
        value = _scalar(value)
        if not names or isinstance(value, bool) or not isinstance(value, int):
            return _text(value)
        if not -1 <= value < len(names):
            raise DataError(f"a class from 0 to {len(names) - 1}", str(value), "correct the label")
        return names[value] if value >= 0 else ""  # -1: Hugging Face's for none that is known

    return read


def _several(value: Any) -> SeveralLabels | None:
    """The label set that a list, a tuple, a set or an array of texts is; None for all else."""
    value = as_array(value)
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "UO":
        value = value.tolist()
    if not isinstance(value, list | tuple | set | frozenset):
        return None
    if not all(isinstance(each, str) for each in value):
        raise DataError(
            "the names of an image's labels as a list", repr(value)[:80],
            "give texts, or a table with a column of 0 and 1 for each label and `label_columns`",
        )  # fmt: skip
    for each in value:
        if JOINER in each or not each.strip():
            raise DataError(f"labels without {JOINER!r}, none empty", repr(each), "rename it")
    return SeveralLabels(set_text(each.strip() for each in value))


def _of_cells(cells: dict[str, Any], table: TableSettings) -> str:
    """The label set of a row of a table with several labels."""
    several = None if "label" not in cells else _several(cells["label"])
    if several is not None:
        return several
    texts = {role: _text(value) for role, value in cells.items() if role != "path"}
    return SeveralLabels(LabelCells(_TABLE, table).text(TableRow(0, texts)))


def _scalar(value: Any) -> Any:
    value = as_array(value)
    if not isinstance(value, np.ndarray | np.generic):
        return value
    if value.size != 1:
        raise DataError(
            "one class as the label of an image", f"{value.dtype} {list(value.shape)}",
            "give its name or its number; of one-hot labels, labels.argmax(axis=1)",
        )  # fmt: skip
    return value.item()


def _text(value: Any) -> str:
    try:
        return cell_text(value)
    except ValueError as error:
        raise DataError("one text or number as a label", str(error), "give one class") from error
