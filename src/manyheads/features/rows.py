"""Rows of features in a file: written whole and flushed, read in blocks, held to checksums."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt32

from manyheads.core.settings import choice
from manyheads.errors import SettingError

_TYPES = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2")}
STORAGES = tuple(_TYPES)

_BLOCK = 256  # rows read at once, at most, when their checksums are compared
_BYTES = 1 << 24  # and bytes, because the rows of feature maps are long
_GAP = 4  # rows that are read in vain rather than skipped


def type_of(storage: str) -> np.dtype:
    """The type of the numbers in a file of this `storage`; raises `SettingError` for no such."""
    return _TYPES[choice("storage", storage, STORAGES)]


def as_stored(
    features: Float32[np.ndarray, "rows *grid features"], storage: str
) -> Float[np.ndarray, "rows *grid features"]:
    """`features` as they come to be in the file.

    Raises `SettingError` for numbers that are too large for half precision: they would become
    infinite, and every head on them worthless.
    """
    most, largest = np.finfo(_TYPES[storage]).max, np.abs(features).max(initial=0)
    if np.isfinite(largest) and largest > most:
        raise SettingError(
            f"features up to {most:g}, the most that the storage {storage} holds",
            f"one of {largest:.6g}",
            "keep them with the storage f32",
        )
    return np.ascontiguousarray(features, _TYPES[storage])


def checksum(content: str, row: bytes | memoryview) -> int:
    """The CRC-32 of the content and its row: a row is not taken for another content's either."""
    return zlib.crc32(row, zlib.crc32(content.encode()))


def write(file: Any, offset: int, data: bytes) -> None:
    """Write all of `data` and have it on the disk."""
    view, done = memoryview(data), 0
    file.seek(offset)
    while done < len(data):
        done += file.write(view[done:])
    os.fsync(file.fileno())


def damaged(
    file: Any,
    stride: int,
    contents: Sequence[str],
    rows: Int64[np.ndarray, "contents"],
    checksums: UInt32[np.ndarray, "contents"],
) -> Iterator[int]:
    """The indices of the contents whose rows, of `stride` bytes, are not as they were written.

    A row of -1 is none, and not damaged. What is in memory at once is bounded.
    """
    order = np.argsort(rows, kind="stable")
    stored = order[np.searchsorted(rows[order], 0) :]
    most = min(_BLOCK, max(1, _BYTES // max(1, stride)))
    for block in _blocks(stored, rows, most):
        first, last = int(rows[block[0]]), int(rows[block[-1]])
        data = _read(file, first * stride, (last - first + 1) * stride)
        places: list[int] = block.tolist()
        starts: list[int] = ((rows[block] - first) * stride).tolist()
        expected: list[int] = checksums[block].tolist()
        for index, start, wanted in zip(places, starts, expected, strict=True):
            if checksum(contents[index], data[start : start + stride]) != wanted:
                yield index


def _blocks(
    order: Int64[np.ndarray, "stored"], rows: Int64[np.ndarray, "contents"], most: int
) -> Iterator[Int64[np.ndarray, "block"]]:
    """`order` in pieces that are read at once: close together, and no more than `most` rows."""
    ordered = rows[order]
    apart = (np.diff(ordered) > _GAP) | (np.diff(ordered // most) > 0)
    cuts = [0, *(np.flatnonzero(apart) + 1).tolist(), len(order)]
    return (order[start:end] for start, end in pairwise(cuts) if end > start)


def _read(file: Any, offset: int, size: int) -> memoryview:
    data = bytearray(size)
    view, done = memoryview(data), 0
    file.seek(offset)
    while done < size and (count := file.readinto(view[done:])):
        done += count
    return view[:done]
