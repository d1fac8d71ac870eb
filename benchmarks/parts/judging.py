"""Judging studies whose truth is known: what is counted, by the present rule and the former."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.parts.chance import Shape, World, made_up
from benchmarks.parts.former import former_outcomes
from manyheads.findings.looks import planned_looks
from manyheads.run.until_decided import undecided
from manyheads.stats.best_set import best_set
from manyheads.stats.comparisons import COMPARED, Comparisons, Differences, compare
from manyheads.stats.intervals import wilson
from manyheads.stats.paired import Margins
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.variances import corrected_t, fold_means

LITE0 = "mean=0.498,0.498,0.498,std=0.502,0.502,0.502"  # its preprocessing, as its repository says


def percent(part: float, whole: float) -> str:
    """A share in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def share(part: int, whole: int) -> str:
    """A share in percent, with the 95 % interval that chance leaves open."""
    if not whole:
        return "–"
    low, high = wilson(part / whole, whole)
    return f"{percent(part, whole)} [{100 * low:.1f}, {100 * high:.1f}]"


def design(shape: Shape) -> str:
    """How a study validates."""
    if shape.folds == 1:
        return "given split"
    return f"{shape.folds} folds" + (f" × {shape.repeats}" if shape.repeats > 1 else "")


@dataclass
class Tally:
    """What came of studies: how many had something false, and outcomes of pairs with the first.

    `left_out`: studies in which an equal candidate is not among those that may be the best;
    `worse_left_out` and `best_kept`: with a planted best, the first.
    """

    studies: int = 0
    false: int = 0
    former_false: int = 0
    left_out: int = 0
    worse_left_out: int = 0
    best_kept: int = 0
    held: int = 0
    intervals: int = 0
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, validated: Validated, truth: dict[str, float] | None = None) -> None:
        """Count a study of identical candidates, or whose first differs by `truth` from all."""
        differences = Differences(validated)
        entries = compare(validated, advise=False, differences=differences).entries
        former = former_outcomes(*_former(differences), Margins())
        self.studies += 1
        better = None if truth is None else validated.candidates[0]
        alike = [better not in (entry.first, entry.second) for entry in entries]
        said = ["different" if e.outcome in ("better", "worse") else e.outcome for e in entries]
        self.false += any(a and s == "different" for a, s in zip(alike, said, strict=True))
        self.former_false += any(a and s == "different" for a, s in zip(alike, former, strict=True))
        for entry, same, now, before in zip(entries, alike, said, former, strict=True):
            true = 0.0 if same or truth is None else truth[entry.metric]
            self.intervals += 1
            self.held += entry.low <= true <= entry.high
            if not same or truth is None:
                self.outcomes["present", entry.metric, now] += 1
                self.outcomes["former", entry.metric, before] += 1
        self._best(differences, truth)

    def shares(self, outcome: str, whole: int) -> list[str]:
        """How many of `whole` had an outcome: by accuracy and log loss, present rule and former."""
        return [
            percent(self.outcomes[rule, metric, outcome], whole)
            for metric in ("accuracy", "log_loss")
            for rule in ("present", "former")
        ]

    def _best(self, differences: Differences, truth: dict[str, float] | None) -> None:
        numbers = differences.validated.candidates
        sets = [best_set(differences, m, lambda _: 1.0, among=numbers) for m in COMPARED]
        self.left_out += any(len(each.candidates) < each.compared for each in sets)
        by_accuracy = next(each for each in sets if each.metric == "accuracy")
        if truth is not None:
            self.best_kept += numbers[0] in by_accuracy.candidates
            self.worse_left_out += len(set(numbers[1:]) - set(by_accuracy.candidates))


def _former(differences: Differences) -> tuple[list, list]:
    """The measured differences in the order of `compare`, with their corrected t over folds."""
    family, folds = [], []
    for first, second in combinations(differences.validated.candidates, 2):
        for metric in COMPARED:
            found = differences.between(first, second, metric)
            if found is None:
                continue
            family.append(found)
            by_fold = None
            if (layout := differences.layout).folds > 1:
                apart = differences.sums(first, metric) - differences.sums(second, metric)
                by_fold = corrected_t(fold_means(apart, layout), layout.folds)
            folds.append(by_fold)
    return family, folds


