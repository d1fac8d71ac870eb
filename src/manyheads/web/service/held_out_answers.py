"""What a run's heads said of images that they were not trained on, and what to expect by that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from manyheads.core.settings import plain
from manyheads.core.text import counted
from manyheads.findings.held_out_scores import ClassRecall
from manyheads.findings.label_scores import LabelScores, abstaining_risk, validated_label_scores
from manyheads.findings.reading import read_validated
from manyheads.findings.study_findings import rivals
from manyheads.heads.epoch_rules import metric_of
from manyheads.heads.files import load_head
from manyheads.heads.head import Parameters
from manyheads.run.fit.fit_answers import kept_answers
from manyheads.run.fit.fit_record import Fitted
from manyheads.stats.calibration import calibrate
from manyheads.stats.comparisons import Differences
from manyheads.stats.confidence import RiskCoverage, risk_coverage
from manyheads.stats.intervals import share_estimate
from manyheads.stats.metrics import predicted
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.winner import winner_scores
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.refit import selected_head
from manyheads.study.run_times import read_times
from manyheads.study.study_document import read_study


@dataclass(frozen=True, kw_only=True)
class HeldOutAnswers:
    """What a run knows of its model by images that were held out.

    `data` is the data set as the run names it; `expect` has the scores to expect on new images,
    `{accuracy, log_loss, on}`. `risk` is what abstaining comes to, measured on `risk_on`; None
    where no answers are kept, and `risk_by` says whose answers it is of where they are not the
    model's. `folds` is None for a given split. `recalls` are those of the classes; where an image
    may have several labels, there are the scores of these (`labels`) instead. `head` is the
    model's, and `ended` is when the run did, in UTC (ISO 8601; "" if not known).
    """

    data: str
    expect: dict[str, Any]
    risk: RiskCoverage | None
    risk_on: str
    folds: int | None
    recalls: Sequence[ClassRecall]
    head: Parameters | None
    ended: str
    versions: dict[str, str]
    risk_by: str = ""
    remarks: tuple[str, ...] = field(default=())
    labels: LabelScores | None = None


def of_study(folder: RunFolder) -> HeldOutAnswers:
    """Those of a finished study; raises `RunError` if it is not finished or of an earlier version.

    The expected scores are those of the report: corrected for the choice by the same images.
    """
    settings, resolved = read_study(folder.document())
    result = finished_result(folder, settings)
    validated = read_validated(
        folder.store, settings, result, resolved.classes, resolved.label_names
    )
    differences, selected = Differences(validated), selected_head(settings, folder, result)
    among = rivals(differences, [entry.candidate for entry in result.ranking])
    scores = winner_scores(differences, among[0], metric_of(settings.select), among=among)
    every = validated.log_probabilities(selected.candidate)[:, 0]
    whole = every[np.isfinite(every).all(axis=(1, 2))]
    images = counted(len(validated.labels), "validation image")
    if settings.folds is not None:
        images = f"{counted(len(validated.labels), 'image')}, each when it was left out of training"
    seeds = f"; mean of {counted(len(whole), 'seed')}" if len(whole) > 1 else ""
    if validated.label_sets is None:
        risk = risk_coverage(whole, validated.labels) if len(whole) else None
        recalls, labels = _recalls(validated, every[int(selected.about["seed"])]), None
    else:
        risk = abstaining_risk(validated, selected.candidate)
        recalls, labels = (), validated_label_scores(validated, selected)
    times = read_times(folder)
    return HeldOutAnswers(
        data=settings.data,
        expect={
            **{each.metric: _triple(each.score, each.low, each.high) for each in scores},
            "on": f"new images like the {images}",
        },
        risk=risk,
        risk_on=f"{images}{seeds}",
        folds=settings.folds,
        recalls=recalls,
        head=selected.parameters,
        ended=times.ended if times else "",
        versions=resolved.versions,
        labels=labels,
    )


def of_fit(folder: RunFolder, fitted: Fitted) -> HeldOutAnswers:
    """Those of a finished fit; raises `RunError` if its best study cannot be read.

    What abstaining comes to is of what averages said of images that their heads were kept from, as
    the expected scores are. A fit of an earlier version kept none of that: then it is of a single
    head of its setting, at temperatures fitted on other images, which is wrong more often.
    """
    scores = fitted.expected.measured
    images = _when_left_out(scores.images)
    risk, risk_on, risk_by = _risk_of_fit(folder, fitted)
    searches = [read_times(each) for each in folder.searches]
    return HeldOutAnswers(
        data=fitted.data,
        expect={
            **{
                name: _triple(each.value, each.low, each.high)
                for name, each in fitted.leading_scores.items()
            },
            "on": f"new images like the {images}",
        },
        risk=risk,
        risk_on=risk_on,
        risk_by=risk_by,
        folds=fitted.folds,
        recalls=() if isinstance(scores, LabelScores) else scores.classes,
        head=load_head(folder.selected)[0] if folder.selected.is_file() else None,
        ended=max((each.ended for each in searches if each), default=""),
        versions=dict(fitted.about.get("versions", {})),
        remarks=tuple(fitted.remarks),
        labels=fitted.expected.label_scores,
    )


def _risk_of_fit(folder: RunFolder, fitted: Fitted) -> tuple[RiskCoverage | None, str, str]:
    """What abstaining comes to, the images that it was measured on, and whose answers it is of."""
    best, nothing = fitted.tried[0], (None, "", "")
    study = next((each for each in folder.searches if each.path.match(best.study)), None)
    if study is None:
        return nothing
    settings, resolved = read_study(study.document())
    result = finished_result(study, settings)
    validated = read_validated(
        study.store, settings, result, resolved.classes, resolved.label_names
    )
    expected = fitted.expected.scores  # of several labels no answers are kept
    kept = expected and kept_answers(folder.path, validated.labels, expected.accuracy.value)
    if kept:
        answers, scored = kept
        curve = risk_coverage(answers[np.newaxis, scored], validated.labels[scored])
        return curve, _when_left_out(int(scored.sum())), ""
    wanted = plain(best.hyperparameters)
    same = [each for each in validated.candidates if plain(settings.grid[each - 1]) == wanted]
    if not same or len(np.unique(validated.units)) < 2:
        return nothing
    every = validated.log_probabilities(same[0])[:, 0]
    whole = every[np.isfinite(every).all(axis=(1, 2))]
    if not len(whole):
        return nothing
    if validated.label_sets is None:
        scaled = calibrate(whole, validated.labels, validated.units).log_probabilities
        curve = risk_coverage(scaled, validated.labels)
    else:
        curve = abstaining_risk(validated, same[0])
    return curve, _when_left_out(len(validated.labels)), "one of the heads that it averages"


def _when_left_out(images: int) -> str:
    return f"{counted(images, 'image')}, each when it was left out of training"


def _recalls(validated: Validated, answers: np.ndarray) -> tuple[ClassRecall, ...]:
    """The recall of each class, by the `answers` of one head."""
    hits, labels = predicted(answers) == validated.labels, validated.labels
    return tuple(
        ClassRecall(
            name=name,
            images=int(own.sum()),
            share=float(own.mean()),
            recall=share_estimate(hits[own], validated.units[own]) if own.any() else None,
        )
        for name, own in ((name, labels == k) for k, name in enumerate(validated.classes))
    )


def _triple(value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}
