"""The features that heads learn from, backbone by backbone, and their division into folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from manyheads.backbones.weights import Weights
from manyheads.core.job import Job
from manyheads.core.workers import Workers
from manyheads.data.dataset import Dataset
from manyheads.data.unreadable_images import require_readable
from manyheads.errors import RunError
from manyheads.features.extraction import Features
from manyheads.heads.bank import Fold
from manyheads.run.estimate import remember_extraction
from manyheads.run.plan import Plan
from manyheads.study.division import divisions, folds_of, recorded, trained_on
from manyheads.study.feature_variants import VariantFeatures, extract_variants
from manyheads.study.sources import plain_features
from manyheads.study.space import counted
from manyheads.study.store import Division, Store
from manyheads.study.study_settings import StudySettings
from manyheads.workers.opening import as_asked


class StudyFeatures(NamedTuple):
    """The plain features of all images, and variants of those that heads train on."""

    plain: Features
    variants: VariantFeatures

    @property
    def passes(self) -> int:
        """The backbone passes that they cost."""
        return self.plain.passes + self.variants.passes


def features_by_backbone(
    plan: Plan, weights: Sequence[Weights], job: Job, workers: Workers | None = None
) -> list[StudyFeatures]:
    """The features that the heads of a study need, of each backbone, in turn."""
    found = []
    for place, (part, own) in enumerate(zip(plan.by_backbone, weights, strict=True), start=1):
        if plan.parts and part.missing:
            name, size = part.settings.spec.name, part.settings.image.size
            job.note(f"Backbone {place} of {len(plan.parts)}: {name} at {size}×{size}")
        found.append(study_features(part, own, job, workers))
    return found


def study_features(
    plan: Plan, weights: Weights, job: Job, workers: Workers | None = None
) -> StudyFeatures:
    """The features that the heads of a study on one backbone need, from the cache or computed."""
    settings, by = plan.settings, as_asked(workers)
    plain = plain_features(settings, plan.dataset, weights, workers=workers, job=job)
    remember_extraction(settings, plain.passes, plain.seconds, by)
    variants = extract_variants(
        settings, plan.dataset, weights, plan.variants, workers=workers, job=job
    )
    remember_extraction(settings, variants.passes, variants.seconds, by)
    return StudyFeatures(plain, variants)


def readable_folds(
    plan: Plan, features: Sequence[StudyFeatures], store: Store, job: Job
) -> list[Fold]:
    """What heads train on: the readable images, by the given split or in folds; `store` keeps it.

    There are the folds of each backbone in turn, of the images that all of them have features of.

    Raises `DataError` if more images are unreadable than the options allow, or if what is left
    cannot be trained on, and `RunError` if the study was divided in another way before.
    """
    settings, dataset, options = plan.settings, plan.dataset, plan.options
    features = _in_common(features)
    unreadable = features[0].plain.unreadable
    bad = {dataset.name_of(index): reason for index, reason in unreadable.items()}
    require_readable(bad, len(dataset), strict=options.strict, most=options.max_unreadable)
    if bad:
        job.note(f"{counted(len(bad), 'unreadable image')} left out:")
        for name, reason in bad.items():
            job.note(f"  {name}: {reason}")
    for line in dict.fromkeys(line for each in features for line in each.plain.remarks):
        job.note(line)
    divided = [divided_features(settings, dataset, each) for each in features]
    _require_same_folds(store, divided[0].recorded)
    store.divide(divided[0].recorded)
    return [fold for each in divided for fold in each.folds]


def _in_common(features: Sequence[StudyFeatures]) -> Sequence[StudyFeatures]:
    """The same features without those of images that one of the backbones has none of."""
    if len(features) == 1:
        return features
    unreadable: dict[int, str] = {}
    for each in features:
        unreadable |= each.plain.unreadable
    absent = np.any([each.plain.rows < 0 for each in features], axis=0)
    return [
        each._replace(
            plain=replace(
                each.plain,
                rows=np.where(absent, -1, each.plain.rows),
                unreadable=dict(sorted(unreadable.items())),
            )
        )
        for each in features
    ]


def _require_same_folds(store: Store, divided: Sequence[Division]) -> None:
    """Heads that were trained on other images than now would be no heads of this study."""
    known = [division.images for division in store.divisions()]
    if known and not all(map(np.array_equal, known, (division.images for division in divided))):
        raise RunError(
            f"the images to be divided as they were for {store.path}", "other folds",
            "give the images the groups that they had then, or choose another `out`",
        )  # fmt: skip


@dataclass(frozen=True)
class Divided:
    """What heads train on, fold by fold, and which images validate them."""

    folds: list[Fold]
    recorded: list[Division]


def divided_features(settings: StudySettings, dataset: Dataset, features: StudyFeatures) -> Divided:
    """The readable images of a data set divided as a study divides them.

    Raises `DataError` if they cannot be trained on so.
    """
    plain = features.plain
    readable = dataset.without(plain.unreadable)
    original = np.flatnonzero(plain.rows >= 0)
    divided = divisions(settings, readable)
    folds = folds_of(divided, readable, plain.rows[original], plain.matrix)
    return Divided(
        folds=features.variants.given_to(folds, trained_on(divided, original)),
        recorded=recorded(divided, readable, original),
    )
