"""An estimator's heads: one setting, several seeds, trained together as a bank."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self, cast

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from manyheads.core.settings import number, whole
from manyheads.errors import EstimatorError, SettingError
from manyheads.estimator.image_features import Samples, Sources, Vectors
from manyheads.estimator.targets import Targets
from manyheads.heads.averaged import averaged
from manyheads.heads.bank import HeadEnd, HeadSettings, engine_named, train_bank
from manyheads.heads.class_weights import require_known_classes
from manyheads.heads.epoch_rules import check_rule
from manyheads.heads.fold import Fold
from manyheads.heads.head import Parameters, forward
from manyheads.heads.hyperparameters import ADAMW, Hyperparameters, usual_epochs
from manyheads.stats.calibration import HIGHEST, LOWEST, fit_temperature

_AT_ONCE = 256  # samples whose features are in memory in float64
_CALIBRATING = 0.2  # share of the samples that twins do not train on
_FEWEST = 30  # samples that a temperature is fitted to


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How an estimator trains: `heads` heads of one `setting`, and what chooses their epoch.

    A share `held_out` of the samples, if any, is kept from training and chooses each head's epoch
    by the rule `select`; `patience` ends a head's training as in the engine contract. If they are
    to `calibrate`, a temperature divides their logits. With `usual_epochs` they train for as many
    as suit the number of samples, and not for those of the setting. `fused` trains `threads` heads
    at a time. Raises `SettingError` for a value out of its range, for adamw without weight_decay,
    and for a rule or patience that have no samples to go by.
    """

    setting: Hyperparameters
    usual_epochs: bool
    heads: int
    held_out: float | None
    calibrate: bool
    select: str
    patience: int | None
    engine: str
    threads: int | None

    def __post_init__(self) -> None:
        whole("heads", self.heads, 1, 10_000)
        if ADAMW.when(self.setting):
            raise SettingError(f"optimizer adam {ADAMW.where}", "adamw", ADAMW.remedy)
        if self.held_out is not None:
            number("validation_fraction", self.held_out, 0, 1, open_low=True, open_high=True)
        if self.patience is not None:
            whole("patience", self.patience, 1, 100_000)
        blind = check_rule(self.select).startswith("best") or self.patience is not None
        if blind and self.held_out is None:
            raise SettingError(
                f"a validation_fraction for select {self.select} and patience {self.patience}",
                "None", "give the share of the samples to choose an epoch by",
            )  # fmt: skip

    def with_class_weight(self, given: Any, classes: Shaped[np.ndarray, "classes"]) -> Self:
        """The same with weights by class under the names of `classes`.

        Raises `SettingError` for a weight of another class.
        """
        if not isinstance(given, Mapping):
            return self
        names = [str(each) for each in classes]
        name_of = dict(zip(classes.tolist(), names, strict=True))
        weights = {name_of.get(key, str(key)): value for key, value in given.items()}
        setting = replace(self.setting, class_weight=cast(str, weights))
        require_known_classes([setting.class_weight], names)
        return replace(self, setting=setting)


class Trained(NamedTuple):
    """The heads, the curves of each under Keras's names, and what was decided by the samples.

    That is for how many `epochs` they may train, and the temperature that divides their logits.
    """

    heads: list[Parameters]
    history: list[dict[str, list[float]]]
    epochs: int
    temperature: float


def train(
    plan: TrainingPlan,
    seen: Vectors,
    targets: Targets,
    random: np.random.RandomState,
    sources_of: Callable[[Samples], Sources] | None = None,
) -> Trained:
    """Train the heads of `plan`; samples without weight are left out, as if they were not there.

    The temperature has the least log loss of the mean of the heads' logits on the samples held out;
    where none are, on a fifth of the samples, by twins of the heads that train on the others. It is
    1 if these are too few to tell, or all told apart. `sources_of` makes what training samples are
    seen as instead of plainly. Raises `EstimatorError` if a head diverges, or if a class is too
    small to be held out in part.
    """
    seeds = random.randint(np.iinfo(np.int32).max, size=plan.heads)
    kept = np.arange(len(targets.labels))
    if targets.weights is not None:
        kept = kept[targets.weights > 0]
    # The engines validate after each epoch. Where nothing is held out one sample costs no time,
    # and nobody looks at what comes of it.
    parts = [HeldOut(kept, kept[:1])]
    if plan.held_out is not None:
        parts = [_divided(kept, targets.labels[kept], plan.held_out, random)]
    elif plan.calibrate and (calibrating := _calibrating(kept, targets.labels[kept], random)):
        parts.append(calibrating)
    folds = [_fold(plan, seen, targets, part, sources_of) for part in parts]
    setting = plan.setting
    if plan.usual_epochs:
        epochs = usual_epochs(len(parts[0].train), setting.batch_size)
        setting = replace(setting, epochs=epochs)
    bank = [
        HeadSettings(
            hyperparameters=setting, seed=int(seed), fold=fold, epochs=setting.epochs,
            patience=plan.patience,
        )
        for fold in range(len(folds))
        for seed in seeds
    ]  # fmt: skip
    names = ("accuracy", "loss", "val_accuracy", "val_loss")[: 2 if plan.held_out is None else 4]
    engine = engine_named(plan.engine, plan.threads)
    trained: dict[int, tuple[HeadEnd, dict[str, list[float]]]] = {}
    for end, curve in train_bank(engine, bank, folds, rule=plan.select):
        if end.status == "failed":
            raise EstimatorError(
                "every head to train to its end", f"one that {end.note}",
                "give a lower learning_rate, or scale the features",
            )  # fmt: skip
        history = {name: [getattr(metrics, name) for metrics in curve] for name in names}
        trained[end.head] = end, history
    ends, histories = zip(*(trained[index] for index in range(len(bank))), strict=True)
    temperature = 1.0
    if plan.calibrate and (plan.held_out is not None or len(parts) > 1):
        temperature = _temperature(ends[-plan.heads :], targets, parts[-1].held_out)
    heads = [averaged([_parameters(end)], temperature) for end in ends[: plan.heads]]
    return Trained(heads, list(histories[: plan.heads]), setting.epochs, temperature)


