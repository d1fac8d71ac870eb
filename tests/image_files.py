"""Image files of every kind, and byte by byte those that Pillow does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

from tests.strategies import distinct_image, encoded

_SHORT, _LONG = 3, 4  # types of TIFF


def png(width: int, height: int, depth: int, colour: int, raw: bytes, extra: bytes = b"") -> bytes:
    """A PNG of rows that begin with their filter; `extra` are chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def tiff(
    pixels: bytes,
    size: tuple[int, int],
    bits: int,
    channels: int = 1,
    *,
    order: str = "<",
    white_is_zero: bool = False,
    kind: int = 1,
    opacity: int | None = None,
    zipped: bool = False,
    planes: bool = False,
) -> bytes:
    """A TIFF of one strip; `kind` 1 is unsigned, 2 signed, 3 floating-point; `order` < or >.

    `opacity` is what its fourth channel means, by TIFF's numbers.
    """
    data = zlib.compress(pixels) if zipped else pixels
    data += b"\0" * (len(data) % 2)
    photometric = 2 if channels > 2 else 0 if white_is_zero else 1
    tags: list[tuple[int, int, list[int]]] = [
        (256, _SHORT, [size[0]]), (257, _SHORT, [size[1]]), (258, _SHORT, [bits] * channels),
        (259, _SHORT, [8 if zipped else 1]), (262, _SHORT, [photometric]), (273, _LONG, [8]),
        (277, _SHORT, [channels]), (278, _SHORT, [size[1]]), (279, _LONG, [len(data)]),
        (284, _SHORT, [2 if planes else 1]),
        *([] if opacity is None else [(338, _SHORT, [opacity])]),
        (339, _SHORT, [kind] * channels),
    ]  # fmt: skip
    start = 8 + len(data)
    behind = start + 2 + 12 * len(tags) + 4
    entries, more = b"", b""
    for tag, type_, values in tags:
        body = struct.pack(f"{order}{len(values)}{'H' if type_ == _SHORT else 'I'}", *values)
        if len(body) > 4:
            body, more = struct.pack(f"{order}I", behind + len(more)), more + body
        entries += struct.pack(f"{order}HHI", tag, type_, len(values)) + body.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}I", start)
    return head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + more


def turned(orientation: int) -> bytes:
    """A photograph that its camera recorded as turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(distinct_image("a", 50).crop((0, 0, 50, 30)), "JPEG", exif=exif)


def deep(channels: int) -> bytes:
    """A PNG of 12 bits in 16."""
    values = np.random.default_rng(0).integers(0, 4096, (20, 30, channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    return png(30, 20, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], rows)


def cut_out() -> bytes:
    """An image that is transparent to many degrees."""
    opacity = distinct_image("b", 50).getchannel("R")
    return encoded(Image.merge("RGBA", [*distinct_image("a", 50).split(), opacity]))


def animation() -> bytes:
    """A GIF of two frames."""
    first, second = (distinct_image(name, 50) for name in "ab")
    return encoded(first, "GIF", save_all=True, append_images=[second])


FILES = {
    "photograph": encoded(distinct_image("a", 50), "JPEG"),
    "turned": turned(6),
    "mirrored": turned(5),
    "grey": encoded(distinct_image("a", 50).convert("L")),
    "palette": encoded(distinct_image("a", 50).convert("P"), transparency=3),
    "cut-out": cut_out(),
    "grey cut-out": encoded(distinct_image("a", 50).convert("LA")),
    "16-bit grey": deep(1),
    "16-bit grey and opacity": deep(2),
    "16-bit RGB": deep(3),
    "16-bit RGBA": deep(4),
    "CMYK": encoded(distinct_image("a", 50).convert("CMYK"), "JPEG"),
    "animation": animation(),
    "TIFF": encoded(distinct_image("a", 50), "TIFF", tiffinfo={0x0112: 6}),
}  # fmt: skip
