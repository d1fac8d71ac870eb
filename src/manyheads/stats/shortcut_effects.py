"""The effect of a planted mark on heads: three measures in each condition, with intervals.

A condition is one way to train all candidates: the control, without the mark; marked, where one
class carries it; and the remedies. Heads of all conditions predict the same images, with the same
candidates and seeds, so differences are paired by image and seed. A gap is a measure's difference
from the control.
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
class EvaluatedImages:
    """The images that heads predict: those without the mark, and those that carry it.

    `labels` and `units` are of the plain ones, all classes; `target` is the class whose training
    images carried the mark; `marked_units` are of the marked ones, none of which is of `target`.
    """

    labels: Int64[np.ndarray, "images"]
    units: Int64[np.ndarray, "images"]
    target: int
    marked_units: Int64[np.ndarray, "marked"]


class PredictedClasses(NamedTuple):
    """The predicted class, one row per seed; `FAILED` throughout where a head diverged."""

    plain: Int64[np.ndarray, "seeds images"]
    marked: Int64[np.ndarray, "seeds marked"]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A measure of a candidate in a condition, in [0, 1], over `images` and `seeds`.

    `clean_accuracy` is on all images without the mark, `recall` on those of the class, and
    `called` is how often images of other classes that carry the mark are called the class.
    `deviation` is the sample standard deviation over seeds. `gap` is the value less the control's.
    `change` is the difference of two gaps: a remedy's less that of the marked condition, or, in the
    marked condition, a candidate's less that of the first; `change_from` names the second. None:
    nothing to compare with.
    """

    condition: str
    candidate: int
    measure: str
    images: int
    seeds: int
    value: float | None
    deviation: float | None
    gap: Decided | None
    change: Decided | None
    change_from: str


def measured(images: EvaluatedImages, predicted: PredictedClasses) -> dict[str, Scores]:
    """0 or 1 for each image that a measure is about; NaN where a head failed."""
    of_class = images.labels == images.target
    failed = (predicted.plain == FAILED).any(axis=1)
    tables = {
        "clean_accuracy": predicted.plain == images.labels,
        "recall": predicted.plain[:, of_class] == images.target,
        "called": predicted.marked == images.target,
    }
    return {name: np.where(failed[:, None], np.nan, table) for name, table in tables.items()}


def judge(
    images: EvaluatedImages, conditions: Mapping[str, Sequence[PredictedClasses]], margin: float
) -> tuple[Measurement, ...]:
    """Every measure of every candidate in every condition, with its gaps, adjusted as one family.

    `conditions` begin with the control and the marked one; each has the predictions of every
    candidate. `margin`, in (0, 1], is that of practical equivalence.
    """
    scores = {
        (condition, number): measured(images, predicted)
        for condition, candidates in conditions.items()
        for number, predicted in enumerate(candidates, start=1)
    }
    apart: dict[tuple[str, int, str, str], Scores] = {}
    for (condition, number), tables in scores.items():
        for name in MEASURES if condition != CONTROL else ():
            gap = tables[name] - scores[CONTROL, number][name]
            apart[condition, number, name, "gap"] = gap
            if condition != MARKED:
                marked = scores[MARKED, number][name]
                apart[condition, number, name, "change"] = tables[name] - marked
            elif number > 1:
                first = scores[MARKED, 1][name] - scores[CONTROL, 1][name]
                apart[condition, number, name, "change"] = gap - first
    decided = _decided(images, apart, margin)
    return tuple(
        _entry((condition, number, name), tables[name], *(
            decided.get((condition, number, name, kind)) for kind in ("gap", "change")
        ))
        for (condition, number), tables in scores.items()
        for name in MEASURES
    )  # fmt: skip


def _decided(
    images: EvaluatedImages, apart: Mapping[tuple[str, int, str, str], Scores], margin: float
) -> dict[tuple[str, int, str, str], Decided]:
    """Every difference that some seed finished on both sides, as one family."""
    of_class = images.labels == images.target
    layouts = {
        "clean_accuracy": _layout(images.units),
        "recall": _layout(images.units[of_class]),
        "called": _layout(images.marked_units),
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
    condition, number, name = place
    by_seed = scores[np.isfinite(scores).all(axis=1)].mean(axis=1)
    origin = "candidate 1" if condition == MARKED else MARKED
    return Measurement(
        condition=condition,
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
