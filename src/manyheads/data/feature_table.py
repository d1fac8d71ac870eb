"""A data set of features that were computed elsewhere: a table of labels beside an array of rows.

Row i of the features belongs to row i of the table. The content of such an "image" is the SHA-256
of its row, as float32, so that splits, folds and units work as they do for images.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from manyheads.core.threads import check_stop
from manyheads.data.columns import DIGEST_BYTES, Digests
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.dataset import Dataset, dataset_of
from manyheads.data.feature_array import Matrix, read_matrix
from manyheads.data.manifest import read_manifest
from manyheads.data.table_files import TABLE_SUFFIXES, TABLE_WORDS
from manyheads.errors import DataError

_AT_ONCE = 1024  # rows
_DEFAULT = SplitSettings()
_USUAL = TableSettings()


def open_features(
    source: str | Path,
    features: Sequence[str],
    *,
    split: SplitSettings = _DEFAULT,
    columns: TableSettings = _USUAL,
    stop: threading.Event | None = None,
) -> Dataset:
    """The rows of the table `source`, read as `columns` say, with the content of their `features`.

    Its column `label` is needed; `split`, `group` and `path`, which only names a row, are not.
    Raises `DataError` for a table or features that do not fit each other, naming the first row
    that is not finite, and `Interrupted` when `stop` is set.
    """
    table = Path(source).expanduser().absolute()
    if not table.is_file() or table.suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(
            f"a {TABLE_WORDS} with a label for each row of features",
            f"the folder {source}" if table.is_dir() else f"no such table at {source}",
            "write one with a column label and, if you like, split, group and path",
        )  # fmt: skip
    listing = read_manifest(table, columns, images=False)
    matrix = read_matrix(table, features)
    if len(matrix) != len(listing.paths):
        raise DataError(
            f"a row of features for each of the {len(listing.paths):,} rows of {table.name}",
            f"{len(matrix):,}", "give the features of exactly these rows, in their order",
        )  # fmt: skip
    return dataset_of(listing, table, table.stem, _digests(matrix, stop), split)


def _digests(matrix: Matrix, stop: threading.Event | None) -> Digests:
    values = bytearray()
    for start in range(0, len(matrix), _AT_ONCE):
        check_stop("reading the features", stop)
        block = np.ascontiguousarray(matrix[start : start + _AT_ONCE])
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            worst = block[row][~np.isfinite(block[row])][0]
            raise DataError(
                f"finite numbers in row {start + row} of the features, counted from 0",
                f"{worst:g}", "mend that row, or take it out of the table too",
            )  # fmt: skip
        for row in block:
            values += hashlib.sha256(row).digest()
    return Digests(np.frombuffer(bytes(values), np.uint8).reshape(-1, DIGEST_BYTES))
