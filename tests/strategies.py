"""What tests are made of: generated images, and hypothesis strategies."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from hypothesis import strategies as st
from PIL import Image


def distinct_image(name: str, size: int = 8) -> Image.Image:
    """An RGB image of noise that `name` alone decides."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """The image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def digests(min_size: int = 0, max_size: int = 60) -> st.SearchStrategy[list[str]]:
    """Digests of many images, some of them identical."""
    numbers = st.integers(0, 200)
    one = numbers.map(lambda number: hashlib.sha256(str(number).encode()).hexdigest())
    return st.lists(one, min_size=min_size, max_size=max_size)


def shares() -> st.SearchStrategy[float]:
    """A share of validation or of test."""
    return st.floats(0.0, 0.5)


def seeds() -> st.SearchStrategy[int]:
    """A split seed."""
    return st.integers(0, 2**31 - 1)


def class_names() -> st.SearchStrategy[str]:
    """A class name as a manifest may hold it: spaces inside, emoji, slashes, quotes, commas."""
    letters = st.characters(exclude_categories=("Cs", "Cc"))
    return st.text(letters, min_size=1, max_size=12).map(str.strip).filter(bool)


@st.composite
def valid_images(draw: st.DrawFn) -> bytes:
    """The bytes of a small valid image in one of the formats and modes that are supported."""
    format, modes = draw(
        st.sampled_from(
            [
                ("PNG", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"]),
                ("JPEG", ["RGB", "L", "CMYK"]),
                ("WEBP", ["RGB", "RGBA"]),
                ("BMP", ["RGB", "L", "P", "1", "RGBA"]),
                ("GIF", ["RGB", "L", "P", "1"]),
                ("TIFF", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"]),
                ("AVIF", ["RGB", "RGBA", "L"]),
            ]
        )
    )
    mode = draw(st.sampled_from(modes))
    width, height = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    noise = distinct_image(f"{draw(st.integers(0, 9))}", 20).crop((0, 0, width, height))
    if mode == "I;16":
        grey = np.asarray(noise.convert("L")).astype(np.uint16) * 257
        return encoded(Image.fromarray(grey), format)
    return encoded(noise.convert(mode), format)


@st.composite
def mutated_images(draw: st.DrawFn) -> bytes:
    """A valid image with bytes changed, cut off, put in or repeated."""
    data = bytearray(draw(valid_images()))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at:]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        else:
            data[at:at] = data[at : at + draw(st.integers(0, 40))]
    return bytes(data)


@st.composite
def labelled_logits(draw: st.DrawFn, largest: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits `[samples, classes]` from -largest to largest, and a label for each sample."""
    samples, classes = draw(st.integers(1, 5)), draw(st.integers(2, 6))
    logits = st.floats(-float(np.float32(largest)), float(np.float32(largest)), width=32)
    rows = draw(st.lists(logits, min_size=samples * classes, max_size=samples * classes))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=samples, max_size=samples))
    return np.array(rows, np.float32).reshape(samples, classes), np.array(labels)
