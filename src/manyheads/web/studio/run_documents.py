"""What a page shows of a finished run, as plain data: answers, tables, plots, confusion."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict
from typing import Any

import numpy as np

from manyheads.core.table import Table
from manyheads.core.text import capital, counted, decimal
from manyheads.findings.backbone_scores import Backbones
from manyheads.findings.held_out_comparison import ComparedScore, HeldOutComparison
from manyheads.findings.score_tables import estimate_words, scores_words
from manyheads.findings.study_findings import Findings
from manyheads.findings.wording import METRIC_WORDS, CandidateNames, difference_words
from manyheads.report import bounds
from manyheads.report.palette import COLOURS
from manyheads.report.panel import Panel
from manyheads.report.plots import reliability_panel, risk_panel, risk_words
from manyheads.report.sections import backbones_section
from manyheads.report.svg import HEIGHT, WIDTH, draw_panel
from manyheads.run.fit.fit_record import Fitted
from manyheads.run.run_answers import RunAnswers
from manyheads.stats import metrics
from manyheads.stats.calibration import calibrate
from manyheads.stats.confidence import reliability, risk_coverage
from manyheads.stats.intervals import Estimate, share_estimate
from manyheads.study.space import setting_words

_COMPARED = 40  # comparisons of a metric
_TRIED = 20  # options of a fit


def run_document(run: RunAnswers) -> dict[str, Any]:
    """Everything about a run but its images; its size is bounded, whatever the run's."""
    about = _study(run.findings) if run.findings is not None else {}
    if run.fitted is not None:
        about = _fit(run.fitted, averaged=run.averaged)
    hits = run.predicted == run.labels
    return about | {
        "run": run.name,
        "classes": list(run.classes),
        "setting": setting_words(
            run.settings.grid[run.candidate - 1], run.settings.grid.varying
        ),
        "measured_on": run.measured_on,
        "images": len(run.labels),
        "wrong": int((~hits).sum()),
        "answered_by": "an average of heads" if run.averaged else "one head",
        "accuracy": _estimate(share_estimate(hits, run.validated.units)),
        "panels": [_panel(each) for each in _panels(run)],
        "risk": risk_words(risk_coverage(run.whole, run.labels)),
        "calibration": _calibration(run),
        "confusion": confusion_document(run),
        "recalls": _recalls(run),
        "pictures": bool(run.files),
        "folds": run.settings.folds is not None,
        "test": shlex.join(["manyheads", "test", run.name]),
    }  # fmt: skip


def confusion_document(run: RunAnswers) -> dict[str, Any]:
    """The confusion matrix of the classes that are most confused, in their own order.

    A cell has how many images of its row's class were taken for its column's.
    """
    matrix = metrics.confusion(run.one, run.labels)
    shown = bounds.most_confused(matrix)
    counts = matrix[np.ix_(shown, shown)].toarray()
    totals = matrix.sum(axis=1)[shown]
    return {
        "classes": [run.classes[label] for label in shown.tolist()],
        "counts": counts.tolist(),
        "totals": totals.tolist(),
        "of": len(run.classes),
    }


def relabelling_document(found: HeldOutComparison, command: str | None) -> dict[str, Any]:
    """Two runs beside each other by the later labels, as plain data."""
    return {
        "sentences": list(found.sentences),
        "kept": _relabelled(found.kept),
        "changed": _relabelled(found.changed),
        "command": command,
    }


def _relabelled(score: ComparedScore | None) -> dict[str, Any] | None:
    return None if score is None else asdict(score)


def _study(findings: Findings) -> dict[str, Any]:
    answer, verdict = findings.recommendation, findings.verdict
    balance = findings.class_balance.sentences if findings.class_balance else ()
    return {
        "kind": "study",
        "answer": [
            _plain(each) for each in (*answer.sentences, *findings.training_notes, *balance)
        ],
        "confidence": answer.confidence,
        "verdict": [_plain(each) for each in (*verdict.sentences, *verdict.notes)],
        "expected": [
            {"metric": METRIC_WORDS[each.metric], **_estimate(_winner(each))}
            for each in reversed(findings.winner)
        ],
        "expected_words": "chosen again and again on images drawn with replacement, and scored on "
        "the others, which corrects the optimism of choosing",
        "comparisons": _comparisons(findings),
        "tables": [],
        "backbones": _backbones(findings.backbones),
    }


def _backbones(found: Backbones | None) -> dict[str, Any] | None:
    """Accuracy against cost, as the report has it; None of a study of a single backbone."""
    section = backbones_section(found)
    return (
        None
        if section is None
        else {
            "sentences": [_plain(each) for each in section.paragraphs],
            "panels": [_panel(each) for each in section.figures if isinstance(each, Panel)],
            "caption": section.caption,
            "tables": [_table(each) for each in section.tables],
        }
    )


