"""Which images train, which select and which report: decided by content, group and class.

`SplitSettings.rule` says how. "stratified" is the law of `stratified.py`, that of new studies, and
"balanced" the same with its law for large groups, that of studies with `group_by`.
Where an image may have several labels, both are the law of `iterative.py` instead.
"place" was the law before them, and studies that were begun by it keep it. An image's place in
`[0, 1)` is a function of the split seed and of its key alone, where the key is its group if it has
one and the SHA-256 of its bytes otherwise:

    place = sha256("split", seed, key) / 2²⁵⁶
    split = validation   if place < validation share
            test         if place < validation share + test share
            train        otherwise

By that law no image moves another, and a class of n images misses its share by about
√(n·share·(1 - share)).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np
from jaxtyping import Bool, Int64

from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import SplitSettings
from manyheads.data.iterative import deal
from manyheads.data.stratified import divide, joined_units

SPLITS = ("train", "validation", "test")

_DEFAULT = SplitSettings()


def place(seed: int, key: str) -> float:
    """Where `key` stands in [0, 1): uniform over keys, and the same on every machine."""
    mark = hashlib.sha256(f"split\0{seed}\0{key}".encode("utf-8", "surrogateescape"))
    # 53 bits are what a float64 holds exactly: the quotient cannot round up to 1.
    return (int.from_bytes(mark.digest()[:8], "big") >> 11) / 2**53


def assign_splits(
    labels: Int64[np.ndarray, "images"],
    digests: Sequence[str],
    groups: Sequence[str] | None = None,
    settings: SplitSettings = _DEFAULT,
    members: Bool[np.ndarray, "sets labels"] | None = None,
) -> Categorical:
    """The split of each image by the rule of `settings`; an empty group means none.

    With `members`, an image's number is that of its label set, whose labels these are.
    """
    if settings.rule == "place":
        return Categorical.of(
            _split(place(settings.seed, key), settings.validation, settings.test)
            for key in unit_keys(digests, groups)
        )
    given = None if groups is None else Categorical.of(groups)
    shares = settings.validation, settings.test
    if members is not None:
        first, content = Digests.of(digests).distinct()
        contents = Digests.of(digests).take(first)
        units, marks = joined_units(contents, content, given, settings.seed)
        parts = deal(members[np.asarray(labels)], units, marks, (1 - sum(shares), *shares))
        return Categorical(SPLITS, parts.astype(np.int32))
    found = divide(
        np.asarray(labels), Digests.of(digests), given, settings.seed, *shares,
        large_first=settings.rule == "balanced",
    )  # fmt: skip
    return Categorical(SPLITS, found.astype(np.int32))


def carve_validation(
    splits: Sequence[str],
    labels: Int64[np.ndarray, "images"],
    digests: Sequence[str],
    groups: Sequence[str] | None = None,
    settings: SplitSettings = _DEFAULT,
    members: Bool[np.ndarray, "sets labels"] | None = None,
) -> Categorical:
    """Move the validation share of the training images, by the same rule, to validation.

    The share is of what was training before, which is divided as if there were no other images; no
    image of another split moves.
    """
    splits = Categorical.of(splits)
    rows = splits.where("train")
    found = assign_splits(
        np.asarray(labels)[rows],
        Digests.of(digests).take(rows),
        None if groups is None else Categorical.of(groups).take(rows),
        replace(settings, test=0.0),
        members,
    )
    codes = np.array([SPLITS.index(name) for name in splits.names], np.int32)[splits.codes]
    codes[rows] = np.array([SPLITS.index(name) for name in found.names], np.int32)[found.codes]
    return Categorical(SPLITS, codes)


def unit_keys(digests: Sequence[str], groups: Sequence[str] | None) -> Iterator[str]:
    """What decides an image's place: its group, or else its content."""
    given = repeat("", len(digests)) if groups is None else groups
    for digest, group in zip(digests, given, strict=True):
        yield f"group\0{group}" if group else f"content\0{digest}"


def _split(place: float, validation: float, test: float) -> str:
    if place < validation:
        return "validation"
    return "test" if place < validation + test else "train"