def followed(seed: tuple[int, ...], world: World, shift: float) -> bool | None:
    """Whether a study that is told what would settle a pair settles it so; None if nothing is."""
    shape = Shape(candidates=4, seeds=5, images=341)
    entries = compare(made_up(np.random.default_rng((*seed, 0)), world, shape, shift)).entries
    named = [e for e in entries if e.outcome == "undecided" and any(vars(e.required).values())]
    if not named:
        return None
    least = min(named, key=lambda e: [e.required.images or 0, e.required.seeds or 0])
    if (least.required.images or 0) > 50_000:
        return None  # too large to make up
    larger = replace(
        shape,
        seeds=least.required.seeds or shape.seeds,
        images=least.required.images or shape.images,
    )
    again = compare(
        made_up(np.random.default_rng((*seed, 1)), world, larger, shift), advise=False
    ).entries
    pair = least.first, least.second, least.metric
    return any((e.first, e.second, e.metric) == pair and e.outcome != "undecided" for e in again)


class Looked(NamedTuple):
    """How a study ended that was looked at several times."""

    false: bool
    settled: bool
    looks: int


def looked(seed: tuple[int, ...], world: World, candidates: int, shift: float) -> Looked:
    """A study that begins with 5 seeds and grows, look by look, until it is settled."""
    planned = planned_looks(5, None)
    shape = Shape(candidates=candidates, seeds=planned[-1].seeds, images=341)
    whole = made_up(np.random.default_rng(seed), world, shape, shift)
    for number, look in enumerate(planned, start=1):
        part = replace(
            whole, log_probabilities=lambda c, s=look.seeds: whole.log_probabilities(c)[:s]
        )
        differences = Differences(part)
        found = compare(part, advise=False, differences=differences, alpha=look.alpha)
        best = best_set(
            differences, "accuracy", lambda _: 1.0, among=part.candidates, alpha=look.alpha
        )
        settled = not undecided(found, best)
        if settled or number == len(planned):
            return Looked(_false(found, shift), settled, number)
    raise AssertionError("a study has a look")


def _false(found: Comparisons, shift: float) -> bool:
    """Whether a difference is declared between candidates that are alike in truth."""
    return any(
        entry.outcome in ("better", "worse") and (not shift or 1 not in (entry.first, entry.second))
        for entry in found.entries
    )


def true_scores(world: World, *, in_folds: bool) -> dict[str, float]:
    """The mean accuracy and log loss of a world's heads, over 4 million draws."""
    parts = [world.image, world.liking, world.seed, world.rest, world.training * in_folds]
    spread = float(np.sqrt(np.square(parts).sum()))
    margin = np.random.default_rng(0).normal(world.mean, spread, 4_000_000)
    return {
        "log_loss": float(np.logaddexp(0, -margin).mean()), "accuracy": float((margin > 0).mean())
    }  # fmt: skip


def features(
    folder: Path, backbone: str, size: int = 150, interpolation: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features, from the cache where they are, and labels of all photographs in a folder.

    Xception has the lesson's image size, and its interpolation unless another is given; a
    `backbone` in a file is EfficientNet-Lite.
    """
    from manyheads.backbones import registry
    from manyheads.backbones.weights import resolve
    from manyheads.data.data_settings import ImageSettings
    from manyheads.data.dataset import open_dataset
    from manyheads.features.extraction import extract

    own = backbone.endswith(".onnx")
    spec = registry.get(backbone, LITE0 if own else None)
    usual = "bicubic" if own else "nearest"
    image = ImageSettings(size=size, interpolation=interpolation or usual)
    dataset = open_dataset(folder)
    found = extract(dataset, spec, resolve(spec), image)
    readable = found.rows >= 0
    return np.asarray(found.matrix[found.rows[readable]]), dataset.labels[readable]
