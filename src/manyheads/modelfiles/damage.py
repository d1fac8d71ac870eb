"""Whether a model file is cut short or damaged, told by what it says of itself.

Nothing is unpacked, and no library for HDF5 is loaded: this is asked where a digest is not the one
that was written down, to tell a damaged file from another one.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from manyheads.modelfiles import keras_archive, onnx_parts

_HDF5, _LITERT = b"\x89HDF\r\n\x1a\n", b"TFL3"
# Where a superblock of each version keeps the address of the file's end (HDF5 File Format
# Specification, section II.A).
_ENDS = {0: 40, 1: 44, 2: 28, 3: 28}


def damage(file: Path) -> str:
    """What is damaged about a model's file, in words; "" if nothing can be told."""
    if not file.is_file():
        return ""
    if not file.stat().st_size:
        return "an empty file"
    found = _CHECKS.get(file.suffix.lower())
    return "" if found is None else found(file)


def _of_archive(file: Path) -> str:
    try:
        spans = keras_archive.members(file)
        with zipfile.ZipFile(file) as archive:
            wrong = archive.testzip()
    except (ValueError, zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        return f"a damaged file ({error})"
    if wrong is not None:
        return f"a damaged file (the checksum of {wrong} is another)"
    missing = {keras_archive.CONFIG, keras_archive.WEIGHTS} - spans.keys()
    return f"a damaged file (without {min(missing)})" if missing else ""


def _of_hdf5(file: Path) -> str:
    with file.open("rb") as opened:
        start = opened.read(64)
    if not start.startswith(_HDF5):
        return "a damaged file (its first bytes are not those of HDF5)"
    place = _ENDS.get(start[8]) if len(start) > 8 else None
    if place is None or len(start) < place + 8:
        return "a damaged file (cut short)"
    (end,) = struct.unpack_from("<Q", start, place)
    size = file.stat().st_size
    return f"a damaged file (cut short: {size:,} of {end:,} bytes)" if size < end else ""


def _of_xml(file: Path) -> str:
    try:
        ElementTree.parse(file)
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError) as error:
        return f"a damaged file ({error})"
    return ""


def _of_onnx(file: Path) -> str:
    try:
        onnx_parts.read_parts(file)
    except ValueError as error:
        return f"a damaged file ({error})"
    return ""


def _of_litert(file: Path) -> str:
    with file.open("rb") as opened:
        start = opened.read(8)
    return "" if start[4:] == _LITERT else "a damaged file (its first bytes are not LiteRT's)"


_CHECKS = {
    ".keras": _of_archive, ".h5": _of_hdf5, ".xml": _of_xml, ".onnx": _of_onnx,
    ".tflite": _of_litert,
}  # fmt: skip
