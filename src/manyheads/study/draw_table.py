"""How study.toml keeps candidates that were drawn: what was asked, and what came of it.

`[grid]` lists values and ranges under their present names, and `[draw]` the number of candidates,
the seed and the values, a list by hyperparameter. The values count: a study stays what it is
even where another version would draw others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import check
from manyheads.heads.ranges import Range, item_of
from manyheads.study.drawn_candidates import DrawnCandidates
from manyheads.study.space import HYPERPARAMETERS, Candidates, Grid

DRAW = "draw"


def draw_tables(candidates: Candidates) -> dict[str, Any]:
    """The tables `grid` and `draw`; empty for candidates that were not drawn."""
    candidates = candidates.drawn or candidates
    if not isinstance(candidates, DrawnCandidates):
        return {}
    asked = {
        name: [str(item) if isinstance(item, Range) else item for item in items]
        for name, items in candidates.asked.items()
    }
    columns = dict(zip(HYPERPARAMETERS, zip(*candidates.rows, strict=True), strict=True))
    drawn = {
        name: list(column)
        for name, column in columns.items()
        if set(column) != set(candidates.asked[name]) or len(candidates.asked[name]) > 1
    }
    return {"grid": asked, DRAW: {"candidates": len(candidates), "seed": candidates.seed, **drawn}}


def read_candidates(
    grid: Mapping[str, Sequence[Any]], draw: Mapping[str, Any] | None
) -> Candidates:
    """The candidates of the tables `grid` and `draw` of a study.toml, with all hyperparameters.

    Raises `SettingError` for values out of range or lists of other lengths, and `KeyError` for
    what is missing.
    """
    if draw is None:
        return Grid(**{name: tuple(values) for name, values in grid.items()})
    asked = {name: [item_of(name, each) for each in values] for name, values in grid.items()}
    count = draw["candidates"]
    columns = {name: draw.get(name, grid[name] * count) for name in HYPERPARAMETERS}
    for name, values in columns.items():
        if len(values) != count:
            raise SettingError(
                f"{count} drawn values of {name}", f"{len(values)}", "restore the table [draw]"
            )
    checked = [[check(name, value) for value in columns[name]] for name in HYPERPARAMETERS]
    return DrawnCandidates(asked, draw["seed"], list(zip(*checked, strict=True)))
