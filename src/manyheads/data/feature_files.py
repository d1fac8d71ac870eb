"""Features that were computed elsewhere: arrays, columns of a Parquet table, or a pack.

An array is mapped, not loaded, where it is float32 already. Nothing in a file is executed: arrays
of Python objects are refused. Row i belongs to row i of a table of labels, and the content of such
an "image" is the SHA-256 of its row, as float32, so that splits, folds and units work as they do
for images. A pack knows the contents of its images, so there they are the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from manyheads.core.job import SILENT, Job
from manyheads.data.array_tables import ARRAYS_SUFFIX, FEATURES, read_named
from manyheads.data.columns import DIGEST_BYTES, Digests
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.dataset import Dataset, dataset_of
from manyheads.data.feature_packs import PACK_SUFFIX, FeaturePack, is_pack, read_pack
from manyheads.data.image_groups import with_group_column
from manyheads.data.manifest import read_manifest
from manyheads.data.table_files import TABLE_SUFFIXES, TABLE_WORDS
from manyheads.data.typed_tables import parquet_errors
from manyheads.errors import DataError

Matrix = Float32[np.ndarray, "rows features"]

ARRAY_SUFFIXES = (".npy", ARRAYS_SUFFIX)
_FLOATS = ("float16", "float32", "float64")
_REMEDY = "save it with np.save(file, features.astype('float32')), one row per image"
_EXPECTED = "an array of features, [rows, features] of floats, in {}"
_AT_ONCE = 1024  # rows
_DEFAULT = SplitSettings()
_USUAL = TableSettings()


def is_array(features: Sequence[str]) -> bool:
    """Whether `features` name an array file, and no columns of the table."""
    return len(features) == 1 and features[0].lower().endswith(ARRAY_SUFFIXES)


def own_features(data: object) -> tuple[str, ...] | None:
    """The name of the features in `data` if it is a file that has its own: a pack, or a `.npz`."""
    if not isinstance(data, str | os.PathLike):
        return None
    name = os.fspath(data).lower()
    return (FEATURES,) if name.endswith((PACK_SUFFIX, ARRAYS_SUFFIX)) else None


def read_matrix(table: Path, features: Sequence[str]) -> Matrix:
    """The features, a row for each of the table's, read-only; float32, mapped where they are that.

    `features` are the path of an array, or names of columns of `table`, in which `*` stands for
    anything; of a pack there are only its own. An array that was moved together with the table is
    found beside it. Raises `DataError` for a
    file that is no array `[rows, features]` of float16, float32 or float64, and for columns that
    are missing or hold no numbers.
    """
    if is_array(features):
        file = Path(features[0]).expanduser()
        beside = table.with_name(file.name)
        return _from_array(beside if beside.is_file() and not file.exists() else file)
    if is_pack(table):
        return _single(_pack(table, features, verified=False).features)
    if table.suffix.lower() == ARRAYS_SUFFIX and len(features) == 1:
        return _checked(table, read_named(table, features[0]))
    return _from_columns(table, features)


def open_features(
    source: str | Path,
    features: Sequence[str],
    *,
    split: SplitSettings = _DEFAULT,
    columns: TableSettings = _USUAL,
    job: Job = SILENT,
) -> Dataset:
    """The rows of the table `source`, read as `columns` say, with the content of their `features`.

    Its column `label` is needed; `split`, `group` and `path`, which only names a row, are not. A
    pack has them, and the contents of its images. Raises `DataError` for a table or features that
    do not fit each other, naming the first row that is not finite, and `Interrupted` when `job` is
    stopped.
    """
    table = Path(source).expanduser().absolute()
    if is_pack(table):
        return _open_pack(table, features, split, columns, job)
    if not table.is_file() or table.suffix.lower() not in (*TABLE_SUFFIXES, ARRAYS_SUFFIX):
        raise DataError(
            f"a {TABLE_WORDS} with a label for each row of features",
            f"the folder {source}" if table.is_dir() else f"no such table at {source}",
            "write one with a column label and, if you like, split, group and path",
        )  # fmt: skip
    listing = read_manifest(table, with_group_column(columns, split), images=False)
    matrix = read_matrix(table, features)
    if len(matrix) != len(listing.paths):
        raise DataError(
            f"a row of features for each of the {len(listing.paths):,} rows of {table.name}",
            f"{len(matrix):,}", "give the features of exactly these rows, in their order",
        )  # fmt: skip
    return dataset_of(listing, table, table.stem, _digests(matrix, job), split)


def _open_pack(
    path: Path, features: Sequence[str], split: SplitSettings, columns: TableSettings, job: Job
) -> Dataset:
    pack = _pack(path, features)
    if columns.given:
        raise DataError(
            f"a {TABLE_WORDS} for `{next(iter(columns.given))}`", f"the pack {path.name}",
            "leave it out",
        )  # fmt: skip
    if pack.listing is None:
        raise DataError(
            f"labels in the pack {path}", "none: it was packed without",
            "have it packed with labels, or unpack it into the cache and train on the images",
        )  # fmt: skip
    for _ in finite_blocks(pack.features, job):
        pass
    return dataset_of(pack.listing, path, path.stem, pack.contents, split)


def _pack(path: Path, features: Sequence[str], *, verified: bool = True) -> FeaturePack:
    if tuple(features) != (FEATURES,):
        raise DataError(
            f"no other features than its own of the pack {path.name}", " ".join(features),
            "leave out `features`",
        )  # fmt: skip
    return read_pack(path, verified=verified)


def _digests(matrix: Matrix, job: Job) -> Digests:
    values = bytearray()
    for block in finite_blocks(matrix, job):
        for row in block:
            values += hashlib.sha256(row).digest()
    return Digests(np.frombuffer(bytes(values), np.uint8).reshape(-1, DIGEST_BYTES))


def finite_blocks(
    matrix: np.ndarray[Any, Any], job: Job = SILENT
) -> Iterator[np.ndarray[Any, Any]]:
    """The rows of features, some at a time.

    Raises `DataError` for the first that is not finite, and `Interrupted` when `job` is stopped.
    """
    for start in range(0, len(matrix), _AT_ONCE):
        job.check("reading the features")
        block = np.ascontiguousarray(matrix[start : start + _AT_ONCE])
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            worst = block[row][~np.isfinite(block[row])][0]
            raise DataError(
                f"finite numbers in row {start + row} of the features, counted from 0",
                f"{worst:g}", "mend that row, or take it out of the table too",
            )  # fmt: skip
        yield block


def _from_array(file: Path) -> Matrix:
    expected = _EXPECTED.format(file)
    if file.suffix.lower() == ARRAYS_SUFFIX:
        return _checked(file, read_named(file, None))
    try:
        array: Any = np.load(file, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise DataError(f"to read {file}", found, "check the path and its permissions") from error
    except (ValueError, OverflowError, EOFError, SyntaxError, TypeError) as error:
        found = " ".join(str(error).split())[:160] or "another file"
        if "pickle" in found or "Python objects" in found:
            found = "Python objects, which are not opened because they can run code"
        raise DataError(expected, found, _REMEDY) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(expected, "several arrays in one file", "name the file .npz")
    return _checked(file, array)


def _checked(file: Path, array: np.ndarray[Any, Any]) -> Matrix:
    if array.dtype.name not in _FLOATS or array.ndim != 2 or 0 in array.shape:
        shape = ", ".join(map(str, array.shape))
        raise DataError(_EXPECTED.format(file), f"{array.dtype.name} [{shape}]", _REMEDY)
    return _single(array)


def _from_columns(table: Path, features: Sequence[str]) -> Matrix:
    if table.suffix.lower() != ".parquet":
        raise DataError(
            f"an array ({', '.join(ARRAY_SUFFIXES)}) as the features of {table.name}, or columns "
            "of a Parquet table", " ".join(features),
            "name the array's file, or save the table as Parquet",
        )  # fmt: skip
    with parquet_errors(table) as parquet:
        known = parquet.read_schema(table).names
        features = [each for name in features for each in _matching(name, known)]
        missing = [name for name in features if known.count(name) != 1]
        columns = None if missing else parquet.read_table(table, columns=list(features))
    if columns is None:
        parts = [part.strip() for part in missing[0].split(",")]
        remedy = "name the columns of numbers, or one column of lists, with `features`"
        if len(parts) > 1 and set(parts) <= set(known):
            remedy = f"separate columns by spaces: `features` {' '.join(parts)}"
        raise DataError(
            f"one column {missing[0]} of features in {table}", f"{known.count(missing[0])}", remedy
        )
    parts = [_numbers(table, name, columns.column(name)) for name in features]
    return _single(np.concatenate(parts, axis=1))


def _matching(name: str, known: Sequence[str]) -> list[str]:
    """The columns of a name with `*` in it, in their order; any other name as it is."""
    if "*" not in name or name in known:
        return [name]
    return [each for each in known if fnmatchcase(each, name)] or [name]


def _numbers(table: Path, name: str, column: Any) -> np.ndarray[Any, Any]:
    """A column of numbers or of equally long lists of them, `[rows, features]`."""
    expected = f"numbers, or equally long lists of them, in every row of {name} in {table}"
    remedy = "fill it in, or name other columns with `features`"
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise DataError(expected, f"an empty cell in row {row + 1}", remedy)
    array = column.combine_chunks()
    kind = str(array.type)
    if kind.startswith(("list", "large_list", "fixed_size_list")):
        from pyarrow import compute

        lengths = compute.call_function("list_value_length", [array]).to_numpy(zero_copy_only=False)
        odd = np.flatnonzero(lengths != lengths[0])
        if len(odd):
            found = f"{lengths[odd[0]]} of them in row {odd[0] + 1}, {lengths[0]} in row 1"
            raise DataError(expected, found, remedy)
        if lengths[0] == 0:
            raise DataError(expected, "empty lists", remedy)
        array, width = array.flatten(), int(lengths[0])
    else:
        width = 1
    numbers = array.to_numpy(zero_copy_only=False) if not array.null_count else None
    if numbers is None or numbers.dtype.kind not in "fiu":
        raise DataError(expected, f"{kind} with empty entries" if numbers is None else kind, remedy)
    return numbers.reshape(-1, width)


def _single(array: np.ndarray[Any, Any]) -> Matrix:
    if array.dtype == np.dtype("<f4") and array.flags.c_contiguous:
        return array
    with np.errstate(over="ignore"):  # what becomes infinite is refused by its row
        return np.ascontiguousarray(array, "<f4")