class HeldOut(NamedTuple):
    """Samples to train on, and samples held out."""

    train: Samples
    held_out: Samples


def _calibrating(
    samples: Samples, labels: Int64[np.ndarray, "samples"], random: np.random.RandomState
) -> HeldOut | None:
    """What twins train on and what tells their temperature; None if the samples are too few."""
    if _CALIBRATING * len(samples) < _FEWEST:
        return None
    try:
        return _divided(samples, labels, _CALIBRATING, random)
    except EstimatorError:
        return None


def _temperature(ends: Sequence[HeadEnd], targets: Targets, held_out: Samples) -> float:
    if len(held_out) < _FEWEST:
        return 1.0
    # A head's log-probabilities are its logits up to a number for each sample.
    each = [end.chosen for end in ends if end.chosen is not None]
    logits = np.stack(each).astype(np.float32).mean(axis=0)
    weights = None if targets.weights is None else targets.weights[held_out]
    temperature = fit_temperature(logits, targets.labels[held_out], weights)
    return temperature if LOWEST < temperature < HIGHEST else 1.0


def _parameters(end: HeadEnd) -> Parameters:
    assert end.parameters is not None  # of a head that is done
    return end.parameters


def _fold(
    plan: TrainingPlan,
    seen: Vectors,
    targets: Targets,
    part: HeldOut,
    sources_of: Callable[[Samples], Sources] | None,
) -> Fold:
    labels, weights, (train, held_out) = targets.labels, targets.weights, part
    sources, cells = ({}, None) if sources_of is None else sources_of(train)
    if cells is not None and plan.setting.dropblock_size > min(cells):
        raise SettingError(
            f"a dropblock_size within the feature map of {cells[0]}×{cells[1]} cells",
            f"{plan.setting.dropblock_size}", "give a smaller one, or larger images",
        )  # fmt: skip
    return Fold(
        matrix=seen.matrix,
        train=seen.rows[train],
        train_labels=labels[train],
        validation=seen.rows[held_out],
        validation_labels=labels[held_out],
        classes=len(targets.classes),
        sources=sources,
        cells=cells,
        weights=None if weights is None else weights[train],
        class_names=tuple(str(each) for each in targets.classes),
    )


def _divided(
    samples: Samples,
    labels: Int64[np.ndarray, "samples"],
    share: float,
    random: np.random.RandomState,
) -> HeldOut:
    """Samples to train on and samples held out, each class in both by its share.

    A class of one sample cannot be held out: it trains.
    """
    from sklearn.model_selection import train_test_split

    alone = np.bincount(labels)[labels] == 1
    try:
        train, held_out = train_test_split(
            samples[~alone], test_size=share, stratify=labels[~alone], random_state=random
        )
    except ValueError as error:
        raise EstimatorError(
            f"samples of every class in both parts of a validation_fraction of {share:g}",
            str(error), "give more samples of each class, or no validation_fraction",
        ) from error  # fmt: skip
    return HeldOut(np.concatenate([train, samples[alone]]), np.asarray(held_out))


def mean_logits(
    heads: Sequence[Parameters], seen: Vectors
) -> Float64[np.ndarray, "samples classes"]:
    """The mean over heads of the samples' logits.

    In float64: the last digits of a float32 product depend on how many samples it is of, and what
    a head says of a sample must not depend on the others.
    """
    double = Parameters(*(array.astype(np.float64) for array in averaged(heads)))
    logits = np.empty((len(seen.rows), len(double.bias)))
    for start in range(0, len(logits), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        logits[part] = forward(double, seen.matrix[seen.rows[part]].astype(np.float64))
    return logits
