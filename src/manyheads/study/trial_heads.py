"""The head of a trial: its settings, and the law that it trains to the same numbers again."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.errors import RunError
from manyheads.heads.bank import HeadSettings, Metrics
from manyheads.study.settings import StudySettings
from manyheads.study.space import Trial


def head_settings(settings: StudySettings, trial: Trial, epochs: int | None = None) -> HeadSettings:
    """The settings of the head that `trial` trains, to its last epoch or to `epochs` at most."""
    setting = settings.grid[trial.candidate - 1]
    return HeadSettings(
        hyperparameters=setting,
        seed=trial.seed,
        fold=trial.fold,
        epochs=setting.epochs if epochs is None else min(epochs, setting.epochs),
        patience=settings.patience,
    )


def check_same(trial: Trial, curve: Sequence[Metrics], epoch: int, metrics: Metrics | None) -> None:
    """Hold an epoch of a trial that is trained again to its recorded `curve`.

    Beyond the curve's end all is new. `metrics` is None if the trial ended before `epoch`. Raises
    `RunError` if the numbers differ: then this is another machine than the one that recorded them.
    """
    if epoch <= len(curve) and metrics != curve[epoch - 1]:
        raise RunError(
            f"trial {trial.number} to train to the same numbers again",
            f"others in epoch {epoch}",
            "begin the study anew in another --out; this machine or its libraries have changed "
            "since it was begun",
        )
