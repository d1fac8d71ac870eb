"""Whether heads learnt a mark instead of a class: three measures, and every gap with its interval.

Heads of all arms predict the same images: the control, which never saw the mark; heads trained
where one class carries it; and the remedies. All have the same candidates and seeds, so every
difference is paired by image and seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.stats.paired import Decided, Margins, Paired, decide, measure
from manyheads.stats.variances import Layout

CONTROL, MARKED = "control", "marked"
MEASURES = ("clean_accuracy", "recall", "called")
LESS_IS_BETTER = ("called",)
FAILED = -1

Scores = Float64[np.ndarray, "seeds images"]


@dataclass(frozen=True)
class Question:
    """The images that heads predict: those without the mark, and those that carry it.

    `labels` and `units` are of the plain ones, all classes; `target` is the class whose training
    images carried the mark; `marked_units` are of the marked ones, none of which is of `target`.
    """

    labels: Int64[np.ndarray, "images"]
    units: Int64[np.ndarray, "images"]
    target: int
    marked_units: Int64[np.ndarray, "marked"]


class PredictedClasses(NamedTuple):
    """The class that each head names, one row per seed; `FAILED` throughout where it diverged."""

    plain: Int64[np.ndarray, "seeds images"]
    marked: Int64[np.ndarray, "seeds marked"]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measure of one candidate in one arm, in [0, 1], over `images` and `seeds`.

    `clean_accuracy` is on all images without the mark, `recall` on those of the class, and
    `called` is how often images of other classes that carry the mark are called the class.
    `deviation` is the sample standard deviation over seeds. `gap` is this less the control's.
    `change` says what a remedy does to the gap: this less that of the marked arm; in the marked
    arm itself it is the gap less that of the first candidate. `change_from` names which. None:
    nothing to compare with.
    """

    arm: str
    candidate: int
    measure: str
    images: int
    seeds: int
    value: float | None
    deviation: float | None
    gap: Decided | None
    change: Decided | None
    change_from: str


def measured(question: Question, answers: PredictedClasses) -> dict[str, Scores]:
    """0 or 1 for each image that a measure is about; NaN where a head failed."""
    of_class = question.labels == question.target
    failed = (answers.plain == FAILED).any(axis=1)
    tables = {
        "clean_accuracy": answers.plain == question.labels,
        "recall": answers.plain[:, of_class] == question.target,
        "called": answers.marked == question.target,
    }
    return {name: np.where(failed[:, None], np.nan, table) for name, table in tables.items()}


def judge(
    question: Question, arms: Mapping[str, Sequence[PredictedClasses]], margin: float
) -> tuple[Measurement, ...]:
    """Every measure of every candidate in every arm, with its gaps, adjusted as one family.

    `arms` begin with the control and the marked one; each has the answers of every candidate.
    Differences up to `margin` make none in practice.
    """
    scores = {
        (arm, number): measured(question, answers)
        for arm, candidates in arms.items()
        for number, answers in enumerate(candidates, start=1)
    }
    apart: dict[tuple[str, int, str, str], Scores] = {}
    for (arm, number), tables in scores.items():
        for name in MEASURES if arm != CONTROL else ():
            gap = tables[name] - scores[CONTROL, number][name]
            apart[arm, number, name, "gap"] = gap
            if arm != MARKED:
                apart[arm, number, name, "change"] = tables[name] - scores[MARKED, number][name]
            elif number > 1:
                first = scores[MARKED, 1][name] - scores[CONTROL, 1][name]
                apart[arm, number, name, "change"] = gap - first
    decided = _decided(question, apart, margin)
    return tuple(
        _entry((arm, number, name), tables[name], *(
            decided.get((arm, number, name, kind)) for kind in ("gap", "change")
        ))
        for (arm, number), tables in scores.items()
        for name in MEASURES
    )  # fmt: skip


def _decided(
    question: Question, apart: Mapping[tuple[str, int, str, str], Scores], margin: float
) -> dict[tuple[str, int, str, str], Decided]:
    """Every difference that some seed finished on both sides, as one family."""
    of_class = question.labels == question.target
    layouts = {
        "clean_accuracy": _layout(question.units),
        "recall": _layout(question.units[of_class]),
        "called": _layout(question.marked_units),
    }
    family: dict[tuple[str, int, str, str], Paired] = {}
    for key, scores in apart.items():
        finished = scores[np.isfinite(scores).all(axis=1)]
        if len(finished):
            layout, sign = layouts[key[2]], -1 if key[2] in LESS_IS_BETTER else 1
            sums = layout.sums(sign * finished[:, None])
            family[key] = measure("accuracy", sums, layout)
    decided = decide(list(family.values()), Margins(accuracy=margin))
    return {
        key: _negative(each) if key[2] in LESS_IS_BETTER else each
        for key, each in zip(family, decided, strict=True)
    }


def _layout(units: Int64[np.ndarray, "images"]) -> Layout:
    return Layout.of(units, np.zeros((1, len(units)), np.int64), 1)


def _negative(each: Decided) -> Decided:
    # 0 − x, for −x makes a negative zero of zero.
    return replace(
        each,
        difference=0 - each.difference,
        low=0 - each.high,
        high=0 - each.low,
        adjusted_low=0 - each.adjusted_high,
        adjusted_high=0 - each.adjusted_low,
    )


def _entry(
    place: tuple[str, int, str], scores: Scores, gap: Decided | None, change: Decided | None
) -> Measurement:
    arm, number, name = place
    by_seed = scores[np.isfinite(scores).all(axis=1)].mean(axis=1)
    origin = "candidate 1" if arm == MARKED else MARKED
    return Measurement(
        arm=arm,
        candidate=number,
        measure=name,
        images=scores.shape[1],
        seeds=len(by_seed),
        value=float(by_seed.mean()) if len(by_seed) else None,
        deviation=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        gap=gap,
        change=change,
        change_from=origin if change else "",
    )
