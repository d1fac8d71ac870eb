"""What a study will take, known before anything is fetched or computed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones import registry
from manyheads.backbones.weights import Weights, cached, resolve
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.features.cache import FeatureCache
from manyheads.features.extract import recipe_of
from manyheads.model.checkpoints import MAX_CHECKPOINTS, check_pattern
from manyheads.study.folder import RunFolder
from manyheads.study.settings import StudySettings
from manyheads.study.store import Store

_USUAL_WIDTH = 2048  # features of Xception and of most backbones its size
_USUAL_WEIGHTS = 84_000_000  # bytes


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run may do differently without becoming another study.

    `strict` makes an unreadable image an error instead of leaving it out; `keep_heads` bounds the
    files of heads; `checkpoint_pattern` asks for a whole network of each of the best candidates
    (at most `MAX_CHECKPOINTS`), named by it.
    """

    strict: bool = False
    keep_heads: int = 100
    checkpoint_pattern: str | None = None

    def checkpoints(self, candidates: int) -> int:
        """How many whole networks are written beside the best, at most."""
        if self.checkpoint_pattern is None:
            return 0
        return min(MAX_CHECKPOINTS, self.keep_heads, candidates)


@dataclass(frozen=True)
class Disk:
    """What a run folder will hold, in bytes: a whole network, and the files of heads together."""

    model: int
    heads: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study will take: `missing` counts the images that the backbone has not seen yet.

    `weights` is None as long as ImageNet's have not been fetched; then all images are missing.
    `features` is how many an image has, 0 as long as that is unknown. `ended` counts the trials
    that the run folder has already.
    """

    settings: StudySettings
    options: RunOptions
    dataset: Dataset
    weights: Weights | None
    missing: int
    features: int
    ended: int

    @property
    def disk(self) -> Disk:
        """About how much a run folder will take; a network holds its head and Adam's moments."""
        classes, features = len(self.dataset.classes), self.features or _USUAL_WIDTH
        heads = sorted(
            4 * ((features + 1) * units + (units or features) * classes + classes)
            for units in (setting.size_inner for setting in self.settings.grid)
        )
        backbone = self.weights.path.stat().st_size if self.weights else _USUAL_WEIGHTS
        return Disk(model=backbone + 3 * heads[-1], heads=sum(heads[-self.options.keep_heads :]))

    @property
    def products(self) -> float:
        """Training images × inner units, summed over the epochs of all trials still to train."""
        samples = len(self.dataset.rows("train"))
        widths = [max(head.size_inner, 32) for head in self.settings.grid]
        whole = float(samples) * sum(widths) * self.settings.seeds * self.settings.epochs
        return whole * (1 - self.ended / len(self.settings.trials()))


def plan_study(
    settings: StudySettings,
    options: RunOptions | None = None,
    out: str | Path | None = None,
    *,
    stop: threading.Event | None = None,
) -> Plan:
    """What `run_study` would do in `out`; fetches nothing, and computes only the images' digests.

    Weights in a file are read. Raises `DataError` for a data set that cannot be trained on,
    `WeightsError` for a file that does not hold the backbone's weights.
    """
    options = options or RunOptions()
    if options.checkpoint_pattern is not None:
        check_pattern(options.checkpoint_pattern)
    spec = registry.get(settings.backbone)
    spec.check_size(settings.image.size)
    settings.trials()
    dataset = open_dataset(settings.data, split=settings.split, stop=stop)
    dataset.require_trainable()
    given = settings.weights
    weights = cached(spec) if given is None else resolve(spec, given, stop=stop)
    contents = dataset.contents
    missing, features = len(contents), 0
    if weights is not None:
        recipe = recipe_of(spec, weights, settings.image, settings.runtime)
        with FeatureCache(recipe) as cache:
            missing = cache.missing(contents)
            features = cache.width
    return Plan(
        settings=settings,
        options=options,
        dataset=dataset,
        weights=weights,
        missing=missing,
        features=features,
        ended=_ended(RunFolder(out).store) if out is not None else 0,
    )


def _ended(path: Path) -> int:
    if not path.is_file():
        return 0
    with Store(path) as store:
        return len(store.trials("done", "failed"))
