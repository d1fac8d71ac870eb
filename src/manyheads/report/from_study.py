"""A report's content from a finished study: its findings, its curves, its images.

Nothing is trained. The data set is opened again for its warnings and for pictures; where it has
changed or is gone, the report says so in their place.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from manyheads.core.accelerators import has_nvidia_card, of_jax
from manyheads.core.job import SILENT, Job
from manyheads.core.settings import plain
from manyheads.core.table import Table
from manyheads.core.text import counted, option
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.errors import DataError, ImageError
from manyheads.findings.difference_tables import best_table
from manyheads.findings.label_scores import LabelScores
from manyheads.findings.parallel_scores import parallel_scores
from manyheads.findings.score_tables import SCORES
from manyheads.findings.scores_by_setting import scores_by_setting
from manyheads.findings.settling import settling_study
from manyheads.findings.study_findings import Findings
from manyheads.findings.test_log import TestEvaluation, day_and_time, read_test_log
from manyheads.findings.wording import CandidateNames
from manyheads.heads.hyperparameters import DECLARED, LESSON, NEUTRAL
from manyheads.heads.ranges import item_words
from manyheads.report import bounds, compared, parts
from manyheads.report.content import Missing, ReportContent
from manyheads.report.data_warnings import data_warnings
from manyheads.report.facts import study_facts
from manyheads.report.label_section import NO_CONFUSION, label_section
from manyheads.report.sections import backbones_section, claim_sections, copies_section
from manyheads.report.study_answers import SelectedAnswers
from manyheads.report.study_curves import ranked_candidates
from manyheads.report.study_scores import candidate_scores
from manyheads.stats.intervals import Estimate
from manyheads.study.backbone_choices import BackboneCandidates, asked_for
from manyheads.study.draw_table import DRAW
from manyheads.study.image_list import kept_images
from manyheads.study.reopened import require_same_data, test_images_remedy
from manyheads.study.select import rule_words
from manyheads.study.sources import open_data
from manyheads.study.space import HYPERPARAMETERS, Grid, setting_words
from manyheads.study.store import Store
from manyheads.study.study_document import BACKBONES, renewed, study_document
from manyheads.study.study_settings import StudySettings, usual_rule

_NO_IMAGES = "The study was of features that were computed elsewhere: there are no images to show."
_NO_TEST = (
    "The data set has no test images, so no number in this report was measured on any. To have "
    "some, {remedy}."
)
_SCORED = 50  # candidates, the best; their scores are computed from all predictions


def report_content(
    findings: Findings, *, dataset: Dataset | None = None, job: Job = SILENT
) -> ReportContent:
    """All that the report of a finished study says.

    `dataset` is the study's, opened again if it is not given. Raises `Interrupted` when `job` is
    stopped.
    """
    run, answers = str(findings.folder.path), SelectedAnswers(findings)
    missing = dict[str, Missing]()
    expected, candidates = compared.expected(findings), tuple(_candidates(findings))
    changed, usual = _settings(findings)
    wrong, warnings, copies = None, None, None
    several = findings.validated.label_sets is not None
    try:
        dataset = dataset or _same_dataset(findings, job)
        warnings = tuple(data_warnings(findings, dataset))
        if findings.settings.features is None:
            wrong = answers.wrong(dataset)
        else:
            missing["wrong"] = Missing(_NO_IMAGES, "manyheads predict {run} FEATURES.npy")
        copies = copies_section(findings.settings, dataset)
    except (DataError, ImageError) as error:
        why = f"The images could not be read again: expected {error.expected}, found {error.found}."
        gone = Missing(why, " ".join(["manyheads report {run}", *option("data", "FOLDER")]))
        missing = {"wrong": gone, "warnings": gone}
    if several:
        missing |= dict.fromkeys(("classes", "calibration"), NO_CONFUSION)
    if not _has_test_images(findings, dataset):
        missing["test"] = Missing(_NO_TEST.format(remedy=test_images_remedy(dataset)), "")
    balance = findings.class_balance
    return ReportContent(
        title=Path(findings.settings.data).name,
        run=run,
        answer=(
            *(each.replace("`", "") for each in findings.recommendation.sentences),
            *(each.replace("`", "") for each in findings.training_notes),
            *(each.replace("`", "") for each in (balance.sentences if balance else ())),
        ),
        verdict=(*findings.verdict.sentences, *findings.verdict.notes),
        facts=tuple(study_facts(findings, candidates[0].scores, expected)),
        candidates=candidates,
        changed=tuple(changed),
        usual=tuple(usual),
        versions=tuple(findings.resolved.versions.items()),
        weights=f"{findings.resolved.weights_source} (SHA-256 {findings.resolved.weights})",
        command=command_of(findings.settings, run),
        settling=settling_study(findings),
        baselines=findings.baselines.table if findings.baselines else None,
        best=_best(findings),
        expected=expected,
        by_setting=scores_by_setting(findings),
        parallel=parallel_scores(findings),
        importance=findings.importance.sentences if len(findings.settings.grid.varying) > 1 else (),
        comparisons=compared.comparisons(findings),
        ends=compared.ends(findings),
        selection=_selection(findings),
        calibration=None if several else answers.calibration(),
        classes=None if several else answers.classes(),
        wrong=wrong,
        test=_test(findings, expected),
        warnings=warnings,
        sections=(
            *filter(None, [label_section(findings), backbones_section(findings.backbones), copies]),
            *claim_sections(findings.folder),
        ),
        missing=missing,
    )


_BY_RULE = ("epochs", "learning_rate_schedule")  # what a sweep's defaults are not neutral in


def command_of(settings: StudySettings, run: str) -> str:
    """The command that repeats the study, every setting named that a default does not give."""
    words = ["manyheads", "sweep", settings.data]
    for name in HYPERPARAMETERS:
        values = settings.grid.listed(name)
        if name in (*LESSON, *_BY_RULE) or values != (NEUTRAL[name],):
            words += option(name, *map(item_words, values))
    if drawn := settings.grid.drawn:
        words += option("candidates", len(drawn))
        words += option("draw_seed", drawn.seed) if drawn.seed else []
    usual = StudySettings(data="", grid=settings.grid)
    with_images = settings.features is None
    several = isinstance(settings.grid, BackboneCandidates)
    elsewhere = {"data", "grid", "image", "split", "table", "augmentation"}
    elsewhere |= {"backbone", "preprocessing"} if several else set()
    elsewhere |= set() if with_images else {"backbone"}
    always = ["seeds", "select"]
    if of_jax():  # which a repetition would otherwise use
        always += ["engine"]
    if with_images and has_nvidia_card():  # likewise
        always += ["runtime", "device"]
    for name in [each.name for each in fields(settings) if each.name not in elsewhere]:
        value = getattr(settings, name)
        if name in always or value != getattr(usual, name):
            words += option(name, *(value if isinstance(value, tuple) else (value,)))
    if settings.augmentation is not None:
        words += option("augment", *settings.augmentation.arguments)
    if with_images:
        image = _asked_of_images(settings)
        for name in (
            "backbone", "preprocessing", "image_size", "interpolation", "resize", "depth", "decode",
        ):  # fmt: skip
            value = image.get(name)
            if value is not None:
                words += option(name, *(value if isinstance(value, list) else (value,)))
    if not settings.image.exif:
        words += option("no_exif")
    for name, field in (
        ("validation_share", "validation"), ("test_share", "test"), ("split_seed", "seed"),
    ):  # fmt: skip
        if (value := getattr(settings.split, field)) != getattr(usual.split, field):
            words += option(name, value)
    words += settings.split.group_arguments + settings.table.arguments
    words += option("out", run)
    return shlex.join(words)


def _asked_of_images(settings: StudySettings) -> dict[str, Any]:
    """How images are prepared, and of several backbones which they are, by option."""
    if isinstance(settings.grid, BackboneCandidates):
        return asked_for(settings.grid.choices)
    return {"image_size": settings.image.size} | plain(settings.image)


def _candidates(findings: Findings) -> Iterator[parts.Candidate]:
    """The candidates with a result, best first: curves of those that are drawn, scores of more."""
    with Store(findings.folder.store) as store:
        ranked = ranked_candidates(store, findings.result, bounds.DRAWN)
        for place, candidate in enumerate(ranked):
            scores = candidate_scores(findings, candidate.number) if place < _SCORED else {}
            yield replace(candidate, scores=scores)


def _best(findings: Findings) -> Table | None:
    """The candidates that may be the best; None where nothing was compared."""
    if not (findings.comparisons.entries and findings.verdict.best):
        return None
    return best_table(findings.verdict.best, CandidateNames(findings.validated), bounds.BEST)


def _selection(findings: Findings) -> parts.Selection:
    rule, found = findings.settings.select, findings.nested
    words = f"Epoch and candidate were chosen by {rule}: {rule_words(rule)}."
    if found.accuracy is None or found.loss is None:
        return parts.Selection(
            words=f"{words} How optimistic that is was not measured: "
            f"{found.reason.replace('`', '')}."
        )
    chosen = ", ".join(
        f"{findings.validated.names[candidate - 1]} in {count}"
        for candidate, count in sorted(found.chosen.items(), key=lambda pair: -pair[1])
    )
    return parts.Selection(
        words=f"{words} Chosen anew without each of {sum(found.chosen.values())} folds: {chosen}.",
        rule=rule,
        optimism=findings.optimism,
        procedure={
            metric: Estimate(each.score, each.low, each.high)
            for metric, each in (("accuracy", found.accuracy), ("log_loss", found.loss))
        },
    )


def _settings(findings: Findings) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The settings that differ from the defaults, and those that do not."""
    settings = findings.settings
    size = ImageSettings.size if settings.features else settings.spec.default_size
    usual = StudySettings(
        data="",
        grid=Grid(**{name: each.usual or (each.neutral,) for name, each in DECLARED.items()}),
        image=ImageSettings(size=size),
        seeds=10,
        select=usual_rule(
            settings.patience, several_labels=findings.validated.label_sets is not None
        ),
        usual_epochs=True,
    ).for_training_on(max(1, findings.training_images))
    known = _flat(renewed(study_document(usual, findings.resolved)))
    differ, alike = list[tuple[str, str]](), list[tuple[str, str]]()
    for name, value in _flat(renewed(findings.document)).items():
        is_usual = known.get(name) == value and name not in settings.grid.varying
        (alike if is_usual else differ).append((name, value))
    return differ, alike


