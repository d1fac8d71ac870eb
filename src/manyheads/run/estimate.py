"""How long a study will take on this machine, from how long the last ones took."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from manyheads.core.places import cache_dir, write_text
from manyheads.core.settings import digest
from manyheads.errors import DiskError
from manyheads.features.cache import FeatureRecipe
from manyheads.run.plan import Plan
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work

# As benchmarks/extraction.py and heads.py measure on two cores, rounded down; used until this
# machine has rates of its own.
_ASSUMED_IMAGES = 40.0  # Xception, per second at 150 × 150
_ASSUMED_PRODUCTS = 1.0e7  # samples × units a second, at 2,048 features
_ASSUMED_PIXELS = 150**2
_ENOUGH_IMAGES = 500
_ENOUGH_SECONDS = 1.0


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds for each part; `measured` tells whether this machine has done such work before."""

    extraction: float
    training: float
    measured: bool


def estimate(plan: Plan) -> TimeEstimate:
    """The time that a plan will take: extraction of what is missing, and training of all trials."""
    extraction, known = estimate_extraction(plan.settings, plan.missing)
    training, shown = estimate_training(plan.settings, plan.products)
    return TimeEstimate(extraction=extraction, training=training, measured=known and shown)


def estimate_training(settings: StudySettings, products: float) -> tuple[float, bool]:
    """Seconds that so many samples × units will take, and whether this machine has shown that."""
    rate = _rates().get(_products_key(settings))
    return products / (rate or _ASSUMED_PRODUCTS), not (products and rate is None)


def estimate_extraction(how: StudySettings | FeatureRecipe, passes: int) -> tuple[float, bool]:
    """Seconds that so many passes will take, and whether this machine has shown that."""
    images = _rates().get(_images_key(how))
    guess = _ASSUMED_IMAGES * _ASSUMED_PIXELS / how.image.size**2
    return passes / (images or guess), not (passes and images is None)


def remember_extraction(how: StudySettings | FeatureRecipe, passes: int, seconds: float) -> None:
    """Learn from an extraction of enough images to outweigh the preparation of the backbone."""
    if passes >= _ENOUGH_IMAGES and seconds > 0:
        _remember(_images_key(how), passes / seconds)


def remember_training(settings: StudySettings, samples: int, work: Work) -> None:
    """Learn from what was trained on so many images, if that took long enough to tell."""
    rate = work.units_per_second
    if rate and work.seconds >= _ENOUGH_SECONDS:
        _remember(_products_key(settings), samples * rate)


def _images_key(how: StudySettings | FeatureRecipe) -> str:
    what = [how.backbone, how.image.size, how.runtime, how.precision]
    return f"images-{digest(what)[:16]}"


def _products_key(settings: StudySettings) -> str:
    what = [settings.backbone, settings.engine, settings.grid.batch_size[0]]
    return f"products-{digest(what)[:16]}"


def _path() -> Path:
    return cache_dir() / "rates.json"


def _rates() -> dict[str, float]:
    try:
        rates = json.loads(_path().read_text(encoding="utf-8"))
        return {key: float(rate) for key, rate in rates.items() if float(rate) > 0}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _remember(key: str, rate: float) -> None:
    with suppress(DiskError):  # then it is learnt next time
        write_text(_path(), json.dumps({**_rates(), key: rate}, indent=2))
