"""One setting of a head: what it is, how it is regularised, and how it is trained.

Each hyperparameter is declared once, in `Hyperparameters`. The grid of a study, the options of the
command line, the columns of tables, their description and the study.toml follow from that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from manyheads.core.settings import choice, number, store, whole
from manyheads.errors import SettingError
from manyheads.heads.class_weights import NO_WEIGHTS, check_class_weight

MAX_SIZE_INNER = 65_536
MAX_EPOCHS = 100_000
MAX_COPIES = 999
USUAL_EPOCHS, USUAL_STEPS = 30, 1_000
_EARLY, _LATE = "early:", "late:"
# What an epoch costs beside its units, as if it had so many more: gathering batches, validation.
# Checked by benchmarks/big_study.py, whose last table should be all about 1.
_FIXED_UNITS = 30


class Kind(NamedTuple):
    """What values a hyperparameter has: `check` gives one as it is kept, or raises SettingError.

    `is_whole` of numbers that have no fraction.
    """

    metavar: str
    check: Callable[[str, Any], Any]
    is_whole: bool = False


class Idle(NamedTuple):
    """A hyperparameter has no effect `where` this is true of a setting, or of many in arrays."""

    when: Callable[[Any], Any]
    where: str
    remedy: str


class Declaration(NamedTuple):
    """What is known of a hyperparameter.

    `neutral` is its default, and of a regulariser the value that does nothing; `usual` are the
    values that a study lists if nobody does, or none, and a rule in `usual_words`. In `words` a
    name in backquotes is a hyperparameter or a value. `of_images`: it needs images, and features
    that were computed elsewhere have none. `cost` is what an epoch costs more with it, in units of
    the inner layer, whatever its value. study.toml has it as `stored`, with values greater by
    `offset`: a name, once written, stays. Values drawn from a range are uniform on its `scale`,
    `linear` or `log`; words have none. One that came later is told, in files and tables, `if
    changed` from its neutral value: what was written before it came stays as it is.
    """

    neutral: Any
    kind: Kind
    words: str
    group: str
    usual: tuple[Any, ...]
    usual_words: str = ""
    idle: Idle | None = None
    of_images: bool = False
    cost: int = 0
    stored: str | None = None
    offset: int = 0
    scale: Literal["linear", "log"] | None = None
    told: Literal["always", "if changed"] = "always"


def _declared(neutral: Any, kind: Kind, words: str, group: str, **more: Any) -> Any:
    more = {"usual": (neutral,)} | more
    declaration = Declaration(neutral, kind, words, group, **more)
    metadata = {"declaration": declaration, "told": declaration.told}
    return field(default=neutral, metadata=metadata)


def _up_to(high: float, *, open_low: bool = False) -> Kind:
    return Kind("X", lambda name, value: number(name, value, 0, high, open_low=open_low))


def _count(low: int, high: int) -> Kind:
    return Kind("N", lambda name, value: whole(name, value, low, high), is_whole=True)


def _one_of(*options: str) -> Kind:
    return Kind("NAME", lambda name, value: choice(name, value, options))


def _schedule(name: str, value: Any) -> str:
    for kind in (_EARLY, _LATE):
        if isinstance(value, str) and value.startswith(kind):
            epochs = whole(f"the epochs of {kind}N", value.removeprefix(kind), 1, MAX_EPOCHS)
            return f"{kind}{epochs}"
    return choice(name, value, ("constant", f"{_EARLY}N", f"{_LATE}N"))


def _yes_or_no(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _YES if value else _NO
    return choice(name, value, (_NO, _YES))


_NO, _YES = "no", "yes"
_SHARE = Kind("SHARE", lambda name, value: number(name, value, 0, 1, open_high=True))
_HEAD, _REGULARISER, _TRAINING = "head", "regulariser", "training"
_NO_INNER_LAYER = Idle(lambda s: s.size_inner == 0, "without an inner layer", "give a size_inner")


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One setting of a head, under the names of the lesson and of Keras.

    What the head is: `size_inner` units of the inner layer, 0 for none.

    What is hidden in a training step, each a probability in [0, 1): `droprate` of the inner units
    (Srivastava et al. 2014), in the epochs that `droprate_schedule` names: `constant`, `early:N`
    (the first N epochs) or `late:N` (all after the first N; Liu et al. 2023); `input_droprate` of
    the head's inputs; `dropblock` of the cells of the feature map, in blocks of `dropblock_size`
    by `dropblock_size` cells (DropBlock, Ghiasi et al. 2018); `random_erasing`, the share of each
    augmented copy of an image that noise covers (Zhong et al. 2020). `augmented_copies` is from how
    many copies of an image a step chooses, beside the image itself.

    What else regularises: `mixup` mixes pairs of inputs and labels in shares drawn from
    Beta(mixup, mixup) (Zhang et al. 2018), 0 for none; `label_smoothing` in [0, 1); `l2` times the
    sum of the kernels' squares is added to the loss; `weight_decay` takes this share times the
    learning rate from all weights in a step (decoupled: Loshchilov and Hutter 2019); `max_norm`
    bounds the norm of each inner unit's incoming weights, 0 for no bound.

    How it is trained: by `optimizer` adam, adamw or sgd (with `momentum`) at a `learning_rate` in
    (0, 10] that is `constant` or falls to 0 over the `epochs` as a half `cosine`
    (`learning_rate_schedule`; Loshchilov and Hutter 2017), in batches of `batch_size` samples.
    `class_weight` multiplies the loss of each sample by the weight of its class, as Keras's does:
    `balanced` or weights by class (`heads/class_weights.py`); with `balanced_batches` `yes` each
    class has the same share of the batches, whatever its share of the samples.

    Raises `SettingError` for a value out of its range, and for one that something else takes all
    effect from, but for two that are merely idle: the droprate of a head without an inner layer,
    and adamw without weight_decay, which is adam.
    """

    learning_rate: float = _declared(
        0.01,
        _up_to(10, open_low=True),
        "the optimiser's step size",
        _HEAD,
        usual=(0.001,),
        scale="log",
    )
    size_inner: int = _declared(
        100, _count(0, MAX_SIZE_INNER), "units of the inner layer; 0 for none", _HEAD, scale="log"
    )
    droprate: float = _declared(
        0.5, _SHARE, "share of inner units hidden in a training step", _HEAD,
        usual=(0.0, 0.2, 0.5, 0.8), idle=_NO_INNER_LAYER, scale="linear",
    )  # fmt: skip
    droprate_schedule: str = _declared(
        "constant", Kind("WHEN", _schedule),
        "`constant`; `early:N`: units are hidden in the first N epochs only; `late:N`: only after "
        "them", _REGULARISER,
        idle=Idle(
            lambda s: (s.size_inner == 0) | (s.droprate == 0),
            "without a droprate", "give a droprate above 0 and a size_inner",
        ),
    )  # fmt: skip
    input_droprate: float = _declared(
        0.0, _SHARE, "share of the head's inputs hidden in a training step", _REGULARISER,
        cost=110, stored="feature_droprate", scale="linear",
    )  # fmt: skip
    dropblock: float = _declared(
        0.0, _SHARE,
        "DropBlock: share of the cells of the feature map hidden in a training step", _REGULARISER,
        of_images=True, cost=100, stored="hide_patches", scale="linear",
    )  # fmt: skip
    dropblock_size: int = _declared(
        1, _count(1, 64), "side, in cells, of the blocks that `dropblock` hides", _REGULARISER,
        of_images=True, stored="hide_block", scale="linear",
        idle=Idle(lambda s: s.dropblock == 0, "without dropblock", "give dropblock"),
    )  # fmt: skip
    random_erasing: float = _declared(
        0.0, _SHARE, "share of every augmented copy that a rectangle of noise covers", _REGULARISER,
        of_images=True, stored="hide_pixels", scale="linear",
        idle=Idle(
            lambda s: s.augmented_copies == 0,
            "without augmented copies", "give augmented_copies, such as 3",
        ),
    )  # fmt: skip
    augmented_copies: int = _declared(
        0, _count(0, MAX_COPIES),
        "copies of each training image that a step chooses from, beside the image itself",
        _REGULARISER, of_images=True, cost=25, stored="views", offset=1, scale="linear",
    )  # fmt: skip
    mixup: float = _declared(
        0.0, _up_to(100),
        "mix pairs of inputs and labels in shares drawn from Beta(X, X); 0 for none", _REGULARISER,
        cost=45, scale="linear",
    )  # fmt: skip
    label_smoothing: float = _declared(
        0.0, _SHARE, "share of a label that is spread over all classes", _REGULARISER,
        scale="linear",
    )  # fmt: skip
    l2: float = _declared(
        0.0, _up_to(100), "penalty on the squares of the kernels", _REGULARISER, scale="log"
    )
    weight_decay: float = _declared(
        0.0, _up_to(100),
        "decoupled decay of all weights by this share of them times the learning rate, a step; "
        "needs `optimizer` `adamw` or `sgd`", _REGULARISER,
        idle=Idle(lambda s: s.optimizer == "adam", "with adam", "choose adamw or sgd"), scale="log",
    )  # fmt: skip
    max_norm: float = _declared(
        0.0, _up_to(1e6), "bound on the norm of each inner unit's incoming weights; 0 for none",
        _REGULARISER, idle=_NO_INNER_LAYER, scale="log",
    )  # fmt: skip
    optimizer: str = _declared(
        "adam", _one_of("adam", "adamw", "sgd"),
        "`adam`, `adamw` (with `weight_decay`; Keras's own is 0.004) or `sgd`", _TRAINING,
    )  # fmt: skip
    momentum: float = _declared(
        0.0, _SHARE, "momentum of the optimizer `sgd`", _TRAINING,
        idle=Idle(lambda s: s.optimizer != "sgd", "with another optimizer", "choose sgd"),
        scale="linear",
    )  # fmt: skip
    learning_rate_schedule: str = _declared(
        "constant", _one_of("constant", "cosine"),
        "`constant`, or `cosine`: falls to 0 over the epochs", _TRAINING, usual=("cosine",),
    )  # fmt: skip
    epochs: int = _declared(
        USUAL_EPOCHS, _count(1, MAX_EPOCHS), "passes over the training images", _TRAINING,
        usual=(), usual_words=f"{USUAL_EPOCHS}, or as many more as make {USUAL_STEPS:,} steps",
        scale="log",
    )  # fmt: skip
    batch_size: int = _declared(32, _count(1, 65_536), "images per step", _TRAINING, scale="log")
    class_weight: str = _declared(
        NO_WEIGHTS, Kind("WEIGHTS", check_class_weight),
        "`none`; `balanced`: each class weighs the same in the loss; or a file with a line "
        "class,weight for each class", _TRAINING, told="if changed",
    )  # fmt: skip
    balanced_batches: str = _declared(
        _NO, Kind("WHETHER", _yes_or_no),
        "`yes`: each class has the same share of the batches; `no`", _TRAINING, told="if changed",
    )  # fmt: skip

    def __post_init__(self) -> None:
        store(self, **{name: check(name, getattr(self, name)) for name in NAMES})
        for name, rule in IDLE.items():
            value = getattr(self, name)
            if name != "droprate" and value != NEUTRAL[name] and rule.when(self):
                raise SettingError(f"{name} {NEUTRAL[name]} {rule.where}", f"{value}", rule.remedy)

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


