"""What a study's store says while it trains: states, the best candidates, their curves.

Sums are SQLite's, so that neither time nor memory grows with what one trial has.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.heads.epoch_rules import metric_of
from manyheads.study.study_settings import StudySettings
from manyheads.study.trial_counts import only_read

LEADERS = 20  # candidates that are shown
_COLUMNS = {"accuracy": "val_accuracy", "log_loss": "val_loss"}
_ROWS = 200_000  # epochs that are read for curves

# A candidate's score is the mean over its trials that have ended; its deviation is over seeds, each
# of which is the mean of its folds. Mean and sum of squares are SQLite's, the root is not.
_ENDED = "trials.state = 'done' AND epochs.epoch = trials.epoch"
# Before any has ended, candidates wait at a rung with the epochs that they have.
_WAITING = (
    "trials.state IN ('pending', 'running') AND epochs.epoch ="
    " (SELECT max(epoch) FROM epochs AS later WHERE later.trial = trials.trial)"
)
# Where a seed is one trial, its mean is the trial's value: to group by seeds would take as long
# again.
_SCORES = """
    SELECT candidate, sum(heads), count(*), avg(value), avg(value * value) FROM (
        SELECT candidate, {heads} AS heads, {mean}({column}) AS value
        FROM trials JOIN epochs USING (trial){join} WHERE {condition} {group}
    ) GROUP BY candidate ORDER BY avg(value) {order}, candidate LIMIT {limit}
"""
_BANDS = """
    SELECT candidate, epoch, count(*), avg(value), min(value), max(value) FROM (
        SELECT candidate, epochs.epoch AS epoch, {mean}({column}) AS value
        FROM trials JOIN epochs USING (trial){join}
        WHERE candidate IN ({marks}) AND seed < ? AND {column} IS NOT NULL {group}
    ) GROUP BY candidate, epoch ORDER BY candidate, epoch
"""


@dataclass(frozen=True)
class LeadingCandidate:
    """A candidate (counted from 1): ended `heads` and `seeds`, mean score, deviation over seeds."""

    candidate: int
    heads: int
    seeds: int
    mean: float
    deviation: float | None


@dataclass(frozen=True)
class StoreView:
    """What a store says: trials by state, the best candidates in `metric`, bands of their curves.

    `bands` has, by candidate, (epoch, seeds, mean, least, greatest) of the validation score in
    `metric`, of the first `seeds` seeds. `waiting` says that scores are those of rungs, not of
    ended trials.
    """

    states: dict[str, int]
    metric: str
    leaders: tuple[LeadingCandidate, ...]
    waiting: bool
    bands: dict[int, list[list[Any]]]
    seeds: int


def store_view(path: Path, settings: StudySettings) -> StoreView:
    """The view of the store at `path`, which may be at work; an empty one if it is not there.

    Raises `RunError` for a file that is no store.
    """
    metric = metric_of(settings.select)
    if not path.is_file():
        return StoreView({}, metric, (), False, {}, 0)
    with only_read(path) as database:
        states = dict(database.execute("SELECT state, count(*) FROM trials GROUP BY state"))
        folded = settings.divisions > 1
        leaders, waiting = _scores(database, metric, _ENDED, folded=folded), False
        if not leaders:
            leaders, waiting = _scores(database, metric, _WAITING, folded=folded), True
        shown = [each.candidate for each in leaders]
        a_seed = max(1, len(shown)) * settings.divisions * settings.epochs
        seeds = max(1, min(settings.seeds, _ROWS // a_seed))
        bands = _bands(database, metric, shown, seeds, folded=folded)
    return StoreView(states, metric, tuple(leaders), waiting and bool(leaders), bands, seeds)


def _scores(
    database: sqlite3.Connection, metric: str, condition: str, *, folded: bool
) -> list[LeadingCandidate]:
    order = "ASC" if metric == "log_loss" else "DESC"
    query = _SCORES.format(
        condition=condition, order=order, limit=LEADERS,
        heads="count(*)" if folded else "1", mean="avg" if folded else "",
        group="GROUP BY candidate, seed" if folded else "", **_read(database, metric),
    )  # fmt: skip
    return [
        LeadingCandidate(candidate, heads, seeds, mean, _deviation(seeds, mean, square))
        for candidate, heads, seeds, mean, square in database.execute(query)
        if mean is not None
    ]


def _read(database: sqlite3.Connection, metric: str) -> dict[str, str]:
    """The column of a score, and what joins its table; a score of classes has one of its own."""
    if metric in _COLUMNS:
        return {"column": f"epochs.{_COLUMNS[metric]}", "join": ""}
    found = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'scores'").fetchone()
    if found is None:  # no trial has ended
        return {"column": "NULL", "join": ""}
    on = "scores.trial = epochs.trial AND scores.epoch = epochs.epoch"
    return {"column": "scores.val_score", "join": f" LEFT JOIN scores ON {on}"}


def _deviation(seeds: int, mean: float, square: float) -> float | None:
    """The standard deviation over seeds, of the mean of values and of their squares."""
    if seeds < 2:
        return None
    return (max(0.0, square - mean * mean) * seeds / (seeds - 1)) ** 0.5


def _bands(
    database: sqlite3.Connection,
    metric: str,
    candidates: list[int],
    seeds: int,
    *,
    folded: bool,
) -> dict[int, list[list[Any]]]:
    bands: dict[int, list[list[Any]]] = {each: [] for each in candidates}
    if candidates:
        query = _BANDS.format(
            marks=", ".join("?" * len(candidates)), mean="avg" if folded else "",
            group="GROUP BY candidate, seed, epochs.epoch" if folded else "",
            **_read(database, metric),
        )  # fmt: skip
        for candidate, *row in database.execute(query, (*candidates, seeds)):
            bands[candidate].append([row[0], row[1], *(round(value, 5) for value in row[2:])])
    return bands
