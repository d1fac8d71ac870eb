"""The head of a trial: its settings, and the law that it trains to the same numbers again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from manyheads.core.job import SILENT, Job
from manyheads.errors import RunError
from manyheads.heads.bank import Engine, EpochEnd, Fold, HeadSettings, Metrics, train_bank
from manyheads.heads.head import Parameters
from manyheads.study.select import Outcome
from manyheads.study.space import Trial
from manyheads.study.study_settings import StudySettings


def head_settings(settings: StudySettings, trial: Trial, epochs: int | None = None) -> HeadSettings:
    """The settings of the head that `trial` trains, to its last epoch or to `epochs` at most.

    Heads on different backbones draw the same numbers in a fold, so that they are paired.
    """
    setting, place = settings.grid[trial.candidate - 1], settings.place_of(trial.candidate)
    return HeadSettings(
        hyperparameters=setting,
        seed=trial.seed,
        fold=place * settings.divisions + trial.fold,
        epochs=setting.epochs if epochs is None else min(epochs, setting.epochs),
        patience=settings.patience,
        drawn_as=trial.fold,
    )


def folds_of_candidate(
    settings: StudySettings, candidate: int, folds: Sequence[Fold]
) -> Sequence[Fold]:
    """Of the `folds` of a study, which has them of each backbone in turn, those of a candidate."""
    first = settings.place_of(candidate) * settings.divisions
    return folds[first : first + settings.divisions]


def train_again(
    settings: StudySettings,
    outcomes: Sequence[Outcome],
    folds: Sequence[Fold],
    engine: Engine,
    job: Job = SILENT,
    on_epoch: Callable[[EpochEnd], None] = lambda _: None,
) -> Iterator[tuple[Outcome, Parameters]]:
    """Train the heads of finished trials again, to their chosen epochs, for their parameters.

    Yields these as heads end. Each epoch is held to what was recorded: see `check_same`.
    """
    heads = [head_settings(settings, each.trial, epochs=each.epoch) for each in outcomes]

    def check(event: EpochEnd) -> None:
        outcome = outcomes[event.head]
        check_same(outcome.trial, outcome.curve, event.epoch, event.metrics)
        on_epoch(event)

    rule = settings.select
    for end, _ in train_bank(engine, heads, folds, rule=rule, on_epoch=check, job=job):
        if end.parameters is not None:
            yield outcomes[end.head], end.parameters


def check_same(trial: Trial, curve: Sequence[Metrics], epoch: int, metrics: Metrics | None) -> None:
    """Hold an epoch of a trial that is trained again to its recorded `curve`.

    Beyond the curve's end all is new. `metrics` is None if the trial ended before `epoch`. Raises
    `RunError` if the numbers differ: then this is another machine than the one that recorded them.
    """
    if epoch <= len(curve) and metrics != curve[epoch - 1]:
        raise RunError(
            f"trial {trial.number} to train to the same numbers again",
            f"others in epoch {epoch}",
            "begin the study anew in another run folder; this machine or its libraries have "
            "changed since it was begun",
        )