DECLARED: dict[str, Declaration] = {
    each.name: each.metadata["declaration"] for each in fields(Hyperparameters)
}
NAMES = tuple(DECLARED)
LESSON = ("learning_rate", "size_inner", "droprate")
"""The hyperparameters that the lesson varies; the others keep their defaults there."""
NEUTRAL: dict[str, Any] = {name: each.neutral for name, each in DECLARED.items()}
TOLD_IF_CHANGED = tuple(name for name, each in DECLARED.items() if each.told == "if changed")
OF_IMAGES = tuple(name for name, each in DECLARED.items() if each.of_images)
IDLE = {name: each.idle for name, each in DECLARED.items() if each.idle}
# Not among them: it is idle by its own value, and as adam it may stand beside adam.
ADAMW = Idle(
    lambda s: (s.optimizer == "adamw") & (s.weight_decay == 0),
    "without weight_decay",
    "give a weight_decay, such as 0.004, Keras's own for AdamW, or choose adam",
)


def usual_epochs(samples: int, batch_size: int) -> int:
    """`USUAL_EPOCHS`, or as many more as make `USUAL_STEPS` steps of the optimiser.

    max(30, ⌈1000 / ⌈samples / batch_size⌉⌉). On few images 30 epochs are few steps, and a head that
    ends there is beaten by logistic regression (ours: `benchmarks/baselines.py`).
    """
    steps_an_epoch = math.ceil(samples / batch_size)
    return max(USUAL_EPOCHS, math.ceil(USUAL_STEPS / steps_an_epoch))


