"""PNG without compression: encoders differ between versions, stored bytes do not.

So the bytes of an image that is written, and what is decided by them, are the same everywhere.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from jaxtyping import Shaped

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels: grey, grey and opacity, RGB, and opacity
_MOST = 65_535  # bytes in a stored block


def stored_png(pixels: Shaped[np.ndarray, "rows columns *channels"], exif: bytes = b"") -> bytes:
    """The PNG of uint8 or uint16 pixels, `[rows, columns]` or with 1 to 4 channels, lossless.

    `exif` is what the camera recorded, without a header; empty for nothing.
    """
    rows, columns = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    lines = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).reshape(rows, -1)
    depth = 8 * pixels.dtype.itemsize
    header = struct.pack(">IIBBBBB", columns, rows, depth, _COLOUR_TYPES[channels], 0, 0, 0)
    data = b"".join(b"\0" + line.tobytes() for line in lines)
    chunks = [(b"IHDR", header), (b"eXIf", exif), (b"IDAT", _stored(data)), (b"IEND", b"")]
    written = (_chunk(kind, body) for kind, body in chunks if body or kind == b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def _stored(data: bytes) -> bytes:
    """A stream of zlib's in which nothing is compressed."""
    parts = [b"\x78\x01"]
    for start in range(0, len(data), _MOST):
        block = data[start : start + _MOST]
        last = start + _MOST >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack(">I", zlib.adler32(data))])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
