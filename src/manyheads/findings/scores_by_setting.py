"""How the score depends on what varies in a study: by the value of each hyperparameter, and of two.

A study that varies one hyperparameter has the scores at its values. One that varies several has
their main effects, means over the settings of all others, and the means by the two hyperparameters
with the largest. Only values are compared that were trained with the same settings of the others,
and only candidates that trained to their end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from manyheads.core.text import counted
from manyheads.findings.scattered_scores import ScatteredScores, scattered_scores
from manyheads.findings.study_findings import Findings
from manyheads.findings.wording import METRIC_WORDS
from manyheads.heads.epoch_rules import METRIC_RULES, chooses_epoch, fixed_epoch, metric_of, rule_of
from manyheads.stats.level_scores import LevelScore, level_scores
from manyheads.stats.paired import compared_in
from manyheads.study.space import Candidates, value_words

VALUES = 24  # of a hyperparameter; more are thinned out evenly
EFFECTS = 8  # main effects, the largest
ROWS, COLUMNS = 12, 9  # of the means by two hyperparameters
_AVERAGED = 100  # candidates whose scores image by image a main effect is measured on

Values = tuple[float | str, ...]


@dataclass(frozen=True, kw_only=True)
class ValueScores:
    """Scores in `metric` at the `values` of one hyperparameter, in words and in their order.

    `levels` are means over `settings` of the other hyperparameters, of `of` that there are.
    `selected` is the place of the selected candidate's value, None if that is not among them.
    """

    hyperparameter: str
    metric: str
    values: tuple[str, ...]
    levels: tuple[LevelScore, ...]
    settings: int
    of: int
    selected: int | None

    @property
    def size(self) -> float:
        """The size of the effect: the greatest mean less the least."""
        means = [level.mean.value for level in self.levels]
        return max(means) - min(means)


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """Mean scores in `metric` by the values of two hyperparameters; NaN where no candidate is.

    `means` are over `settings` of the other hyperparameters, of `of` that there are. `selected` is
    the row and column of the selected candidate.
    """

    rows: str
    columns: str
    row_values: tuple[str, ...]
    column_values: tuple[str, ...]
    means: Float64[np.ndarray, "rows columns"]
    settings: int
    of: int
    selected: tuple[int, int] | None
    metric: str = "accuracy"


@dataclass(frozen=True, kw_only=True)
class ScoresBySetting:
    """A study's validation scores by what varies in it.

    `varying` are all hyperparameters that vary. Of one, `by_value` has accuracy and log loss; of
    several, accuracy by each, the largest main effect first, of at most `EFFECTS`, and `pair` is
    by the two largest. Candidates that were drawn have `scattered` scores in place of both.
    `epochs` says by metric at which epoch it was measured, `runs` what one score is of,
    `measured_on` on which images. `paired` is False where no interval is known.
    """

    varying: tuple[str, ...]
    by_value: tuple[ValueScores, ...]
    pair: PairScores | None
    epochs: dict[str, str]
    runs: str
    measured_on: str
    paired: bool
    scattered: tuple[ScatteredScores, ...] = ()


def scores_by_setting(findings: Findings) -> ScoresBySetting | None:
    """The scores of a finished study by setting; None where fewer than two values can be compared.

    Means are of validation scores as everywhere in the findings: in each metric at its own epoch,
    with folds less the optimism of having chosen that epoch on the same images.
    """
    varying = findings.settings.grid.varying
    by_value: Sequence[ValueScores] = ()
    pair, scattered = None, ()
    if findings.settings.grid.drawn is not None:
        scattered = scattered_scores(findings)
    elif len(varying) == 1:
        measured = [_by_value(findings, varying[0], metric) for metric in _metrics(findings)]
        by_value = [each for each in measured if each is not None]
    else:
        effects = [_by_value(findings, name, _metrics(findings)[0]) for name in varying]
        by_value = sorted(filter(None, effects), key=lambda each: -each.size)[:EFFECTS]
        pair = _by_pair(findings, [each.hyperparameter for each in by_value[:2]])
    if not (by_value or scattered):
        return None
    return ScoresBySetting(
        varying=varying,
        by_value=tuple(by_value),
        pair=pair,
        epochs={
            each.metric: epoch_words(findings, each.metric) for each in (*by_value, *scattered)
        },
        runs=_run_words(findings),
        measured_on=_image_words(findings),
        paired=any(level.mean.low is not None for each in by_value for level in each.levels),
        scattered=scattered,
    )


def _metrics(findings: Findings) -> tuple[str, ...]:
    """The metrics to show: the share that selects, or accuracy, and log loss."""
    return tuple(reversed(compared_in(metric_of(findings.settings.select))))


def epoch_words(findings: Findings, metric: str) -> str:
    """At which epoch the findings' scores in `metric` were measured: `at its best epoch`."""
    rule = findings.settings.select
    if findings.validated.other_epochs is not None:
        rule = rule_of(metric, rule)
    if chooses_epoch(rule) and rule == METRIC_RULES.get(metric):
        return "at its best epoch"
    if chooses_epoch(rule):  # no other epoch is known
        (chooser,) = (name for name, own in METRIC_RULES.items() if own == rule)
        return f"at the epoch of the best {METRIC_WORDS[chooser]}"
    fixed = fixed_epoch(rule)
    return "after the last epoch" if fixed is None else f"after epoch {fixed}"


