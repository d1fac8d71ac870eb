"""What a data set knows of each image, in a few bytes per image: names, and digests.

A column reads like a tuple and is kept as an array: a million Python objects would take hundreds
of megabytes, and many seconds of looking after them.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, SupportsIndex, TypeVar, overload

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8

Item = TypeVar("Item")
Rows = Int64[np.ndarray, "rows"]

DIGEST_BYTES = 32
_AT_ONCE = 4096


class Column(Sequence[Item]):
    """An immutable sequence that makes its items when they are asked for."""

    @abstractmethod
    def take(self, rows: Rows) -> Self:
        """The items at these indices, in their order."""

    @abstractmethod
    def _item(self, row: int) -> Item: ...

    @overload
    def __getitem__(self, index: SupportsIndex) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Item | Self:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return self._item(range(len(self))[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,}>"


class Categorical(Column[str]):
    """Few different texts, many times: `names[codes[i]]` is the text of image i."""

    def __init__(self, names: Sequence[str], codes: Int32[np.ndarray, "images"]) -> None:
        self.names, self.codes = tuple(names), frozen(codes)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Categorical:
        """The column of these texts; one that is a column already is returned as it is."""
        if isinstance(texts, Categorical):
            return texts
        writer = CategoricalWriter()
        for text in texts:
            writer.add(text)
        return writer.column()

    def where(self, name: str) -> Rows:
        """The ascending indices of the images with this text."""
        if name not in self.names:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.codes == self.names.index(name))

    def take(self, rows: Rows) -> Categorical:
        return Categorical(self.names, self.codes[rows])

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            yield from map(self.names.__getitem__, self.codes[start : start + _AT_ONCE].tolist())

    def _item(self, row: int) -> str:
        return self.names[self.codes[row]]


class CategoricalWriter:
    """Makes `Categorical` of one text after the other."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._codes = array("i")

    def add(self, text: str) -> None:
        """Append a text."""
        self._codes.append(self._numbers.setdefault(text, len(self._numbers)))

    def column(self) -> Categorical:
        """What was added; nothing may be added after that."""
        return Categorical(tuple(self._numbers), np.frombuffer(self._codes, np.int32))


class Digests(Column[str]):
    """SHA-256 in hexadecimal, one per image, kept as `values`, its 32 bytes."""

    def __init__(self, values: UInt8[np.ndarray, "images 32"]) -> None:
        self.values = frozen(np.ascontiguousarray(values))

    @classmethod
    def of(cls, texts: Iterable[str]) -> Digests:
        """The column of these digests; one that is a column already is returned as it is."""
        if isinstance(texts, Digests):
            return texts
        data = b"".join(map(bytes.fromhex, texts))
        return cls(np.frombuffer(data, np.uint8).reshape(-1, DIGEST_BYTES))

    def take(self, rows: Rows) -> Digests:
        return Digests(self.values[rows])

    def distinct(self) -> tuple[Rows, Rows]:
        """The first image of each different content, ascending, and each image's place in that.

        `digests.take(first)` are the different contents in the order in which they appear, and
        `digests == digests.take(first).take(place)`.
        """
        # Zero bytes at the end, which NumPy's strings do not tell from none, are no matter here:
        # all are equally long.
        keys = self.values.view(f"S{DIGEST_BYTES}").ravel()
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return first[order], place[inverse]

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[str]:
        width = 2 * DIGEST_BYTES
        for start in range(0, len(self), _AT_ONCE):
            text = self.values[start : start + _AT_ONCE].tobytes().hex()
            for at in range(0, len(text), width):
                yield text[at : at + width]

    def _item(self, row: int) -> str:
        return self.values[row].tobytes().hex()


def kept_rows(length: int, dropped: Iterable[int]) -> Rows:
    """The ascending indices below `length` without those that are dropped."""
    kept: Bool[np.ndarray, "rows"] = np.ones(length, bool)
    kept[np.fromiter(dropped, np.int64)] = False
    return np.flatnonzero(kept)


def frozen(values: Any) -> Any:
    """The array, which cannot be written through this view of it."""
    view = values.view()
    view.flags.writeable = False
    return view
