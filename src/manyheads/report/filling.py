"""A report's content from a finished study: its findings, its curves, its images.

Nothing is trained. The data set is opened again for its warnings and for pictures; where it has
changed or is gone, the report says so in their place.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from manyheads.data.dataset import Dataset, open_dataset
from manyheads.errors import DataError, ImageError, ManyheadsError
from manyheads.evidence import metrics
from manyheads.evidence.findings import Findings
from manyheads.evidence.openings import day_and_time, openings
from manyheads.report import bounds, content
from manyheads.report.answers import Answers
from manyheads.report.data_warnings import data_warnings
from manyheads.study.curves import candidate_curves
from manyheads.study.select import Spread
from manyheads.study.settings import StudySettings
from manyheads.study.space import setting_words
from manyheads.study.store import Store


def report_content(
    findings: Findings, *, stop: threading.Event | None = None
) -> content.ReportContent:
    """All that the report of a finished study says; raises `Interrupted` when `stop` is set."""
    run, answers = str(findings.folder.path), Answers(findings)
    missing: dict[str, content.Missing] = {}
    wrong, warnings = None, None
    try:
        dataset = _same_dataset(findings, stop)
        wrong, warnings = answers.wrong(dataset), tuple(data_warnings(findings, dataset))
    except (DataError, ImageError) as error:
        gone = content.Missing(
            f"The images could not be read again: {error.found}.", f"manyheads report {run}"
        )
        missing = {"wrong": gone, "warnings": gone}
    return content.ReportContent(
        title=Path(findings.settings.data).name,
        run=run,
        verdict=tuple(findings.verdict.sentences),
        candidates=tuple(_candidates(findings)),
        settings=tuple(_settings(findings.document)),
        versions=tuple(findings.resolved.versions.items()),
        weights=f"{findings.resolved.weights_source} (SHA-256 {findings.resolved.weights})",
        command=command_of(findings.settings, run),
        comparisons=comparisons_content(findings),
        selection=selection_content(findings),
        calibration=answers.calibration(),
        classes=answers.classes(),
        wrong=wrong,
        test=test_content(findings),
        warnings=warnings,
        missing=missing,
    )


def command_of(settings: StudySettings, run: str) -> str:
    """The command that repeats the study: every setting that is not the default is named."""
    grid, image, usual = settings.grid, settings.image, StudySettings(data="", grid=_USUAL_GRID)
    words = ["manyheads", "sweep", shlex.quote(settings.data)]

    def option(name: str, *values: object) -> None:
        words.extend([f"--{name.replace('_', '-')}", *(shlex.quote(str(each)) for each in values)])

    for name in HYPERPARAMETERS:
        option(name, *(f"{value:g}" for value in getattr(grid, name)))
    option("epochs", settings.epochs)
    option("seeds", settings.seeds)
    for name in (
        "folds", "repeats", "batch_size", "select", "patience", "prune",
        "backbone", "weights", "engine", "runtime", "precision",
    ):  # fmt: skip
        if (value := getattr(settings, name)) != getattr(usual, name):
            option(name, value)
    option("image_size", image.size)
    option("interpolation", image.interpolation)
    words += [] if image.exif else ["--no-exif"]
    for name, split in (("validation_share", "validation"), ("test_share", "test"),
                        ("split_seed", "seed")):  # fmt: skip
        if (value := getattr(settings.split, split)) != getattr(usual.split, split):
            option(name, value)
    option("out", run)
    return " ".join(words)


def _candidates(findings: Findings) -> Iterator[content.Candidate]:
    """The candidates with a result, best first; curves of those that are drawn."""
    result, settings = findings.result, findings.settings
    best = result.ranking[0].candidate
    with Store(findings.folder.store) as store:
        for place, entry in enumerate(result.ranking):
            yield content.Candidate(
                name=setting_words(result.hyperparameters(entry.candidate), settings.grid.varying),
                trials=entry.trials,
                scores=_scores(findings, entry.candidate) if place < bounds.ROWS else {},
                curves=_curves(store, entry.candidate) if place < bounds.DRAWN else {},
                selected=entry.candidate == best,
            )


def _scores(findings: Findings, candidate: int) -> dict[str, content.Spread]:
    """Each metric of a candidate's trials: mean and deviation over seeds, folds put together."""
    validated = findings.validated
    said = validated.log_probabilities(candidate)[:, 0]
    said = said[np.isfinite(said).all(axis=(1, 2))]
    spreads = {}
    for name in content.SCORES:
        values = metrics.METRICS[name](said, validated.labels).tolist()
        spread = Spread.of(values)
        deviation = np.nan if spread.deviation is None else spread.deviation
        spreads[name] = content.Spread(spread.mean, deviation)
    return spreads


def _curves(store: Store, candidate: int) -> dict[str, content.Curve]:
    curves = {}
    for name in content.CURVES:
        trials = candidate_curves(store, candidate, name)
        curves[name] = content.Curve(
            mean=trials.mean(axis=0), low=trials.min(axis=0), high=trials.max(axis=0)
        )
    return curves


def _settings(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every setting of study.toml but what the report shows elsewhere."""
    for table in ("study", "grid", "image", "split"):
        for name, value in document[table].items():
            shown = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{table}.{name}" if table != "study" else name, shown


def _same_dataset(findings: Findings, stop: threading.Event | None) -> Dataset:
    settings = findings.settings
    dataset = open_dataset(settings.data, split=settings.split, stop=stop)
    if dataset.content != findings.resolved.content:
        raise DataError(
            "the data set of the study", "another: it has changed since", "restore it"
        )
    return dataset


def _test(findings: Findings) -> content.TestRecord | None:
    """The latest opening of the test images, and all of them."""
    entries = openings(findings.folder)
    if not entries:
        return None
    last, scores = entries[-1], entries[-1].scores
    names = {
        "accuracy": scores.accuracy_at_train_shares, "balanced_accuracy": None, "macro_f1": None,
        "log_loss": scores.log_loss_at_train_shares, "brier": None, "ece": None,
    }  # fmt: skip
    return content.TestRecord(
        measured_on=f"{scores.images:,} test images",
        model=last.model.words,
        when=day_and_time(last),
        scores=tuple(
            content.Score(
                metric=name,
                estimate=_interval(getattr(scores, name)),
                reweighted=None if reweighted is None else _interval(reweighted),
            )
            for name, reweighted in names.items()
        ),
        openings=tuple(content.Opening(day_and_time(each), each.model.words) for each in entries),
    )


def _interval(estimate: Estimate) -> content.Interval:
    low = -np.inf if estimate.low is None else estimate.low
    high = np.inf if estimate.high is None else estimate.high
    return content.Interval(estimate.value, low, high)
