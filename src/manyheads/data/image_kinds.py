"""Which kind of image a file holds, by its first bytes, and which kinds are read here."""

from __future__ import annotations

import importlib.util
import re
import struct
from functools import cache

FIRST_BYTES = 4096
"""How much of a file is enough to know its kind."""

PLAIN_KINDS = ("JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF")
"""Kinds that are read on every machine; AVIF and HEIC need more, see `obstacle`."""

NEEDED = {"AVIF": "pip install --upgrade pillow", "HEIC": "pip install 'manyheads[heif]'"}
"""What makes other kinds readable, where they are not."""

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"8BPS", "PSD"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),
    (b"IIRS", "RAW"),
    (b"MMOR", "RAW"),
    (b"IIU\0", "RAW"),
    (b"FOVb", "RAW"),
    (b"\0MRM", "RAW"),
    (b"gimp xcf", "XCF"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"DDS |\0\0\0", "DDS"),
    (b"SIMPLE  =", "FITS"),
)
_BRANDS = (  # of a file in the form of MP4, the telling ones first
    ((b"avif", b"avis"), "AVIF"),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC"),
    ((b"crx ",), "RAW"),
    ((b"mif1", b"msf1"), "HEIC"),
)
_TIFF_STARTS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "", b"MM\0+": ""}
_SVG = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE\s+svg|<svg[\s>])", re.S)
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head)[\s>]", re.S | re.I)
_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def image_kind(first_bytes: bytes) -> str | None:
    """The kind of image that begins with `first_bytes` (`FIRST_BYTES` of them, or the whole file).

    One of `PLAIN_KINDS`, `AVIF`, `HEIC`, or a kind that is not read, such as `RAW`, `SVG`, `PSD`
    and `JPEG XL`; None for what is no image. Only the beginning is looked at: the rest may be
    damaged.
    """
    data = first_bytes
    for start, kind in _STARTS:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:4] in _TIFF_STARTS:
        return _tiff_kind(data)
    if data[4:8] == b"ftyp":
        return _brand_kind(data)
    if data[6:14] == b"HEAPCCDR":
        return "RAW"
    if data[128:132] == b"DICM":
        return "DICOM"
    if _is_bmp(data):
        return "BMP"
    if _SVG.match(data.removeprefix(b"\xef\xbb\xbf")):
        return "SVG"
    return "PNM" if re.match(rb"P[1-6][ \t\r\n]+(?:#[^\n]*\n\s*)*\d+\s+\d+\s", data) else None


def is_web_page(first_bytes: bytes) -> bool:
    """Whether a file that begins so is HTML: what a server sends in place of a file, as a rule."""
    return _PAGE.match(first_bytes.removeprefix(b"\xef\xbb\xbf")) is not None


def obstacle(kind: str) -> str | None:
    """What to do before images of this kind can be read here: None if they can, "" if nothing."""
    if kind in PLAIN_KINDS:
        return None
    if kind in NEEDED:
        reads = {"HEIC": _reads_heic, "AVIF": _reads_avif}[kind]
        return None if reads() else NEEDED[kind]
    return "save them as JPEG, PNG or TIFF"


@cache
def _reads_heic() -> bool:
    return importlib.util.find_spec("pillow_heif") is not None


@cache
def _reads_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


def _brand_kind(data: bytes) -> str | None:
    length = min(int.from_bytes(data[:4], "big"), len(data))
    brands = {data[at : at + 4] for at in (8, *range(16, length - 3, 4))}
    return next((kind for names, kind in _BRANDS if brands & set(names)), None)


def _tiff_kind(data: bytes) -> str:
    """A TIFF, or a camera's raw image in that form, of which other readers see a thumbnail."""
    if data[8:10] == b"CR":
        return "RAW"
    order = _TIFF_STARTS[data[:4]]
    if not order:
        return "TIFF"
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        for field in range(count):
            tag, form, _, value = struct.unpack_from(f"{order}HHII", data, at + 2 + 12 * field)
            if form == 3 and order == ">":
                value >>= 16
            if tag == _DNG_VERSION or (tag == _NEW_SUBFILE_TYPE and value & 1):
                return "RAW"
    except struct.error:
        pass
    return "TIFF"


def _is_bmp(data: bytes) -> bool:
    return (
        data[:2] == b"BM"
        and len(data) >= 18
        and int.from_bytes(data[14:18], "little") in _BMP_HEADERS
    )
