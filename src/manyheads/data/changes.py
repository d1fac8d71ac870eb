"""What has changed between two states of a data set, image by image, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import UInt8

from manyheads.core.text import counted
from manyheads.data.columns import Categorical
from manyheads.data.dataset import Dataset

KEPT_BYTES = 16  # of a digest; that two of 10⁹ images agree in so many has a chance of 10⁻²⁰
_NAMED = 3  # images of each kind of change


@dataclass(frozen=True)
class Listed:
    """Images by name, the beginning of their digest, label and split, in the data set's order."""

    names: Sequence[str]
    digests: UInt8[np.ndarray, "images 16"]
    labels: Categorical
    splits: Categorical

    @classmethod
    def of(cls, dataset: Dataset) -> Listed:
        """The images of a data set."""
        return cls(
            [dataset.name_of(index) for index in range(len(dataset))],
            np.ascontiguousarray(dataset.digests.values[:, :KEPT_BYTES]),
            Categorical(dataset.classes, dataset.labels.astype(np.int32)),
            dataset.splits,
        )

    @property
    def keys(self) -> list[bytes]:
        """The digests, to be compared."""
        return [row.tobytes() for row in self.digests]


class ImagePair(NamedTuple):
    """The places of an image before and now."""

    before: int
    now: int


@dataclass(frozen=True, eq=False)
class Changes:
    """What made `now` of `before`, image by image, known again by its content or else by its name.

    `same` are the pairs of one content, `replaced` those of one name with other content; `removed`
    are places among the images before, `added` among those now.
    """

    before: Listed
    now: Listed
    same: Sequence[ImagePair]
    replaced: Sequence[ImagePair]
    removed: Sequence[int]
    added: Sequence[int]

    @classmethod
    def between(cls, before: Listed, now: Listed) -> Self:
        """What made `now` of `before`."""
        return cls(before, now, *_matched(before, now))

    @cached_property
    def renamed(self) -> dict[str, str]:
        """Classes that are called otherwise now: the present name by the former."""
        labels, others = list(self.before.labels), list(self.now.labels)
        pairs = [(labels[i], others[j]) for i, j in self._pairs]
        return _renamed_classes(pairs, self.before, self.now)

    @cached_property
    def relabelled(self) -> list[ImagePair]:
        """Images under another label, but for those of a class that was renamed."""
        labels, others = list(self.before.labels), list(self.now.labels)
        return [
            ImagePair(i, j)
            for i, j in self._pairs
            if labels[i] != others[j] and self.renamed.get(labels[i]) != others[j]
        ]

    @property
    def new_classes(self) -> dict[str, int]:
        """Classes that there are only now, by name, with how many images each has."""
        known = {*self._names(self.before), *self.renamed.values()}
        counts = self._counts(self.now)
        return {each: counts[each] for each in self._names(self.now) if each not in known}

    @property
    def gone_classes(self) -> list[str]:
        """Classes that there were only before, by name."""
        left = {*self._names(self.now), *self.renamed}
        return [each for each in self._names(self.before) if each not in left]

    @property
    def any_content(self) -> bool:
        """Whether images or labels have changed, not only names, places and splits."""
        changed = (self.added, self.removed, self.replaced, self.relabelled, self.renamed)
        return any(map(len, changed))

    @property
    def _pairs(self) -> list[ImagePair]:
        return [*self.same, *self.replaced]

    def _counts(self, listed: Listed) -> Counter[str]:
        """How many images have each class."""
        return Counter(listed.labels)

    def _names(self, listed: Listed) -> list[str]:
        """All classes, sorted."""
        return sorted(listed.labels.names)


def changes_words(before: Listed, now: Listed) -> str:
    """What made `now` of `before`: how many images of each kind of change, and the first names.

    An image is known again by its content, or else by its name.
    """
    found = Changes.between(before, now)
    same, replaced = found.same, found.replaced
    if not same and not replaced:
        return (
            f"another data set: none of its {counted(len(before.names), 'image')} is among the "
            f"{len(now.names):,} there"
        )
    labels, other_labels = list(before.labels), list(now.labels)
    splits, other_splits = list(before.splits), list(now.splits)
    relabelled = [
        f"{before.names[i]} ({labels[i]} → {other_labels[j]})" for i, j in found.relabelled
    ]
    moved = [
        f"{before.names[i]} ({splits[i]} → {other_splits[j]})"
        for i, j in [*same, *replaced]
        if splits[i] != other_splits[j]
    ]
    words = [
        *_some("added", [now.names[j] for j in found.added]),
        *_some("removed", [before.names[i] for i in found.removed]),
        *_some("with other content", [before.names[i] for i, _ in replaced]),
        *_some("with another label", relabelled),
        *_some("in another split", moved),
        *(f"class {old!r} is now called {new!r}" for old, new in found.renamed.items()),
    ]
    if words:
        return ", ".join(words)
    others = [
        f"{before.names[i]} → {now.names[j]}" for i, j in same if before.names[i] != now.names[j]
    ]
    return ", ".join(_some("renamed", others)) or "the same images in another order"


def _matched(
    before: Listed, now: Listed
) -> tuple[list[ImagePair], list[ImagePair], list[int], list[int]]:
    """Pairs of the same content, pairs of the same name only, what is gone, and what is new."""
    keys, other_keys = before.keys, now.keys
    place = {name: row for row, name in enumerate(now.names)}
    same: list[ImagePair] = []
    left: list[int] = []
    for row, name in enumerate(before.names):
        other = place.get(name)
        if other is not None and keys[row] == other_keys[other]:
            same.append(ImagePair(row, other))
        else:
            left.append(row)
    taken = {pair.now for pair in same}
    by_key: defaultdict[bytes, list[int]] = defaultdict(list)
    for row in reversed(range(len(now.names))):
        if row not in taken:
            by_key[other_keys[row]].append(row)
    replaced: list[ImagePair] = []
    removed: list[int] = []
    lost: list[int] = []
    for row in left:
        if found := by_key.get(keys[row]):
            same.append(ImagePair(row, found.pop()))
        else:
            lost.append(row)
    free = {row for rows in by_key.values() for row in rows}
    for row in lost:
        other = place.get(before.names[row])
        if other is not None and other in free:
            replaced.append(ImagePair(row, other))
            free.remove(other)
        else:
            removed.append(row)
    return same, replaced, removed, sorted(free)


def _renamed_classes(
    changes: Iterable[tuple[str, str]], before: Listed, now: Listed
) -> dict[str, str]:
    """Classes all of whose images that are still there have a label that is new."""
    became: defaultdict[str, set[str]] = defaultdict(set)
    came: defaultdict[str, set[str]] = defaultdict(set)
    for old, new in changes:
        became[old].add(new)
        came[new].add(old)
    known, present = set(before.labels.names), set(now.labels.names)
    renamed = {}
    for old, labels in became.items():
        new = min(labels)
        if len(labels) == len(came[new]) == 1 and old not in present and new not in known:
            renamed[old] = new
    return renamed


def _some(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        more = [f"and {len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
        yield f"{counted(len(names), 'image')} {what} ({', '.join([*names[:_NAMED], *more])})"
