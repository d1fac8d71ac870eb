"""Which images train, which select and which report: decided by content, one image at a time.

The law. An image's place in `[0, 1)` is a function of the split seed and of its key alone, where
the key is its group if it has one and the SHA-256 of its bytes otherwise:

    place = sha256("split", seed, key) / 2²⁵⁶
    split = validation   if place < validation share
            test         if place < validation share + test share
            train        otherwise

Therefore adding, removing, renaming or relabelling images moves no other image; identical images
without groups, and images of one group, are never separated; a larger validation share keeps
every image that a smaller one had. Each class is divided in these shares in expectation: the
price of stability is that a class of n images misses its share by about √(n·share·(1 - share)).
Only a group can bring identical images into two splits, and `check` reports that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import repeat

from manyheads.data.columns import Names
from manyheads.data.split_names import split_name as split_name
from manyheads.settings import SplitSettings

SPLITS = ("train", "validation", "test")

_DEFAULT = SplitSettings()


def place(seed: int, key: str) -> float:
    """Where `key` stands in [0, 1): uniform over keys, and the same on every machine."""
    mark = hashlib.sha256(f"split\0{seed}\0{key}".encode("utf-8", "surrogateescape"))
    # 53 bits are what a float64 holds exactly: the quotient cannot round up to 1.
    return (int.from_bytes(mark.digest()[:8], "big") >> 11) / 2**53


def assign_splits(
    digests: Sequence[str],
    groups: Sequence[str] | None = None,
    settings: SplitSettings = _DEFAULT,
) -> Names:
    """The split of each image by the law above; an empty group means none."""
    return Names.of(
        _split(place(settings.seed, key), settings.validation, settings.test)
        for key in unit_keys(digests, groups)
    )


def carve_validation(
    splits: Sequence[str],
    digests: Sequence[str],
    groups: Sequence[str] | None = None,
    settings: SplitSettings = _DEFAULT,
) -> Names:
    """Move the validation share of the training images, by the law above, to validation.

    The share is of what was training before; no image of another split moves.
    """
    return Names.of(
        _split(place(settings.seed, key), settings.validation, 0.0) if split == "train" else split
        for split, key in zip(splits, unit_keys(digests, groups), strict=True)
    )


def unit_keys(digests: Sequence[str], groups: Sequence[str] | None) -> Iterator[str]:
    """What decides an image's place: its group, or else its content."""
    given = repeat("", len(digests)) if groups is None else groups
    for digest, group in zip(digests, given, strict=True):
        yield f"group\0{group}" if group else f"content\0{digest}"


def _split(place: float, validation: float, test: float) -> str:
    if place < validation:
        return "validation"
    return "test" if place < validation + test else "train"
