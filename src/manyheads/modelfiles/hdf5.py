"""HDF5 files held to what Keras writes: plain arrays and names, all of them in the file itself.

The format can do more: links to other files, arrays kept elsewhere or made up on reading, filters
that load libraries. Here nothing but contiguous arrays that lie in the file is read, so no more
comes out of a file than is in it. The library still crashes or hangs on some damaged files, hence
files of others are opened in a child (`untrusted.call`) only.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_OBJECTS = 50_000  # groups and arrays; the largest backbone, with its optimiser, has some 10,000
_DEEPEST = 24
_LONGEST = 1 << 24  # bytes of an attribute, of which the longest is a configuration
_NUMBERS = "fiub"


@contextmanager
def opened(file: Path | IO[bytes] | io.RawIOBase) -> Iterator[Any]:
    """Yield the root group of a file that holds what Keras writes, and no more.

    Raises `ValueError`, with a word on what is wrong, or `OSError` if it is no HDF5 file.
    """
    import h5py

    size = _size(file)
    try:
        with h5py.File(file, "r") as group:
            _check(group, size)
            yield group
    except RuntimeError as error:  # what h5py raises where the library fails without a reason
        raise ValueError(f"a damaged file ({error})") from error


def _size(file: Path | IO[bytes] | io.RawIOBase) -> int:
    if isinstance(file, Path):
        return file.stat().st_size
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _check(root: Any, size: int) -> None:
    import h5py

    low: Any = h5py  # its compiled part has no types
    waiting: list[tuple[Any, int]] = [(root, 0)]
    seen: set[int] = set()
    total = 0
    while waiting:
        entry, depth = waiting.pop()
        address = low.h5o.get_info(entry.id).addr
        if address in seen or len(seen) == _OBJECTS or depth > _DEEPEST:
            raise ValueError(f"{_name(entry)} linked twice, too deep or one of too many")
        seen.add(address)
        total += _attributes(entry)
        if isinstance(entry, h5py.Dataset):
            total += _array(entry)
        else:
            waiting += [(_child(entry, name), depth + 1) for name in _names(entry)]
        if total > size:
            raise ValueError(f"arrays of more than the {size:,} bytes of the file")


def _names(group: Any) -> list[str]:
    if len(group) > _OBJECTS:
        raise ValueError(f"{_name(group)} with {len(group):,} entries")
    return list(group)


def _child(group: Any, name: str) -> Any:
    import h5py

    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{_name(group)}/{name[:80]} as a link to elsewhere")
    child = group[name]
    if not isinstance(child, h5py.Group | h5py.Dataset):
        raise ValueError(f"{_name(group)}/{name[:80]} as neither a group nor an array")
    return child


def _attributes(entry: Any) -> int:
    """Bytes of the attributes, without reading their values."""
    import h5py

    total = 0
    for index in range(h5py.h5a.get_num_attrs(entry.id)):
        attribute = h5py.h5a.open(entry.id, index=index)
        kind = attribute.get_type()
        length = attribute.get_space().get_simple_extent_npoints() * kind.get_size()
        if not isinstance(kind, h5py.h5t.TypeStringID) and attribute.dtype.kind not in _NUMBERS:
            name = attribute.name[:80].decode(errors="replace")
            raise ValueError(f"the attribute {name} of another kind than text")
        if length > _LONGEST:
            raise ValueError(f"an attribute of {length:,} bytes")
        total += length
    return total


def _array(dataset: Any) -> int:
    """Bytes of an array that lies in the file as it is."""
    layout = dataset.id.get_create_plist()
    name = _name(dataset)
    if dataset.is_virtual or layout.get_external_count():
        raise ValueError(f"{name} kept in another file")
    if dataset.chunks is not None or layout.get_nfilters():
        raise ValueError(f"{name} in pieces or compressed, where Keras writes it as it is")
    if dataset.dtype.kind not in _NUMBERS:
        raise ValueError(f"{name} of {dataset.dtype}, which is no number")
    if dataset.id.get_storage_size() != dataset.nbytes:
        raise ValueError(f"{name} of {dataset.nbytes:,} bytes, of which the file holds others")
    return dataset.nbytes


def _name(entry: Any) -> str:
    return str(entry.name)[-120:]
