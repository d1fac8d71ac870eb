"""What a fit has to do: its images, its backbones, and what each image option would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from manyheads.backbones import exported
from manyheads.core.job import SILENT, Job
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.folds import most_folds, pool_of, require_divisible
from manyheads.features.cache import lacking
from manyheads.features.extraction import recipe_of
from manyheads.heads.class_weights import NO_WEIGHTS, require_known_classes
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.run.fit.fit_backbones import FitBackbone, check_backbones, fit_backbones
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.image_options import (
    EFFORTS,
    Effort,
    ImageOption,
    candidate_images,
    head_grid,
    study_of,
)
from manyheads.run.fit.kept_division import KeptDivision
from manyheads.run.fit.time_budget import TimeBudget
from manyheads.run.plan import require_for_labels
from manyheads.study.division import validation_counts
from manyheads.study.feature_variants import missing_passes
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """What a fit may do: `considered` are the image options of its `backbones`.

    Backbones come in the order in which they have a turn, and the options of each by their worth.
    `folds` may be fewer than were asked for, where there are fewer images than that. A head is
    trained on `trained` images of the `pool`. `kept` is what stays of a former run, if it begins
    from one.
    """

    settings: FitSettings
    dataset: Dataset
    backbones: tuple[FitBackbone, ...]
    folds: int
    considered: tuple[ImageOption, ...]
    trained: int
    pool: int
    kept: KeptDivision | None = None

    def backbone(self, images: ImageOption) -> FitBackbone:
        """The backbone of an image option."""
        return next(each for each in self.backbones if each.name == images.backbone)

    def study(self, images: ImageOption, effort: Effort = "whole") -> StudySettings:
        """The study of an image option."""
        settings = self.backbone(images).settings
        return study_of(settings, self.folds, (images.size, images.copies), effort)

    def plain(self, backbone: FitBackbone) -> ImageOption:
        """The images of a backbone as it is compared with others: plain, at its own size."""
        return next(
            each
            for each in self.considered
            if each.place == (backbone.name, backbone.own_size) and not each.copies
        )

    def with_backbones(self, backbones: Sequence[FitBackbone]) -> FitPlan:
        """The plan with these of its backbones alone, in this order."""
        options = (
            each
            for backbone in backbones
            for each in self.considered
            if each.backbone == backbone.name
        )
        return replace(self, backbones=tuple(backbones), considered=tuple(options))

    def with_pair(self, pair: FitBackbone) -> FitPlan:
        """The plan with two of its backbones side by side as a further one."""
        sizes = candidate_images(
            self.settings.size, pair.spec, copied=self.settings.augmentation.changes
        )
        options = (image_option(self, pair, each) for each in sizes)
        return replace(
            self, backbones=(*self.backbones, pair), considered=(*self.considered, *options)
        )

    def averaging(self, costs: list[float], epochs: int) -> float:
        """Samples × units × epochs of one head of each of the options in every fold.

        `costs` are what an epoch of a head costs, by option; the best is trained on all images too.
        """
        return epochs * (self.folds * self.trained * sum(costs) + self.pool * max(costs))

    def usual_averaging(self, effort: Effort) -> float:
        """The same for two of the largest heads, before the options are known."""
        grid = self.study(self.considered[-1], effort).grid
        costs = [epoch_cost(setting) for setting in grid]
        return self.averaging([max(costs)] * 2, max(grid.epochs))


def plan_fit(settings: FitSettings, budget: TimeBudget, job: Job = SILENT) -> FitPlan:
    """Read the data set, fetch weights if need be, and count what each option would cost.

    Raises `DataError` for images that cannot be divided into folds, and what `fit_backbones` and
    `candidate_images` raise.
    """
    check_backbones(settings)
    dataset = open_dataset(settings.data, split=settings.split, table=settings.table, job=job)
    require_for_labels(head_grid(settings, 0), settings.rule, dataset)
    require_known_classes([settings.class_weight or NO_WEIGHTS], dataset.classes)
    folds = _folds(dataset, settings.folds)
    backbones = fit_backbones(settings, budget, job)
    plan = FitPlan(
        settings=settings,
        dataset=dataset,
        backbones=backbones,
        folds=folds,
        considered=(),
        trained=validation_counts(folds, dataset)[0],
        pool=len(pool_of(dataset)),
    )
    options = [
        image_option(plan, backbone, pair)
        for backbone in backbones
        for pair in candidate_images(
            settings.size, backbone.spec, copied=settings.augmentation.changes
        )
    ]
    return replace(plan, considered=tuple(options))


def counted_again(plan: FitPlan) -> FitPlan:
    """The plan with what its image options cost now, after some of it was computed."""
    options = [
        image_option(plan, plan.backbone(each), (each.size, each.copies))
        for each in plan.considered
    ]
    return replace(plan, considered=tuple(options))


def _folds(dataset: Dataset, wanted: int) -> int:
    """As many folds as are wanted, or as there are units to validate them, if there are two."""
    folds = max(2, min(wanted, most_folds(dataset)))
    require_divisible(dataset, folds)
    return folds


def image_option(plan: FitPlan, backbone: FitBackbone, pair: tuple[int, int]) -> ImageOption:
    """Images of a size with so many copies, before a backbone, and what they cost."""
    spec, weights, dataset = backbone.spec, backbone.weights, plan.dataset
    study = study_of(backbone.settings, plan.folds, pair)
    recipe = recipe_of(spec, weights, study.image, study.runtime, study.precision, study.device)
    plain = lacking(recipe, dataset.contents).passes
    size, copies = pair
    return ImageOption(
        backbone=backbone.name,
        label=backbone.label,
        pair=backbone.pair,
        altered=plan.settings.altered,
        size=size,
        copies=copies,
        passes=plain + sum(missing_passes(study, weights, dataset).values()),
        prepared=exported.is_prepared(spec, weights, size),
        products=tuple(
            plan.trained * Work(study_of(backbone.settings, plan.folds, pair, effort)).left.units
            for effort in EFFORTS
        ),
    )
