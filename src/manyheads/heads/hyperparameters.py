"""One setting of a head: what it is, how it is regularised, and how it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from manyheads.core.settings import choice, number, store, whole
from manyheads.errors import SettingError

MAX_SIZE_INNER = 65_536
MAX_EPOCHS = 100_000
MAX_VIEWS = 1000
OPTIMIZERS = ("adam", "adamw", "sgd")
_EARLY, _LATE = "early:", "late:"


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One setting of a head, under the names of the lesson and of Keras.

    What the head is: `size_inner` units of the inner layer, 0 for none.

    What is hidden in a training step, each a probability in [0, 1): `droprate` of the inner units
    (Srivastava et al. 2014), in the epochs that `droprate_schedule` names: `constant`, `early:N`
    (the first N epochs) or `late:N` (all after the first N; Liu et al. 2023); `feature_droprate` of
    the head's inputs; `hide_patches` of the cells of the feature grid, in blocks of `hide_block` by
    `hide_block` cells (DropBlock, Ghiasi et al. 2018); `hide_pixels`, the share of the image that
    random erasing hides in a view other than the plain one (Zhong et al. 2020). `views` is how many
    views of an image a step chooses from, the plain one among them.

    What else regularises: `mixup` mixes pairs of inputs and labels in shares drawn from
    Beta(mixup, mixup) (Zhang et al. 2018), 0 for none; `label_smoothing` in [0, 1); `l2` times the
    sum of the kernels' squares is added to the loss; `weight_decay` takes this share times the
    learning rate from all weights in a step (decoupled: Loshchilov and Hutter 2019); `max_norm`
    bounds the norm of each inner unit's incoming weights, 0 for no bound.

    How it is trained: by `optimizer` adam, adamw or sgd (with `momentum`) at a `learning_rate` in
    (0, 10] that is `constant` or falls to 0 over the `epochs` as a half `cosine`
    (`learning_rate_schedule`; Loshchilov and Hutter 2017), in batches of `batch_size` samples.

    Raises `SettingError` for a value out of its range, and for one that something else takes all
    effect from, but for two that are merely idle: the droprate of a head without an inner layer,
    and adamw without weight_decay, which is adam.
    """

    learning_rate: float = 0.01
    size_inner: int = 100
    droprate: float = 0.5
    droprate_schedule: str = "constant"
    feature_droprate: float = 0.0
    hide_patches: float = 0.0
    hide_block: int = 1
    hide_pixels: float = 0.0
    views: int = 1
    mixup: float = 0.0
    label_smoothing: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    max_norm: float = 0.0
    optimizer: str = "adam"
    momentum: float = 0.0
    learning_rate_schedule: str = "constant"
    epochs: int = 30
    batch_size: int = 32

    def __post_init__(self) -> None:
        store(self, **{name: check(name, getattr(self, name)) for name in NAMES})
        for rule in IDLE:
            value = getattr(self, rule.name)
            if rule.name != "droprate" and value != NEUTRAL[rule.name] and rule.idle(self):
                raise SettingError(
                    f"{rule.name} {NEUTRAL[rule.name]} {rule.where}", f"{value}", rule.remedy
                )

    def droprate_in(self, epoch: int) -> float:
        """The share of inner units hidden in a step of `epoch`, from 1, by the schedule."""
        schedule = self.droprate_schedule
        if schedule == "constant":
            return self.droprate
        kind, _, count = schedule.partition(":")
        return self.droprate if (epoch <= int(count)) == (kind == "early") else 0.0

    def learning_rates(self, first: int, steps: int, steps_an_epoch: int) -> list[float]:
        """The learning rates of `steps` steps, the first of them after `first` others.

        A cosine falls by `(1 + cos(π t / T)) / 2` in step t of the `T = epochs · steps_an_epoch`,
        and is 0 beyond them.
        """
        if self.learning_rate_schedule == "constant":
            return [self.learning_rate] * steps
        total = self.epochs * steps_an_epoch
        return [
            self.learning_rate * (1 + math.cos(math.pi * min(step / total, 1))) / 2
            for step in range(first, first + steps)
        ]


