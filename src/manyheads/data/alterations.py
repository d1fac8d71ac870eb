"""Alterations: what is done to an image's pixels before a backbone sees them.

An alteration is a pure function of the pixels, the image's content and its own settings. So its
features are found again under its description, and the user's files stay as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

from manyheads.core.settings import plain

Pixels = UInt8[np.ndarray, "size size 3"]


class Alteration(Protocol):
    """Changes pixels, always in the same way; a frozen dataclass of plain values."""

    def __call__(self, pixels: Pixels, content: str, /) -> Pixels:
        """The altered copy of `pixels`, RGB from 0 to 255; `content` is the file's SHA-256."""
        ...


@dataclass(frozen=True)
class Altered:
    """Several alterations, one after the other."""

    steps: tuple[Alteration, ...]

    def __call__(self, pixels: Pixels, content: str, /) -> Pixels:
        for step in self.steps:
            pixels = step(pixels, content)
        return pixels


def describe(alteration: Alteration) -> dict[str, Any]:
    """An alteration in plain values: what it is, and its settings."""
    kind = type(alteration).__name__
    if isinstance(alteration, Altered):
        return {"kind": kind, "steps": [describe(step) for step in alteration.steps]}
    return {"kind": kind, **plain(alteration)}


def random_of(content: str, *purpose: object) -> np.random.Generator:
    """Numbers that a content and a purpose alone decide, on every machine."""
    text = "\0".join(map(str, (content, *purpose)))
    entropy = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