def _flat(document: Mapping[str, Any]) -> dict[str, str]:
    """Every setting of a study.toml but what the report shows elsewhere, in words."""
    return {
        name if table in ("study", "grid") else f"{table} {name}": _words(value)
        for table in ("study", "grid", DRAW, "image", "split", "table")
        for name, value in document.get(table, {}).items()
        if table != DRAW or not isinstance(value, list)  # values drawn, which the tables show
    } | {
        f"backbone {place}": f"{each['name']} at {each['image']['size']}×{each['image']['size']}"
        for place, each in enumerate(document.get(BACKBONES, ()), start=1)
    }


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={each}" for name, each in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _same_dataset(findings: Findings, job: Job) -> Dataset:
    settings = findings.settings
    dataset = open_data(settings, job)
    require_same_data(dataset, findings.resolved, findings.folder, settings.data)
    return dataset


def _has_test_images(findings: Findings, dataset: Dataset | None) -> bool:
    """Whether there is something to test on; where nobody can tell, as if there were."""
    if dataset is not None:
        return bool(len(dataset.rows("test")))
    kept = kept_images(findings.folder)
    return kept is None or bool(len(kept.splits.where("test")))


def _test(findings: Findings, expectation: parts.Expectation) -> parts.TestRecord | None:
    """The latest test evaluation, and when each was."""
    entries = read_test_log(findings.folder)
    if not entries:
        return None
    last, scores = entries[-1], entries[-1].measured
    expected: dict[str, Estimate] = {}
    if last.model.candidate == findings.result.ranking[0].candidate:
        expected = {
            each.metric: Estimate(each.score, each.low, each.high)
            for each in expectation.scores
            if each.metric in expectation.of_model
        }
    return parts.TestRecord(
        measured_on=counted(scores.images, "test image"),
        evaluations=tuple(
            parts.LogEntry(day_and_time(entry), _model_words(findings, entry)) for entry in entries
        ),
        scores=(
            scores.scores
            if isinstance(scores, LabelScores)
            else {name: getattr(scores, name) for name in SCORES}
        ),
        at_train_shares=(
            {}
            if isinstance(scores, LabelScores)
            else {
                "accuracy": scores.accuracy_at_train_shares,
                "log_loss": scores.log_loss_at_train_shares,
            }
        ),
        expected=expected,
    )


def _model_words(findings: Findings, entry: TestEvaluation) -> str:
    setting = findings.settings.grid[entry.model.candidate - 1]
    return setting_words(setting, findings.settings.grid.varying)
