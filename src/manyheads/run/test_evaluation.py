"""The test evaluation: the study's selected model is scored on the test images, once, on record.

The record is written before any score is shown, and whether a model may be scored is decided
before an image is read. See docs/decisions/0014-the-test-set-is-opened-once.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from manyheads.core.job import SILENT, Event, Job
from manyheads.core.settings import plain
from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.errors import DataError, DiskError, RunError
from manyheads.findings.held_out_scores import HeldOutScores, score_held_out
from manyheads.findings.label_scores import LabelScores, label_scores, thresholds_of
from manyheads.findings.reading import read_validated
from manyheads.findings.test_log import (
    EvaluatedModel,
    TestEvaluation,
    day_and_time,
    parameters_digest,
    read_test_log,
    write_test_log,
)
from manyheads.heads.head import Parameters, forward
from manyheads.report.written_report import write_or_note
from manyheads.run.hand_over.card_facts import read_facts
from manyheads.run.hand_over.run_card import RUN_CARD, write_run_card
from manyheads.stats.intervals import Units
from manyheads.stats.label_metrics import HALF, probabilities
from manyheads.study.finished import finished_result, head_of
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead
from manyheads.study.reopened import (
    perhaps_moved,
    require_same_data,
    same_weights,
    test_images_remedy,
)
from manyheads.study.results import StudyResult
from manyheads.study.sources import open_data, plain_features
from manyheads.study.study_document import Resolved, read_study
from manyheads.study.study_settings import StudySettings, lasting

_ROUNDING = 1e-6  # relative; what another machine's sums may differ by


@dataclass(frozen=True)
class FinalScore:
    """A recorded test evaluation; `anew`: whether it was recorded just now.

    If not, the scores were computed again, and `changed` has a line for each that differs by more
    than rounding.
    """

    evaluation: TestEvaluation
    anew: bool
    changed: tuple[str, ...] = ()


class Recording(Event):
    """A test evaluation is about to be recorded; an error that a listener raises prevents it."""

    kind = "recording"


def final_score(
    run: str | Path,
    *,
    candidate: int | None = None,
    again: bool = False,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> FinalScore:
    """Score the selected model of the finished study in `run` on its test images, and record it.

    `candidate`, counted from 1 as in `results.csv`, is scored by its best head instead. A model
    that was scored before keeps its record. Other models than the first are refused unless `again`
    is set. `data` is where the data set lies, if it was moved.

    Raises `RunError` for an unfinished study, a candidate without a head, a model that is
    refused, or a folder in which another process is at work; `DataError` if the data set has
    changed or has no test images; `Interrupted` when `job` is stopped: then nothing is recorded.
    """
    folder = RunFolder(run)
    settings, resolved = read_study(folder.document())
    with folder.held():
        result = finished_result(folder, settings)
        best = head_of(settings, folder, result, candidate)
        thresholds = None
        if resolved.label_names:
            validated = read_validated(
                folder.store, settings, result, resolved.classes, resolved.label_names
            )
            thresholds = thresholds_of(validated, best)
        model = Scored(settings, resolved, best.parameters, _identity(result, best), thresholds)
        return score(folder, model, again=again, data=data, job=job)


class Scored(NamedTuple):
    """A head to score, which one it is, and the study whose images and backbone it is for.

    Of several labels per image with the `thresholds` above which each is said.
    """

    settings: StudySettings
    resolved: Resolved
    parameters: Parameters
    model: EvaluatedModel
    thresholds: tuple[float, ...] | None = None


def score(
    folder: RunFolder,
    scored: Scored,
    *,
    again: bool = False,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> FinalScore:
    """Score a head on its test images, and record it in `folder`, which the caller holds.

    As `final_score` says, which raises the same.
    """
    settings, resolved, model = scored.settings, scored.resolved, scored.model
    entries = read_test_log(folder)
    known = next((e for e in entries if e.model.parameters == model.parameters), None)
    if known is None and entries and not again:
        raise _refusal(entries[0], model)
    if known is None and folder.is_read_only:
        raise DiskError(
            f"to write {folder.test_log}", "a read-only folder",
            "copy the run folder to where you may write, and test there",
        )  # fmt: skip
    dataset = _with_test_images(settings, resolved, folder, data, job)
    rows, logits = _logits(scored, dataset, job)
    units = dataset.units
    scores = of_labels = None
    if scored.thresholds is not None:
        of_labels = _label_scores(dataset, rows, logits, scored.thresholds)
    else:
        scores = _scores(dataset, rows, logits, units[rows])
    if known is not None:
        now = scores or of_labels
        return FinalScore(known, False, tuple(_changes(plain(known.measured), plain(now))))
    job.check("the test", "repeat the same command; nothing was recorded")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    test = dataset.rows("test")
    entry = TestEvaluation(
        number=len(entries) + 1,
        evaluated_at=now,
        model=model,
        unreadable=len(test) - len(rows),
        seen=int(np.isin(units[rows], np.delete(units, test)).sum()),
        scores=scores,
        label_scores=of_labels,
    )
    job.tell(Recording())
    write_test_log(folder, [*entries, entry])
    if (folder.path / RUN_CARD).is_file():
        write_or_note(lambda: write_run_card(folder.path, read_facts(folder.path)), job)
    return FinalScore(entry, True)


def _identity(result: StudyResult, best: BestHead) -> EvaluatedModel:
    return EvaluatedModel(
        candidate=best.candidate,
        hyperparameters=plain(result.hyperparameters(best.candidate)),
        trial=int(best.about.get("trial", 0)),
        seed=int(best.about["seed"]),
        epoch=int(best.about["epoch"]),
        parameters=parameters_digest(best.parameters),
        selected=best.candidate == result.ranking[0].candidate,
    )


def _refusal(first: TestEvaluation, model: EvaluatedModel) -> RunError:
    return RunError(
        f"candidate {first.model.candidate}, whose test evaluation was on {day_and_time(first)}",
        f"candidate {model.candidate}",
        "select by validation scores, for test images used for selection give optimistic scores; "
        "to evaluate this one too, set `again`, and every later report will say so",
    )


def _with_test_images(
    settings: StudySettings,
    resolved: Resolved,
    folder: RunFolder,
    data: str | Path | None,
    job: Job,
) -> Dataset:
    """The data set of the study, with test images; raises `DataError` otherwise."""
    source = settings.data if data is None else data
    with perhaps_moved():
        dataset = open_data(replace(settings, data=lasting(source)), job)
    require_same_data(dataset, resolved, folder, source)
    if not len(dataset.rows("test")):
        raise DataError(f"test images in {dataset.name}", "none", test_images_remedy(dataset))
    return dataset


def _logits(
    scored: Scored, dataset: Dataset, job: Job
) -> tuple[Rows, Float32[np.ndarray, "images classes"]]:
    """The readable test images, and a head's logits for them."""
    settings, test = scored.settings, dataset.rows("test")
    place = settings.place_of(scored.model.candidate)
    weights = same_weights(settings, scored.resolved, job, place)
    on_backbone = settings.on_backbone(place)
    features = plain_features(on_backbone, dataset, weights, only=test, job=job)
    for index, reason in features.unreadable.items():
        job.note(f"left out, unreadable: {dataset.name_of(index)}: {reason}")
    for line in features.remarks:
        job.note(line)
    readable = test[features.rows[test] >= 0]
    if not len(readable):
        raise DataError("test images that can be read", "none", "mend the files")
    return readable, forward(scored.parameters, features.matrix[features.rows[readable]])


