"""What has changed between two states of a data set whose images may have several labels each.

What is a class elsewhere is a label here. A label is called otherwise now if exactly the images
that had the former name have the present one, among those that are still there, and neither name
stands in both states.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

from manyheads.core.label_sets import labels_in
from manyheads.data.changes import Changes, ImagePair, Listed


@dataclass(frozen=True, eq=False)
class LabelChanges(Changes):
    """What made `now` of `before`, where the labels of both are label sets as texts."""

    @cached_property
    def renamed(self) -> dict[str, str]:
        """Labels that are called otherwise now: the present name by the former."""
        had = _images_with([before for before, _ in self._sets])
        have = _images_with([now for _, now in self._sets])
        known, present = set(self._names(self.before)), set(self._names(self.now))
        found = {
            old: [new for new in sorted(have) if new not in known and have[new] == had[old]]
            for old in sorted(had)
            if old not in present
        }
        came = Counter(new for names in found.values() for new in names)
        return {
            old: names[0] for old, names in found.items() if len(names) == 1 and came[names[0]] == 1
        }

    @cached_property
    def relabelled(self) -> list[ImagePair]:
        """Images whose labels are others, but for those that were renamed."""
        return [
            pair
            for pair, (before, now) in zip(self._pairs, self._sets, strict=True)
            if {self.renamed.get(each, each) for each in before} != now
        ]

    @cached_property
    def _sets(self) -> list[tuple[set[str], set[str]]]:
        """The labels of each pair, before and now."""
        labels, others = list(self.before.labels), list(self.now.labels)
        return [(set(labels_in(labels[i])), set(labels_in(others[j]))) for i, j in self._pairs]

    def _counts(self, listed: Listed) -> Counter[str]:
        """How many images have each label."""
        return Counter(label for text in listed.labels for label in labels_in(text))

    def _names(self, listed: Listed) -> list[str]:
        """All labels, sorted."""
        return sorted(self._counts(listed))


def _images_with(sets: list[set[str]]) -> dict[str, set[int]]:
    """The places of the images that have each label."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for place, labels in enumerate(sets):
        for label in labels:
            found[label].add(place)
    return dict(found)
