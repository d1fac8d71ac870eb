"""What a check for shortcuts will take, known before anything is fetched or computed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from manyheads.backbones.placement import check_place
from manyheads.backbones.weights import Weights, cached
from manyheads.core.job import SILENT, Job
from manyheads.core.label_sets import require_one_label
from manyheads.data.dataset import open_dataset
from manyheads.features.cache import lacking
from manyheads.features.variants import Wanted, missing_passes
from manyheads.heads.class_weights import require_known_classes
from manyheads.heads.fold import PLAIN
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.lesson.shortcut.arrangement import Arrangement, Key, arranged, wanted_variants
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings, last_layer_of
from manyheads.run.estimate import Cost, cost_of
from manyheads.run.plan import USUAL_WIDTH, training_memory
from manyheads.study.feature_variants import extractor_of, variant_bytes


@dataclass(frozen=True, kw_only=True)
class ShortcutPlan:
    """What a check will take: `missing` passes of each variant in `wanted`, and the heads.

    `weights` is None as long as ImageNet's have not been fetched; then all passes are missing.
    `features` is how many an image has, as far as that is known. `heads` are those trained on
    images, `last_layers` those on the output of such heads.
    """

    settings: ShortcutSettings
    arrangement: Arrangement
    weights: Weights | None
    wanted: dict[Key, Wanted]
    missing: dict[Key, int]
    features: int
    heads: int
    last_layers: int

    @property
    def cost(self) -> Cost:
        """What the passes and the training of all heads take."""
        study, images = self.settings.study, len(self.arrangement.train)
        settings = [one.setting(each) for one in self.settings.conditions for each in study.grid]
        anew = [last_layer_of(each) for each in study.grid] if self.settings.clean else []
        products = sum(each.epochs * epoch_cost(each) for each in settings) * images
        products += sum(each.epochs * epoch_cost(each) for each in anew) * len(
            self.arrangement.clean
        )
        return cost_of(
            study, sum(self.missing.values()), study.seeds * products,
            heads=self.heads + self.last_layers,
            epochs=study.seeds * sum(each.epochs for each in [*settings, *anew]),
        )  # fmt: skip

    @property
    def cache(self) -> int:
        """About how many bytes the cache grows by."""
        return sum(
            count * variant_bytes(self.settings.study, key.variant, self.features)
            for key, count in self.missing.items()
        )

    @property
    def memory(self) -> int:
        """About how many bytes are resident while heads train: all that they learn from is."""
        study = self.settings.study
        classes = len(self.arrangement.dataset.classes)
        wanted = self.wanted.values()
        pooled = sum(len(each.images) for each in wanted if each.variant == PLAIN)
        others = sum(
            len(each.images) * variant_bytes(study, each.variant, self.features)
            for each in wanted
            if each.variant != PLAIN
        )
        return training_memory(study, pooled, self.features, classes) + others


def plan_shortcut(settings: ShortcutSettings, *, job: Job = SILENT) -> ShortcutPlan:
    """What `run_shortcut` would do; fetches nothing, and computes only the images' digests.

    Raises `DataError` for a data set in which nothing can be planted so, and what `plan_study`
    raises for the backbone.
    """
    study = settings.study.placed_here()
    spec = study.spec
    spec.check_size(study.image.size)
    if settings.dropblock:
        spec.check_grid()
    check_place(study.spec, study.runtime, study.device, study.precision)
    dataset = open_dataset(study.data, split=study.split, table=study.table, job=job)
    require_one_label(dataset.label_names, "the check for shortcuts")
    require_known_classes(study.grid.class_weight, dataset.classes)
    arrangement = arranged(settings, dataset)
    study = study.for_training_on(len(arrangement.train))
    settings = replace(settings, study=study)
    weights = cached(spec, study.weights, job)
    wanted = wanted_variants(settings, arrangement)
    extractor = None if weights is None else extractor_of(study, weights)
    features = 0
    if extractor is not None:
        features = lacking(extractor.recipe(wanted[Key(False)]), ()).width
    heads = len(study.grid) * study.seeds
    return ShortcutPlan(
        settings=settings,
        arrangement=arrangement,
        weights=weights,
        wanted=wanted,
        missing={key: missing_passes(dataset, each, extractor) for key, each in wanted.items()},
        features=features or USUAL_WIDTH,
        heads=heads * len(settings.conditions),
        last_layers=heads if settings.clean else 0,
    )