def _scores(
    dataset: Dataset, rows: Rows, logits: Float32[np.ndarray, "images classes"], units: Units
) -> HeldOutScores:
    from scipy.special import log_softmax

    train = np.bincount(dataset.labels[dataset.rows("train")], minlength=len(dataset.classes))
    return score_held_out(
        log_softmax(logits, axis=1), dataset.labels[rows], units, dataset.classes, train
    )


def _label_scores(
    dataset: Dataset,
    rows: Rows,
    logits: Float32[np.ndarray, "images labels"],
    thresholds: tuple[float, ...],
) -> LabelScores:
    assert dataset.label_sets is not None
    targets = dataset.label_sets.members[dataset.labels[rows]]
    answers = probabilities(logits) > np.array(thresholds)
    return label_scores(
        logits, targets, dataset.units[rows], dataset.label_names, answers, thresholds,
        chosen=np.array(thresholds) != HALF,
    )  # fmt: skip


def _changes(before: Any, now: Any) -> Iterator[str]:
    old, new = dict(_numbers(before)), dict(_numbers(now))
    for name in dict.fromkeys([*old, *new]):
        was, is_ = old.get(name, math.nan), new.get(name, math.nan)
        if not math.isclose(was, is_, rel_tol=_ROUNDING, abs_tol=_ROUNDING / 1000):
            yield f"{name}: {was:g} → {is_:g}"


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for place, item in enumerate(value, start=1):
            yield from _numbers(item, f"{name} {place}")
    elif isinstance(value, float | int):
        yield name, value
