"""How long a study will take on this machine, from how long the last ones took."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from manyheads.core.places import cache_dir, write_text
from manyheads.core.settings import digest
from manyheads.core.text import clock, counted
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


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a piece of work takes: `passes` through the backbone, and `epochs` of `heads` to train.

    With `at_most`, heads may end earlier. `extraction` and `training` are estimates in seconds;
    `measured` tells whether this machine has done such work before.
    """

    passes: int
    extraction: float
    heads: int = 0
    epochs: int = 0
    at_most: bool = False
    training: float = 0.0
    measured: bool

    def words(self, *, images: str = "", heads: str = "", instead: str = "") -> str:
        """Such as `320 backbone passes, about 0:04; 5 heads to train (111 epochs of heads), …`.

        `images` says what the passes are for, `heads` which heads are trained, and `instead` how
        many epochs they would otherwise take.
        """
        none = not self.passes and not images
        parts = ["no backbone passes" if none else counted(self.passes, "backbone pass") + images]
        if self.passes:
            parts[0] += f", about {clock(self.extraction)}"
        most = "at most " if self.at_most else ""
        if heads or self.heads:
            training = f"{heads or counted(self.heads, 'head')} to train"
            if self.heads:
                training += (
                    f" ({most}{counted(self.epochs, 'epoch')} of heads{instead}), "
                    f"{most or 'about '}{clock(self.training)}"
                )
            parts.append(training)
        basis = "measured on this machine" if self.measured else "assumed until measured here"
        return "; ".join(parts) + (f" ({basis})" if self.passes or self.heads else "")


def estimate(plan: Plan) -> Cost:
    """What a plan takes: extraction of what is missing, and training of the trials left."""
    return cost_of(
        plan.settings, plan.missing, plan.products,
        heads=len(plan.settings.trials()) - plan.ended, epochs=plan.work.left.epochs,
        at_most=plan.settings.patience is not None,
    )  # fmt: skip


def cost_of(
    settings: StudySettings,
    passes: int,
    products: float,
    *,
    heads: int,
    epochs: int,
    at_most: bool = False,
) -> Cost:
    """What so many passes and heads of a study take; `products` are samples × units × epochs."""
    extraction, known = estimate_extraction(settings, passes)
    training, shown = estimate_training(settings, products)
    return Cost(
        passes=passes,
        extraction=extraction,
        heads=heads,
        epochs=epochs,
        at_most=at_most,
        training=training,
        measured=known and shown,
    )


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
