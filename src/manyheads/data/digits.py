"""scikit-learn's handwritten digits as PNG class folders."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from manyheads.core.places import disk_errors, make_folder


def write_digits(folder: Path) -> None:
    """Write the 1,797 digits of 8 × 8 pixels, grey 0 to 255, into the folders "0" to "9".

    The bytes are the same on every machine, and with them the division by content.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    grey = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    for number, (pixels, label) in enumerate(zip(grey, labels, strict=True)):
        target = make_folder(folder / str(label)) / f"{number:04d}.png"
        with disk_errors(target):
            target.write_bytes(_png(pixels))


def _png(pixels: UInt8[np.ndarray, "rows columns"]) -> bytes:
    """A grey PNG without compression: encoders differ between versions, stored bytes do not."""
    rows, columns = pixels.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(lines), len(lines) ^ 0xFFFF) + lines
    data = stored + struct.pack(">I", zlib.adler32(lines))
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