class Idle(NamedTuple):
    """`name` has no effect where `idle` is true of a setting, or of many in arrays."""

    name: str
    idle: Callable[[Any], Any]
    where: str
    remedy: str


NAMES = tuple(field.name for field in fields(Hyperparameters))
LESSON = ("learning_rate", "size_inner", "droprate")
"""The hyperparameters that the lesson varies; the others keep their defaults there."""
NEUTRAL: dict[str, Any] = {field.name: field.default for field in fields(Hyperparameters)}
IDLE = (
    Idle("droprate", lambda s: s.size_inner == 0, "without an inner layer", "give a size_inner"),
    Idle(
        "droprate_schedule", lambda s: (s.size_inner == 0) | (s.droprate == 0),
        "without a droprate", "give a droprate above 0 and a size_inner",
    ),
    Idle("max_norm", lambda s: s.size_inner == 0, "without an inner layer", "give a size_inner"),
    Idle("hide_block", lambda s: s.hide_patches == 0, "without hide_patches", "give hide_patches"),
    Idle("hide_pixels", lambda s: s.views == 1, "with the plain view alone", "give 2 views"),
    Idle("weight_decay", lambda s: s.optimizer == "adam", "with adam", "choose adamw or sgd"),
    Idle("momentum", lambda s: s.optimizer != "sgd", "with another optimizer", "choose sgd"),
)  # fmt: skip
# Not among them: it is idle by its own value, and as adam it may stand beside adam.
ADAMW = Idle(
    "optimizer", lambda s: (s.optimizer == "adamw") & (s.weight_decay == 0),
    "without weight_decay",
    "give a weight_decay, such as 0.004, Keras's own for AdamW, or choose adam",
)  # fmt: skip


def unchanging(schedule: str, epochs: int) -> str | None:
    """What a `droprate_schedule` comes to that does not change within so many `epochs`, in words.

    None for one that does, and for `constant`.
    """
    kind, _, count = schedule.partition(":")
    if not count or int(count) < epochs:
        return None
    return "is constant" if f"{kind}:" == _EARLY else "hides no unit"


def check(name: str, value: Any) -> Any:
    """`value` as the hyperparameter `name` has it; raises `SettingError` if it is none."""
    return _CHECKS[name](name, value)


def _share(name: str, value: Any) -> float:
    return number(name, value, 0, 1, open_high=True)


def _up_to(high: float, *, open_low: bool = False) -> Callable[[str, Any], float]:
    return lambda name, value: number(name, value, 0, high, open_low=open_low)


def _count(low: int, high: int) -> Callable[[str, Any], int]:
    return lambda name, value: whole(name, value, low, high)


def _one_of(*options: str) -> Callable[[str, Any], str]:
    return lambda name, value: choice(name, value, options)


def _droprate_schedule(name: str, value: Any) -> str:
    for kind in (_EARLY, _LATE):
        if isinstance(value, str) and value.startswith(kind):
            epochs = whole(f"the epochs of {kind}N", value.removeprefix(kind), 1, MAX_EPOCHS)
            return f"{kind}{epochs}"
    return choice(name, value, ("constant", f"{_EARLY}N", f"{_LATE}N"))


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "learning_rate": _up_to(10, open_low=True),
    "size_inner": _count(0, MAX_SIZE_INNER),
    "droprate": _share,
    "droprate_schedule": _droprate_schedule,
    "feature_droprate": _share,
    "hide_patches": _share,
    "hide_block": _count(1, 64),
    "hide_pixels": _share,
    "views": _count(1, MAX_VIEWS),
    "mixup": _up_to(100),
    "label_smoothing": _share,
    "l2": _up_to(100),
    "weight_decay": _up_to(100),
    "max_norm": _up_to(1e6),
    "optimizer": _one_of(*OPTIMIZERS),
    "momentum": _share,
    "learning_rate_schedule": _one_of("constant", "cosine"),
    "epochs": _count(1, MAX_EPOCHS),
    "batch_size": _count(1, 65_536),
}