def _image_words(findings: Findings) -> str:
    images = len(findings.validated.labels)
    if findings.settings.folds is None:
        return counted(images, "validation image")
    return f"{counted(images, 'image')}, each when it was left out"


def _run_words(findings: Findings) -> str:
    if findings.settings.folds is None:
        return "seed"
    repeats = findings.settings.repeats or 1
    return "seed and repeat, over all folds" if repeats > 1 else "seed, over all folds"


def _by_value(findings: Findings, name: str, metric: str) -> ValueScores | None:
    cells = _Cells(findings, (name,))
    selected = cells.selected
    listed = getattr(findings.settings.grid, name)
    values = [(value,) for value in _in_order(listed, (value for (value,) in cells.values))]
    values = [values[place] for place in _spread(len(values), VALUES, _place(values, selected))]
    blocks = cells.blocks(values)
    if len(values) < 2 or not blocks:
        return None
    shown = _spread(len(blocks), max(1, _AVERAGED // len(values)))
    levels = level_scores(findings.differences, [blocks[place] for place in shown], metric)
    if not levels:
        return None
    return ValueScores(
        hyperparameter=name,
        metric=metric,
        values=tuple(value_words(name, value) for (value,) in values),
        levels=tuple(levels),
        settings=len(shown),
        of=cells.settings,
        selected=_place(values, selected),
    )


def _by_pair(findings: Findings, names: Sequence[str]) -> PairScores | None:
    """Means by two hyperparameters; the one with more values in rows, where there is more room."""
    if len(names) < 2:
        return None
    grid = findings.settings.grid
    names = sorted(names, key=lambda name: -len(getattr(grid, name)))
    cells = _Cells(findings, tuple(names))
    axes = []
    for place, most in enumerate((ROWS, COLUMNS)):
        listed = getattr(grid, names[place])
        values = _in_order(listed, (pair[place] for pair in cells.values))
        kept = _place(values, cells.selected[place])
        axes.append([values[each] for each in _spread(len(values), most, kept)])
    rows, columns = axes
    present = [(r, c) for r in rows for c in columns if (r, c) in cells.values]
    blocks = cells.blocks(present)
    if not blocks:
        return None
    metric = _metrics(findings)[0]
    means = np.full((len(rows), len(columns)), np.nan)
    for (row, column), candidates in zip(present, zip(*blocks, strict=True), strict=True):
        scores = [findings.differences.mean(each, metric) for each in candidates]
        means[rows.index(row), columns.index(column)] = np.mean(scores)
    row, column = (_place(axis, value) for axis, value in zip(axes, cells.selected, strict=True))
    return PairScores(
        rows=names[0],
        columns=names[1],
        row_values=tuple(value_words(names[0], value) for value in rows),
        column_values=tuple(value_words(names[1], value) for value in columns),
        means=means,
        metric=metric,
        settings=len(blocks),
        of=cells.settings,
        selected=None if row is None or column is None else (row, column),
    )


class _Cells:
    """The candidates that trained to their end, by their values of some hyperparameters.

    A setting of the others is a block; it is whole if it has a candidate of every value wanted.
    """

    def __init__(self, findings: Findings, names: tuple[str, ...]) -> None:
        grid = findings.settings.grid
        others = [name for name in grid.varying if name not in names]
        mean = findings.differences.mean  # of a candidate that finished no seed, NaN
        self._by_others: dict[Values, dict[Values, int]] = {}
        for candidate in findings.validated.candidates:
            setting = grid[candidate - 1]
            own = tuple(getattr(setting, name) for name in names)
            # Where a hyperparameter has no effect it has its neutral value, listed or not.
            if np.isfinite(mean(candidate, "accuracy")) and _is_listed(grid, names, own):
                rest = tuple(getattr(setting, name) for name in others)
                self._by_others.setdefault(rest, {})[own] = candidate
        best = grid[findings.result.ranking[0].candidate - 1]
        self.selected: Values = tuple(getattr(best, name) for name in names)
        self.values = {own for block in self._by_others.values() for own in block}
        self.settings = len(self._by_others)

    def blocks(self, values: Sequence[Values]) -> list[list[int]]:
        """The candidates of `values` in every whole block."""
        blocks = self._by_others.values()
        whole = [block for block in blocks if all(value in block for value in values)]
        return [[block[value] for value in values] for block in whole]


def _is_listed(grid: Candidates, names: Sequence[str], own: Values) -> bool:
    return all(value in getattr(grid, name) for name, value in zip(names, own, strict=True))


def _in_order(listed: Values, values: Iterable[float | str]) -> list[float | str]:
    """Numbers ascending, words as they were listed."""
    words = any(isinstance(value, str) for value in listed)
    return sorted(set(values), key=listed.index if words else None)


def _spread(count: int, most: int, kept: int | None = None) -> list[int]:
    """At most `most` places of `count`, evenly spread, with the first, the last and the `kept`."""
    if count <= most:
        return list(range(count))
    places = np.linspace(0, count - 1, most).round().astype(int).tolist()
    if kept is not None and kept not in places:
        inner = range(1, len(places) - 1)
        places[min(inner, key=lambda place: abs(places[place] - kept))] = kept
    return sorted(places)


def _place(values: Sequence[object], value: object) -> int | None:
    return values.index(value) if value in values else None
