"""What is asked of a fit, and which settings of a head it looks among."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Self

from manyheads.backbones import hub, own_files
from manyheads.core.settings import choice, number, store, whole
from manyheads.data.augmentation_presets import PRESETS, Augmentation
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.errors import SettingError
from manyheads.heads.class_weights import NO_WEIGHTS, check_class_weight
from manyheads.heads.epoch_rules import (
    EPOCH_RULES,
    FIXED,
    METRIC_RULES,
    SCORE_RULES,
    metric_of,
    scored_by,
)
from manyheads.heads.hyperparameters import NEUTRAL, check
from manyheads.study.space import Grid
from manyheads.study.weight_files import with_read_weights

AUTO = "auto"
"""In the place of a backbone: the fit looks among those that are there or can be fetched."""
USUAL_BUDGET = "10m"
USUAL_HEADS = 8
USUAL_FOLDS = 5
_USUAL_COPIES = "flip"
_USUAL_RULE = METRIC_RULES["log_loss"]
_OF_ONE = "weights", "preprocessing"  # settings that tell of a backbone which was named
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BUDGET = re.compile(
    r"(\d+(?:\.\d+)?) ?(|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What is asked of a fit.

    `backbone` is a name, several to look among, or `auto`; `preprocessing` is of one in a file, and
    `weights` are of a single one. `budget` is in seconds. The model averages at most so many
    `heads`. Images for training and validation are divided into `folds`, or into as many as there
    are images. With `size` images have this size, in pixels; None: the fit looks among sizes.
    `depth` and `decode` are theirs, as in `ImageSettings`. `table` says how a table is read.
    `class_weight` and `balanced_batches` are those of all heads, as in `Hyperparameters`; None: as
    they usually are. `select` is a rule of a study, whose metric ranks what is tried; the epoch is
    always the last, so that `best_macro_f1` means what `last_macro_f1` does. None: `best_loss`.
    `augment` is one of `PRESETS`, how copies of training images differ ("none": there are none;
    None: "flip"). Raises `SettingError` for a value out of its range.
    """

    data: str
    backbone: str | tuple[str, ...] = AUTO
    preprocessing: str | None = None
    weights: str | None = None
    budget: float = 600.0
    heads: int = USUAL_HEADS
    folds: int = USUAL_FOLDS
    size: int | None = None
    depth: int | None = field(default=None, metadata={"told": "if set"})
    decode: str = field(default=ImageSettings.decode, metadata={"told": "if changed"})
    class_weight: str | None = field(default=None, metadata={"told": "if set"})
    balanced_batches: str | None = field(default=None, metadata={"told": "if set"})
    select: str | None = field(default=None, metadata={"told": "if set"})
    split: SplitSettings = field(default_factory=SplitSettings)
    table: TableSettings = field(default_factory=TableSettings)
    engine: str = "fused"
    augment: str | None = field(default=None, metadata={"told": "if set"})

    def __post_init__(self) -> None:
        store(
            self,
            backbone=_names(self.backbone),
            budget=number("budget in seconds", self.budget, 1, 1e7),
            heads=whole("heads", self.heads, 1, 100),
            folds=whole("folds", self.folds, 2, 20),
        )
        if self.size is not None:
            store(self, size=whole("image_size", self.size, 32, 2048))
        store(self, depth=ImageSettings(depth=self.depth, decode=self.decode).depth)
        if self.class_weight is not None:
            (value,) = with_read_weights([self.class_weight])
            value = check_class_weight("class_weight", value)
            store(self, class_weight=None if value == NO_WEIGHTS else value)
        if self.balanced_batches is not None:
            value = check("balanced_batches", self.balanced_batches)
            neutral = NEUTRAL["balanced_batches"]
            store(self, balanced_batches=None if value == neutral else value)
        if self.select is not None:
            store(self, select=_rule(self.select))
        if self.augment is not None:
            named = choice("augment", self.augment, tuple(PRESETS))
            store(self, augment=None if named == _USUAL_COPIES else named)
        given = [name for name in _OF_ONE if getattr(self, name) is not None]
        if given and self.backbone == AUTO:
            raise SettingError(
                f"a backbone that the `{given[0]}` belong to", AUTO, "name it with `backbone`"
            )
        if "weights" in given and self.single is None:
            raise SettingError(
                "one backbone, that the `weights` belong to", f"{len(self.backbone)} of them",
                "leave out `weights`, or name one `backbone`",
            )  # fmt: skip

    @property
    def metric(self) -> str:
        """The score that ranks what is tried."""
        return metric_of(self.select or _USUAL_RULE)

    @property
    def rule(self) -> str:
        """The rule of the searches, by which they also drop options early."""
        return self.select or "last"

    @property
    def augmentation(self) -> Augmentation:
        """How copies of training images differ from these."""
        return PRESETS[self.augment or _USUAL_COPIES]

    @property
    def altered(self) -> str:
        """What copies are, in a word or two."""
        return "mirrored" if self.augment is None else f"altered ({self.augment})"

    @property
    def single(self) -> str | None:
        """The backbone, if it is a single one that was named."""
        return self.backbone if isinstance(self.backbone, str) and self.backbone != AUTO else None

    def of(self, backbone: str) -> Self:
        """The same with this backbone alone."""
        has_own = self.single is None and (hub.is_hub(backbone) or not own_files.is_file(backbone))
        preprocessing = None if has_own else self.preprocessing
        return replace(self, backbone=backbone, preprocessing=preprocessing)


