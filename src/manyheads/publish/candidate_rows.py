"""The rows of a study: each candidate with its setting, its scores, its cost and its curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from manyheads.core.job import Job
from manyheads.heads.epoch_rules import scored_by
from manyheads.heads.hyperparameters import Hyperparameters, epoch_cost
from manyheads.publish.mean_intervals import mean_intervals
from manyheads.publish.publication import (
    CURVE,
    CURVES,
    MOST_ROWS,
    PublishedRow,
    Value,
    told,
)
from manyheads.publish.recorded_study import RecordedCandidate
from manyheads.publish.study_identity import plain_end
from manyheads.report.study_curves import candidate_curves
from manyheads.stats.comparisons import Differences
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import SHARES
from manyheads.study.history import metrics_told
from manyheads.study.space import OF_TRAINING, setting_words, shown_names
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings

_AT_ONCE = 50  # candidates whose intervals are computed together
_EPOCH = epoch_cost(Hyperparameters())


@dataclass(frozen=True)
class MeanScore:
    """A mean over seeds in one metric, with its 95 % interval and the deviation between seeds."""

    mean: Estimate
    deviation: float | None


@dataclass(frozen=True)
class Scores:
    """The mean scores of candidates by metric, and how many seeds each finished."""

    means: Mapping[int, Mapping[str, MeanScore]] = field(default_factory=dict)
    seeds: Mapping[int, int] = field(default_factory=dict)


def measures_told(rule: str) -> dict[str, str]:
    """The metrics of a row, each with its measure: accuracy, log loss, and what `rule` selects by.

    Such as `{"accuracy": "chosen_val_accuracy"}`.
    """
    scored = scored_by(rule)
    return {
        "accuracy": "chosen_val_accuracy", "log_loss": "chosen_val_loss",
        **({} if scored is None else {scored: f"chosen_val_{scored}"}),
    }  # fmt: skip


def mean_scores(
    differences: Differences,
    candidates: Sequence[int],
    rivals: int,
    metrics: Iterable[str],
    job: Job,
) -> Scores:
    """The mean scores of `candidates` in `metrics`, with intervals for other images and seeds.

    The scores by unit of the first so many `rivals` stay in memory, as what comes next needs them.
    Raises `Interrupted` when `job` is stopped.
    """
    means: dict[int, dict[str, MeanScore]] = defaultdict(dict)
    seeds: dict[int, int] = {}
    for start in range(0, len(candidates), _AT_ONCE):
        job.check("reading scores")
        some = candidates[start : start + _AT_ONCE]
        finished = {each: differences.validated.seeds_of(each) for each in some}
        seeds |= {each: len(known) for each, known in finished.items()}
        kept = [each for each in some if seeds[each]]
        for metric in metrics:
            sums = [differences.sums(each, metric)[finished[each]] for each in kept]
            for each in kept[: max(0, rivals - start)]:
                differences.unit_means(each, metric)
            found = mean_intervals(sums, differences.layout)
            for candidate, estimate, scores in zip(kept, found, sums, strict=True):
                by_seed = scores.sum(axis=-1).mean(axis=-1) / differences.layout.images
                deviation = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else None
                means[candidate][metric] = MeanScore(_bounded(estimate, metric), deviation)
        job.progress("reading scores", start + len(some), len(candidates), "candidates")
    return Scores(means, seeds)


def candidate_rows(
    store: Store,
    settings: StudySettings,
    ranked: Sequence[RecordedCandidate],
    scores: Scores,
    job: Job,
) -> Iterator[PublishedRow]:
    """A row for each candidate of `ranked`, the best `MOST_ROWS` of more, in their order.

    Raises `Interrupted` when `job` is stopped.
    """
    trained: dict[int, int] = defaultdict(int)
    for record in store.trials():
        trained[record.trial.candidate] += record.epochs
    names, metrics = _shown(settings), metrics_told(settings.select)
    for place, entry in enumerate(ranked[:MOST_ROWS]):
        if not place % _AT_ONCE:
            job.check("reading candidates")
        setting = settings.grid[entry.candidate - 1]
        has_curves = place < CURVES and entry.state != "failed"
        curves = candidate_curves(store, entry.candidate, metrics) if has_curves else {}
        yield PublishedRow(
            key=f"candidate-{entry.candidate}",
            number=entry.candidate,
            name=setting_words(setting, settings.grid.varying),
            state=entry.state,
            parameters={
                **{name: told(getattr(setting, name)) for name in names},
                **_of_backbone(settings, entry.candidate),
            },
            metrics=_finite({
                **({} if entry.rank is None else {"rank": entry.rank}),
                **_score_metrics(entry, scores, measures_told(settings.select)),
                "trials": entry.trials,
                "failed_trials": entry.failed,
                "epochs_trained": trained[entry.candidate],
                "cost": trained[entry.candidate] * epoch_cost(setting) / _EPOCH,
            }),
            curves={
                f"{CURVE}{name}": tuple(map(float, curve.mean)) for name, curve in curves.items()
            },
        )  # fmt: skip


def _shown(settings: StudySettings) -> list[str]:
    """What a row has of the setting: what varies, the lesson's, and how long it trained."""
    grid = settings.grid
    return [
        *dict.fromkeys([*grid.varying, *shown_names(grid[0], grid[-1 + len(grid)]), *OF_TRAINING])
    ]


def _of_backbone(settings: StudySettings, candidate: int) -> dict[str, Value]:
    if settings.features is not None:
        return {}
    choices = settings.grid.choices
    if choices:
        choice = choices[settings.place_of(candidate)]
        return {"backbone": plain_end(choice.name), "image_size": choice.image.size}
    return {"backbone": plain_end(settings.backbone), "image_size": settings.image.size}


def _score_metrics(
    entry: RecordedCandidate, scores: Scores, measures: Mapping[str, str]
) -> dict[str, float]:
    """Means with intervals and deviations; of a pruned candidate, its scores at its rung.

    Where no predictions were read, means of the curves, which have no interval.
    """
    if entry.pruned_after is not None:
        rung = {f"rung_{name}": entry.means[own] for name, own in measures.items()}
        return {"pruned_after": entry.pruned_after, **rung}
    found: dict[str, float] = {}
    for name, own in measures.items():
        known = scores.means.get(entry.candidate, {}).get(name)
        if known is None and own in entry.means:
            estimate = Estimate(entry.means[own], None, None)
            known = MeanScore(estimate, entry.deviations.get(own))
        if known is None:
            continue
        parts = {"": known.mean.value, "_low": known.mean.low, "_high": known.mean.high,
                 "_std": known.deviation}  # fmt: skip
        found |= {f"{name}{part}": value for part, value in parts.items() if value is not None}
    if "best_epoch" in entry.means:
        found["best_epoch"] = entry.means["best_epoch"]
    if entry.candidate in scores.seeds:
        found["seeds"] = scores.seeds[entry.candidate]
    return found


def _bounded(estimate: Estimate, metric: str) -> Estimate:
    """The estimate with the ends of its interval where the metric can be."""
    if estimate.low is None or estimate.high is None:
        return estimate
    most = 1.0 if metric in SHARES else estimate.high
    return Estimate(estimate.value, max(0.0, estimate.low), min(most, estimate.high))


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isfinite(value)}
