"""How long a study will take on this machine, from how long the last ones took."""

from __future__ import annotations

from dataclasses import dataclass, replace

from manyheads.backbones import backbone_cost, exported
from manyheads.backbones.backbone_cost import RATES
from manyheads.core.measurements import remember, remembered_rate
from manyheads.core.settings import digest
from manyheads.core.text import clock, counted
from manyheads.data.data_settings import ImageSettings
from manyheads.features.cache import FeatureRecipe
from manyheads.run.plan import Plan
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work
from manyheads.workers.opening import as_asked

# As benchmarks/extraction.py and heads.py measure on two cores, rounded down; used until this
# machine has rates of its own.
_ASSUMED_IMAGES = 40.0  # Xception, per second at 150 × 150
_ASSUMED_PRODUCTS = 1.0e7  # samples × units a second, at 2,048 features
_ASSUMED_PIXELS = 150**2
_PREPARATION = 12.0  # seconds in which Keras builds a backbone and OpenVINO compiles it
# Seconds from the last head to the end, for comparisons, pictures and the report, while the model
# is written beside: 3.3 and 4.2 for 60 photographs and 4 heads, on two cores that others used too.
_FINISHING = 4.0
_ENOUGH_IMAGES = 500
_ENOUGH_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a piece of work takes: `passes` through the backbone, and `epochs` of `heads` to train.

    With `at_most`, heads may end earlier. `preparation` of the backbone, `extraction`, `training`
    and `finishing`, which is the report and the model, are estimates in seconds; `measured` tells
    whether this machine has done such work before.
    """

    passes: int
    extraction: float
    preparation: float = 0.0
    heads: int = 0
    epochs: int = 0
    at_most: bool = False
    training: float = 0.0
    finishing: float = 0.0
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

    def time_words(self, *, backbone: str, features: str, heads: str) -> str:
        """Such as `about 1:02: features of 1,797 images 0:45, then 40 heads × 30 epochs 0:17`.

        `features` says of what they are computed, `heads` which heads are trained how long.
        """
        most = self.at_most and self.heads > 0
        parts = []
        if self.passes and self.preparation:
            parts.append(f"preparing {backbone}, once, {clock(self.preparation)}")
        if self.passes:
            parts.append(f"features of {features} {clock(self.extraction)}")
        if self.heads:
            parts.append(f"{heads} {'at most ' if most else ''}{clock(self.training)}")
        if self.finishing:
            parts.append(f"report and model {clock(self.finishing)}")
        if not parts:
            return "none: features and heads are there already"
        total = (self.preparation if self.passes else 0.0) + self.extraction
        total += self.training + self.finishing
        basis = "" if self.measured else " (first run: an estimate)"
        words = f"{', '.join(parts[:-1])}, then {parts[-1]}" if parts[1:] else parts[0]
        return f"{'at most' if most else 'about'} {clock(total)}: {words}{basis}"


def estimate(plan: Plan) -> Cost:
    """What a plan takes: extraction of what is missing, and training of the trials left."""
    cost = cost_of(
        plan.settings, plan.missing, plan.products,
        heads=len(plan.settings.trials()) - plan.ended, epochs=plan.work.left.epochs,
        at_most=plan.settings.patience is not None,
    )  # fmt: skip
    finishes = plan.options.models and (cost.heads > 0 or plan.missing > 0)
    by = as_asked(plan.options.workers)
    extraction = [estimate_extraction(part.settings, part.missing, by) for part in plan.by_backbone]
    return replace(
        cost,
        preparation=sum(map(_estimate_preparation, plan.by_backbone)),
        extraction=sum(seconds for seconds, _ in extraction),
        finishing=_FINISHING if finishes else 0.0,
        measured=cost.measured and all(known for _, known in extraction),
    )


def _estimate_preparation(plan: Plan) -> float:
    """Seconds until the backbone is ready, which happens only once."""
    settings, weights = plan.settings, plan.weights
    if not plan.missing or (settings.runtime, settings.device) != ("openvino", "cpu"):
        return 0.0
    size = settings.image.size
    if weights is not None and exported.is_prepared(settings.spec, weights, size):
        return 0.0
    return estimate_preparation(settings.backbone)[0]


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
    rate = remembered_rate(RATES, _products_key(settings))
    return products / (rate or _ASSUMED_PRODUCTS), not (products and rate is None)


def estimate_extraction(
    how: StudySettings | FeatureRecipe, passes: int, by: str = ""
) -> tuple[float, bool]:
    """Seconds that so many passes will take, and whether this machine has shown that.

    `by` says how workers were asked for, if there are any. Processes of this machine share its
    cores, so until they have shown how fast they are, they count as one.
    """
    images = remembered_rate(RATES, _images_key(how, by)) if by else None
    if images is None and (not by or by.isdecimal()):
        images = remembered_rate(RATES, _images_key(how))
    guess = _ASSUMED_IMAGES * _ASSUMED_PIXELS / how.image.size**2
    return passes / (images or guess), not (passes and images is None)


def estimate_preparation(backbone: str) -> tuple[float, bool]:
    """Seconds in which Keras builds a backbone, and whether this machine has shown that."""
    seconds = remembered_rate(RATES, _preparation_key(backbone))
    return seconds or _PREPARATION, seconds is not None


def remember_preparation(backbone: str, seconds: float) -> None:
    """Learn how long Keras took to build a backbone."""
    if seconds > 0:
        remember(RATES, _preparation_key(backbone), seconds)


def remember_extraction(
    how: StudySettings | FeatureRecipe, passes: int, seconds: float, by: str = ""
) -> None:
    """Learn from an extraction of enough images to outweigh the preparation of the backbone.

    `by` says how the workers were asked for that have computed, if it was not this process.
    """
    if passes >= _ENOUGH_IMAGES and seconds > 0:
        rate = passes / seconds
        remember(RATES, _images_key(how, by), rate)
        if by:
            return
        name = how.spec.name if isinstance(how, StudySettings) else how.backbone
        rate /= len(how.spec.parts if isinstance(how, StudySettings) else how.parts)
        backbone_cost.remember_images(name, how.image.size, rate)


def remember_training(settings: StudySettings, samples: int, work: Work) -> None:
    """Learn from what was trained on so many images, if that took long enough to tell."""
    rate = work.units_per_second
    if rate and work.seconds >= _ENOUGH_SECONDS:
        remember(RATES, _products_key(settings), samples * rate)


def _preparation_key(backbone: str) -> str:
    return f"preparation-{digest([backbone])[:16]}"


def _images_key(how: StudySettings | FeatureRecipe, by: str = "") -> str:
    what = [how.backbone, how.image.size, how.runtime, how.precision]
    what += [] if how.device == "cpu" else [how.device]
    what += [] if how.image.decode == ImageSettings.decode else [how.image.decode]
    what += [by] if by else []
    return f"images-{digest(what)[:16]}"


def _products_key(settings: StudySettings) -> str:
    what = [settings.backbone, settings.engine, settings.grid.batch_size[0]]
    return f"products-{digest(what)[:16]}"