def _rule(given: str) -> str | None:
    """The rule of the last epoch with the metric of the `given` one; None: the usual one."""
    if str(given).startswith(FIXED):
        raise SettingError(
            "`select` to name a score, for heads of a fit train to the end of their schedule",
            str(given), "give one such as last or last_macro_f1; `manyheads sweep` takes an epoch",
        )  # fmt: skip
    rule = choice("select", given, (*EPOCH_RULES, *SCORE_RULES))
    if rule == _USUAL_RULE:
        return None
    return rule.replace("best_", "last_") if scored_by(rule) else "last"


def _names(given: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """One name, or several different ones."""
    different = tuple(dict.fromkeys([given] if isinstance(given, str) else given))
    if not different or (len(different) > 1 and AUTO in different):
        raise SettingError(
            f"names of backbones, or {AUTO} alone", " ".join(different) or "none",
            "name one `backbone` or several",
        )  # fmt: skip
    return different[0] if len(different) == 1 else different


def seconds_of(budget: object) -> float:
    """A budget such as 90, "90s", "30 min" or "1.5 hours" in seconds.

    Raises `SettingError` for another.
    """
    text = str(budget).strip()
    found = _BUDGET.fullmatch(text)
    if found is None:
        comma = _BUDGET.fullmatch(text.replace(",", ".", 1))
        remedy = f"write {comma[0]}, with a decimal point" if comma else f"such as {USUAL_BUDGET}"
        raise SettingError("a budget such as 90s, 30m or 1.5h", repr(budget), remedy)
    return float(found[1]) * _UNITS[found[2][:1].lower()]


def budget_words(seconds: float) -> str:
    """Seconds as a budget is written, rounded up to its last digit: `90s`, `2.5m` or `3h`."""
    if seconds < 120:
        return f"{math.ceil(seconds)}s"
    unit, size = ("h", 3600) if seconds >= 7200 else ("m", 60)
    return f"{math.ceil(round(10 * seconds / size, 6)) / 10:g}{unit}"


def search_grid(copies: int) -> Grid:
    """The settings of a head among which a fit looks: 20, or 40 with a mirrored copy.

    All train to the end of a cosine schedule, so that no epoch is chosen by validation.
    """
    return Grid(
        learning_rate=(0.0003, 0.001),
        size_inner=(0, 100, 256),
        droprate=(0.0, 0.5),
        augmented_copies=(0, 1) if copies else (0,),
        label_smoothing=(0.0, 0.1),
        learning_rate_schedule=("cosine",),
        epochs=(30,),
    )


def few_settings(copies: int) -> Grid:
    """The settings of a head that a fit tries where there is no time for `search_grid`: 2."""
    return Grid(
        learning_rate=(0.001,),
        size_inner=(100,),
        droprate=(0.0, 0.5),
        augmented_copies=(copies,),
        learning_rate_schedule=("cosine",),
        epochs=(30,),
    )
