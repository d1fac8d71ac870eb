"""The images that several studies validated, and what their candidates predicted for these.

An image is known by its content and its label. What is shared is brought into one order, so that
candidates of different studies are compared image by image as those of one study are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from manyheads.stats.clusters import Clusters
from manyheads.stats.validation_predictions import LogProbabilities, OfHeads, OtherEpochs, Validated

Places = Int64[np.ndarray, "shared"]


@dataclass(frozen=True)
class StudyImages:
    """What a study's heads predicted, and which images these are, by the digests of their content.

    `digests` is None for a study of an earlier version, which did not keep any.
    """

    validated: Validated
    digests: UInt8[np.ndarray, "images bytes"] | None

    @property
    def keys(self) -> list[bytes]:
        """Images by content and label, in the study's order."""
        assert self.digests is not None
        labels = self.validated.labels
        return [
            digest.tobytes() + int(label).to_bytes(4, "little")
            for digest, label in zip(self.digests, labels, strict=True)
        ]


@dataclass(frozen=True)
class Shared:
    """The images that all studies validated, in one order; of equal contents the first counts.

    `places` has, for each study, where these images are among its own. `common` counts the images
    before those were left out that the studies validate in different folds; `units` joins what any
    of the studies holds together. `repeats` of the folds and `seeds` are those that all have.
    """

    studies: tuple[StudyImages, ...]
    common: int
    places: tuple[Places, ...]
    units: Places
    repeats: int
    seeds: int

    def validated(self, members: Sequence[tuple[int, int]], names: Sequence[str]) -> Validated:
        """The predictions of candidates of several studies for the shared images.

        Each of the `members` is a study, from 0, and a number of its candidates. They are numbered
        from 1, in this order. Raises `RunError` where the images do not fill every fold.
        """
        first = self.studies[0].validated

        def source(number: int) -> tuple[Validated, int, Places]:
            study, candidate = members[number - 1]
            return self.studies[study].validated, candidate, self.places[study]

        def chosen(number: int) -> LogProbabilities:
            validated, candidate, places = source(number)
            return self._cut(validated.log_probabilities(candidate))[:, :, places]

        def at(number: int, moment: str) -> LogProbabilities:
            validated, candidate, places = source(number)
            return self._cut(_others(validated).at(candidate, moment))[:, :, places]

        def training(number: int) -> OfHeads:
            validated, candidate, _ = source(number)
            return self._cut(_others(validated).training(candidate))

        def luck(number: int, metric: str) -> OfHeads:
            validated, candidate, _ = source(number)
            return self._cut(_others(validated).luck(candidate, metric))

        know_others = all(each.validated.other_epochs is not None for each in self.studies)
        return Validated(
            candidates=tuple(range(1, len(members) + 1)),
            names=tuple(names),
            labels=first.labels[self.places[0]],
            classes=first.classes,
            label_sets=first.label_sets,
            units=self.units,
            fold_of=first.fold_of[: self.repeats, self.places[0]],
            folds=first.folds,
            log_probabilities=chosen,
            other_epochs=OtherEpochs(at, training, luck) if know_others else None,
        )

    def _cut(self, values: np.ndarray) -> np.ndarray:
        """The seeds and the repeats that all studies have."""
        return values[: self.seeds, : self.repeats]

    @property
    def fills_folds(self) -> bool:
        """Whether there are shared images, in every fold of every repeat."""
        first = self.studies[0].validated
        rows = first.fold_of[: self.repeats, self.places[0]]
        return all(len(np.unique(row)) == first.folds for row in rows)


def share(studies: Sequence[StudyImages]) -> Shared:
    """What two or more studies share; all must know their images' digests and have equal folds."""
    found: list[dict[bytes, int]] = []
    for study in studies:
        keys = study.keys
        # Backwards, so that the first of equal images is the one that stays.
        found.append({keys[place]: place for place in reversed(range(len(keys)))})
    common = [key for key in found[0] if all(key in other for other in found[1:])]
    places = np.array([[each[key] for key in common] for each in found], np.int64)
    order = np.argsort(places[0], kind="stable")
    places = places.reshape(len(studies), -1)[:, order]
    repeats = min(len(each.validated.fold_of) for each in studies)
    folds = [
        study.validated.fold_of[:repeats, own]
        for study, own in zip(studies, places, strict=True)
    ]  # fmt: skip
    # An image is predicted by a head of its fold; where two studies differ in that, the images of a
    # fold would not be those that a pair of heads has both been kept from.
    alike = np.all([(each == folds[0]).all(axis=0) for each in folds], axis=0)
    kept = tuple(places[:, alike])
    return Shared(
        studies=tuple(studies),
        common=len(common),
        places=kept,
        units=_joined_units(studies, kept),
        repeats=repeats,
        seeds=min(each.validated.seeds() for each in studies),
    )


def _joined_units(studies: Sequence[StudyImages], places: Sequence[Places]) -> Places:
    """A number for each shared image, the same for images that are one unit in any study."""
    images = np.arange(len(places[0]))
    clusters = Clusters(len(images))
    for study, own in zip(studies, places, strict=True):
        _, first, unit = np.unique(
            study.validated.units[own], return_index=True, return_inverse=True
        )
        clusters.join(images, first[unit])
    return clusters.roots(images)


def _others(validated: Validated) -> OtherEpochs:
    assert validated.other_epochs is not None
    return validated.other_epochs
