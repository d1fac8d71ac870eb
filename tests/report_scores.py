"""Made-up scores by setting, for reports."""

from __future__ import annotations

import numpy as np

from manyheads.findings.parallel_scores import CandidateLine, ParallelScores
from manyheads.findings.scores_by_setting import PairScores, ScoresBySetting, ValueScores
from manyheads.stats.intervals import Estimate
from manyheads.stats.level_scores import LevelScore


def made_up_scores(values: int = 4, runs: int = 5, *, wide: float = 0.01) -> ScoresBySetting:
    """Made-up scores by droprate, of at most 24 values, with intervals so wide on either side."""
    shown = [f"{number / values:.3g}" for number in range(min(values, 24))]
    return ScoresBySetting(
        varying=("droprate",),
        by_value=tuple(
            ValueScores(
                hyperparameter="droprate", metric=metric, values=tuple(shown),
                levels=_levels(mean, len(shown), runs, wide), settings=1, of=1,
                selected=len(shown) // 2,
            )
            for metric, mean in (("accuracy", 0.84), ("log_loss", 0.53))
        ),
        pair=None,
        epochs={"accuracy": "at its best epoch", "log_loss": "at its best epoch"},
        runs="seed",
        measured_on="341 validation images",
        paired=runs > 1,
    )  # fmt: skip


def made_up_grid_scores(rows: int = 12, columns: int = 9, *, effects: int = 3) -> ScoresBySetting:
    """Made-up main effects, and a heat map of the two largest with an empty cell."""
    random = np.random.default_rng(0)
    names = ("droprate", "learning_rate_schedule", "size_inner", "l2", "mixup")[:effects]
    given = {"droprate": rows, "learning_rate_schedule": columns}
    values = {name: [f"{10 + n}" for n in range(given.get(name, 3))] for name in names}
    means = 0.84 + random.normal(0, 0.02, (rows, columns))
    means[0, 0] = np.nan
    return ScoresBySetting(
        varying=names,
        by_value=tuple(
            ValueScores(
                hyperparameter=name, metric="accuracy", values=tuple(values[name]),
                levels=_levels(0.84, len(values[name]), 5, 0.01), settings=4, of=6, selected=0,
            )
            for name in names
        ),
        pair=PairScores(
            rows=names[0], columns=names[1], row_values=tuple(values[names[0]]),
            column_values=tuple(values[names[1]]), means=means, settings=4, of=6,
            selected=(rows - 1, columns - 1),
        ),
        epochs={"accuracy": "at its best epoch"},
        runs="seed",
        measured_on="341 validation images",
        paired=True,
    )  # fmt: skip


def made_up_parallel(settings: int = 12, *, candidates: int | None = None) -> ParallelScores:
    """Made-up candidates over three hyperparameters, the best selected."""
    random = np.random.default_rng(0)
    scores = np.sort(random.normal(0.84, 0.01, settings)).tolist()
    return ParallelScores(
        hyperparameters=("learning_rate", "size_inner", "droprate"),
        values=(("0.001", "0.003"), ("none", "100"), ("0", "0.2", "0.5")),
        lines=tuple(
            CandidateLine(
                name=f"setting {n}", places=(n % 2, n // 2 % 2, n % 3), score=score,
                selected=n == settings - 1,
            )
            for n, score in enumerate(scores)
        ),
        candidates=candidates or settings,
        score="accuracy at its best epoch",
    )  # fmt: skip


def _levels(mean: float, count: int, runs: int, wide: float) -> tuple[LevelScore, ...]:
    random = np.random.default_rng(0)
    levels = []
    for place in range(count):
        scores = mean + 0.004 * place + random.normal(0, 0.006, runs)
        value = float(scores.mean())
        ends = (value - wide, value + wide) if runs > 1 else (None, None)
        levels.append(LevelScore(Estimate(value, *ends), scores))
    return tuple(levels)