def _fit(fitted: Fitted, *, averaged: bool = False) -> dict[str, Any]:
    scores, best = fitted.leading_scores, fitted.tried[0]
    words = f"Expected on new images like these: {scores_words(scores)}."
    shown = "an average of as many" if averaged else "one head of this setting"
    return {
        "kind": "fit",
        "answer": [
            words,
            f"The setting is {best.words}, of {counted(len(fitted.tried), 'option')} the best by "
            f"{METRIC_WORDS[fitted.metric]}.",
            *(f"{capital(each)}." for each in fitted.remarks),
        ],
        "confidence": "",
        "verdict": [
            f"The model averages {counted(fitted.heads, 'head')}. The images show what {shown} "
            "said of each when it was left out of training."
        ],
        "expected": [
            {"metric": METRIC_WORDS[name], **_estimate(each)} for name, each in scores.items()
        ],
        "expected_words": "nested cross-validation on "
        f"{counted(fitted.expected.measured.images, 'held-out image')}",
        "comparisons": [],
        "tables": [_tried(fitted)],
        "backbones": None,
    }  # fmt: skip


def _tried(fitted: Fitted) -> dict[str, Any]:
    measured = fitted.ranked_in
    return {
        "caption": "Options that were tried, the best first; scores of single heads",
        "columns": [
            {"title": title, "number": title != "option"}
            for title in ("option", *map(METRIC_WORDS.get, measured), "folds that choose it")
        ],
        "rows": [
            [
                each.words,
                *(decimal(each.scored(name)) for name in measured),
                str(each.folds or "–"),
            ]
            for each in fitted.tried[:_TRIED]
            if math.isfinite(each.log_loss)
        ],
    }


def _comparisons(findings: Findings) -> list[dict[str, Any]]:
    names = CandidateNames(findings.validated).full
    return [
        {
            "metric": METRIC_WORDS[metric],
            "first": names[entry.first],
            "second": names[entry.second],
            "difference": difference_words(metric, entry.estimate),
            "outcome": entry.outcome,
        }
        for metric in reversed(findings.comparisons.metrics)
        for entry in findings.comparisons.of(metric)[:_COMPARED]
    ]


def _panels(run: RunAnswers) -> list[Panel]:
    diagram = reliability_panel(reliability(run.whole, run.labels))
    panels = [diagram] if diagram is not None else []
    panels.append(risk_panel(risk_coverage(run.whole, run.labels)))
    return panels


def _panel(panel: Panel) -> dict[str, Any]:
    """A plot with everything placed, for a script to draw."""
    drawn = draw_panel(panel)
    return {
        "title": panel.title,
        "description": panel.description,
        "x_label": panel.x_label,
        "y_label": panel.y_label,
        "width": WIDTH,
        "height": HEIGHT,
        "x_ticks": [list(each) for each in drawn.x_ticks],
        "y_ticks": [list(each) for each in drawn.y_ticks],
        "series": [
            {
                "name": each.series.name,
                "drawn": each.series.drawn,
                "colour": COLOURS[each.style.colour],
                "dash": each.style.dash,
                "mark": each.style.mark,
                "points": each.points,
                "band": each.band,
                "bars": [list(bar) for bar in each.bars],
                "marks": [list(mark) for mark in each.marks],
                "dots": each.dots,
                "ring": None if each.highlight is None else list(each.highlight),
            }
            for each in drawn.series
        ],
    }


def _calibration(run: RunAnswers) -> str:
    """What a temperature would gain, in words; "" where the images are too few to fit one."""
    if len(np.unique(run.validated.units)) < 2:
        return ""
    if run.averaged:  # the fit has done so itself
        error = metrics.expected_calibration_error(run.one, run.labels)
        return (
            f"The expected calibration error is {decimal(float(error))}, at temperatures that were "
            "fitted on other images."
        )
    found = calibrate(run.whole, run.labels, run.validated.units)
    before, after = float(found.ece_before.mean()), float(found.ece_after.mean())
    temperature = float(found.temperatures.mean())
    return (
        f"The expected calibration error is {decimal(before)}; with a temperature, "
        f"{decimal(temperature, 2)}, it is {decimal(after)} (on images that did not fit it)."
    )


def _recalls(run: RunAnswers) -> list[dict[str, Any]]:
    hits, units = run.predicted == run.labels, run.validated.units
    found = []
    for label, name in enumerate(run.classes):
        own = run.labels == label
        recall = _estimate(share_estimate(hits[own], units[own])) if own.any() else None
        found.append({"name": name, "images": int(own.sum()), "recall": recall})
    return sorted(found, key=lambda each: each["recall"]["value"] if each["recall"] else 2.0)[
        : bounds.RECALLS
    ]


def _table(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "columns": [
            {"title": each.heading, "number": each.kind == "number"} for each in table.columns
        ],
        "rows": [list(row) for row in table.rows],
    }


def _winner(each: Any) -> Estimate:
    return Estimate(each.score, each.low, each.high)


def _estimate(found: Estimate) -> dict[str, Any]:
    return {
        "value": found.value, "low": found.low, "high": found.high, "words": estimate_words(found),
    }  # fmt: skip


def _plain(sentence: str) -> str:
    return sentence.replace("`", "")
