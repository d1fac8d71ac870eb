"""An estimator's heads: one setting, several seeds, trained together as a bank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.core.settings import number, whole
from manyheads.errors import EstimatorError, SettingError
from manyheads.estimator.image_features import Samples, Sources, Vectors
from manyheads.estimator.targets import Targets
from manyheads.heads.averaged import averaged
from manyheads.heads.bank import HeadSettings, check_rule, engine_named, train_bank
from manyheads.heads.fold import Fold
from manyheads.heads.head import Parameters, forward
from manyheads.heads.hyperparameters import ADAMW, Hyperparameters

_AT_ONCE = 256  # samples whose features are in memory in float64


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How an estimator trains: `heads` heads of one `setting`, and what chooses their epoch.

    A share `held_out` of the samples, if any, is kept from training and chooses each head's epoch
    by the rule `select`; `patience` ends a head's training as in the engine contract. `fused`
    trains `threads` heads at a time. Raises `SettingError` for a value out of its range, for adamw
    without weight_decay, and for a rule or patience that have no samples to go by.
    """

    setting: Hyperparameters
    heads: int
    held_out: float | None
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


class Trained(NamedTuple):
    """The heads, and the curves of each under Keras's names."""

    heads: list[Parameters]
    history: list[dict[str, list[float]]]


def train(
    plan: TrainingPlan,
    seen: Vectors,
    targets: Targets,
    random: np.random.RandomState,
    sources_of: Callable[[Samples], Sources] | None = None,
) -> Trained:
    """Train the heads of `plan`; samples without weight are left out, as if they were not there.

    `sources_of` makes what training samples are seen as instead of plainly. Raises
    `EstimatorError` if a head diverges, or if a class is too small to be held out in part.
    """
    seeds = random.randint(np.iinfo(np.int32).max, size=plan.heads)
    fold = _fold(plan, seen, targets, random, sources_of)
    bank = [
        HeadSettings(
            hyperparameters=plan.setting, seed=int(seed), fold=0, epochs=plan.setting.epochs,
            patience=plan.patience,
        )
        for seed in seeds
    ]  # fmt: skip
    names = ("accuracy", "loss", "val_accuracy", "val_loss")[: 2 if plan.held_out is None else 4]
    engine = engine_named(plan.engine, plan.threads)
    trained: dict[int, tuple[Parameters, dict[str, list[float]]]] = {}
    for end, curve in train_bank(engine, bank, [fold], rule=plan.select):
        if end.status == "failed" or end.parameters is None:
            raise EstimatorError(
                "every head to train to its end", f"one that {end.note}",
                "give a lower learning_rate, or scale the features",
            )  # fmt: skip
        history = {name: [getattr(metrics, name) for metrics in curve] for name in names}
        trained[end.head] = end.parameters, history
    heads, histories = zip(*(trained[index] for index in range(len(bank))), strict=True)
    return Trained(list(heads), list(histories))


def _fold(
    plan: TrainingPlan,
    seen: Vectors,
    targets: Targets,
    random: np.random.RandomState,
    sources_of: Callable[[Samples], Sources] | None,
) -> Fold:
    labels, weights = targets.labels, targets.weights
    samples = np.arange(len(labels))
    if weights is not None:
        samples = samples[weights > 0]
    # The engines validate after each epoch. Where nothing is held out one sample costs no time,
    # and nobody looks at what comes of it.
    train, held_out = samples, samples[:1]
    if plan.held_out is not None:
        train, held_out = _divided(samples, labels[samples], plan.held_out, random)
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
    )


def _divided(
    samples: Samples,
    labels: Int64[np.ndarray, "samples"],
    share: float,
    random: np.random.RandomState,
) -> tuple[Samples, Samples]:
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
    return np.concatenate([train, samples[alone]]), np.asarray(held_out)


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
