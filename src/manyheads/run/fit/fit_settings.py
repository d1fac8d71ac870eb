"""What is asked of a fit, and which settings of a head it looks among."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from manyheads.core.settings import number, store, whole
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.errors import SettingError
from manyheads.study.space import Grid

USUAL_BUDGET = "10m"
USUAL_HEADS = 8
USUAL_FOLDS = 5
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BUDGET = re.compile(
    r"(\d+(?:\.\d+)?) ?(|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What is asked of a fit.

    `budget` is in seconds. The model averages so many `heads`. Images for training and validation
    are divided into `folds`, or into as many as there are images. With `size` images have this
    size, in pixels; None: the fit looks among sizes. `depth` is theirs, as in `ImageSettings`.
    `table` says how data in a table are read.
    `seed` is the first head's. Raises `SettingError` for a value out of its range.
    """

    data: str
    backbone: str = "xception"
    preprocessing: str | None = None
    weights: str | None = None
    budget: float = 600.0
    heads: int = USUAL_HEADS
    folds: int = USUAL_FOLDS
    size: int | None = None
    depth: int | None = field(default=None, metadata={"told": "if set"})
    split: SplitSettings = field(default_factory=SplitSettings)
    table: TableSettings = field(default_factory=TableSettings)
    engine: str = "fused"

    def __post_init__(self) -> None:
        store(
            self,
            budget=number("budget in seconds", self.budget, 1, 1e7),
            heads=whole("heads", self.heads, 1, 100),
            folds=whole("folds", self.folds, 2, 20),
        )
        if self.size is not None:
            store(self, size=whole("image_size", self.size, 32, 2048))
        store(self, depth=ImageSettings(depth=self.depth).depth)


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