def epoch_cost(setting: Hyperparameters) -> float:
    """What an epoch of a head costs, in units of the inner layer."""
    # What making other inputs costs more is checked by benchmarks/regularisers.py in the same way.
    inputs = sum(
        each.cost for name, each in DECLARED.items() if getattr(setting, name) != each.neutral
    )
    return float(setting.size_inner + _FIXED_UNITS + inputs)


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
    return DECLARED[name].kind.check(name, value)


def as_stored(listed: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Values by hyperparameter as study.toml keeps them: its digest decides which study it is."""
    stored = {}
    for name, values in listed.items():
        known = DECLARED[name]
        if known.told == "if changed" and values == [known.neutral]:
            continue
        values = [value + known.offset for value in values] if known.offset else values
        stored[known.stored or name] = values
    return stored


def as_named(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Values, or lists of them, under the present names, whatever names they were stored under.

    The inverse of `as_stored`; what is no hyperparameter stays as it is. Side files of earlier
    versions are read by it too.
    """
    present = {
        known.stored: (name, known.offset) for name, known in DECLARED.items() if known.stored
    }
    named = {}
    for former, values in stored.items():
        name, offset = present.get(former, (former, 0))
        if offset:
            values = [v - offset for v in values] if isinstance(values, list) else values - offset
        named[name] = values
    return named
