"""`report.html`: a study's content as one file that needs nothing else, not even a network.

Every text of the content may be hostile (file names, class names, titles): it is escaped, and what
no page can show is replaced. The page forbids itself every request.
"""

from __future__ import annotations

import io
import shlex
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from manyheads.core.places import write_text
from manyheads.core.text import percent
from manyheads.findings.labels import UNBELIEVED
from manyheads.report import bounds, page_tables, svg
from manyheads.report.content import Missing, ReportContent
from manyheads.report.differences import comparison_plots, parted
from manyheads.report.palette import OUTCOMES
from manyheads.report.parallel_plot import draw_parallel
from manyheads.report.parts import Classes, WrongImage
from manyheads.report.plots import (
    FEWEST,
    curve_panels,
    gap_panels,
    reliability_panel,
    risk_panel,
    risk_words,
)
from manyheads.report.setting_plots import plot_words, setting_plots
from manyheads.report.templating import drawn, drawn_sections, rendered

_NO_ANSWERS = Missing("The answers of the selected model on the images are not known.", "")
# Why a part is not there, unless the content has a better reason; {run} is the run folder.
_MISSING = {
    "test": Missing(
        "There is no test evaluation: no score in this report was measured on the test images.",
        "manyheads test {run}",
    ),
    "comparisons": Missing(
        "No candidates were compared: it takes two or more, trained on the same seeds and folds. "
        "A study makes a candidate of each value that is listed, such as droprate 0 0.5.",
        "",
    ),
    "selection": Missing("How optimistic the selection is was not measured.", ""),
    "curves": Missing(
        "No epoch was trained by all trials of a candidate: there are no curves.", ""
    ),
    "calibration": Missing(
        "There are too few validation images to measure how well confidence is calibrated.", ""
    ),
    "classes": _NO_ANSWERS,
    "wrong": _NO_ANSWERS,
    "warnings": Missing("The data set was not checked for this report.", ""),
}


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report to `path`, whole or not at all; raises `DiskError` if that fails."""
    write_text(path, render(content))


def render(content: ReportContent) -> str:
    """The report as HTML; its size is bounded by `bounds`, whatever the study's."""
    return rendered("report.html.jinja", _view(content))


def _view(content: ReportContent) -> dict[str, Any]:
    panels = curve_panels(content.candidates)
    by_setting = setting_plots(content.by_setting) if content.by_setting else []
    calibration, classes = content.calibration, content.classes
    risk = risk_panel(calibration.risk) if calibration and calibration.risk else None
    reliability = reliability_panel(calibration.diagram) if calibration else None
    sections = drawn_sections(content.sections)
    legend = bounds.drawn_candidates(content.candidates)
    curves = [curve for each in legend for curve in each.curves.values()]
    longest = max((len(curve.mean) for curve in curves), default=0)
    main, others = parted(content.comparisons, content.selected)
    ends, other_ends = parted(content.ends, content.selected)
    baseline = main.family.baseline if main else None
    return {
        "content": content,
        "contents": _contents(sections),
        "absent": {
            name: Missing(part.why, part.command.replace("{run}", shlex.quote(content.run)))
            for name, part in (_MISSING | dict(content.missing)).items()
        },
        "tested": {each.model for each in content.test.evaluations} if content.test else (),
        "by_setting": [drawn(each) for each in by_setting],
        "by_setting_words": plot_words(content.by_setting, by_setting)
        if content.by_setting
        else "",
        "parallel": draw_parallel(content.parallel) if content.parallel else None,
        "with_selected": bool(main and content.selected and not baseline),
        "plots": comparison_plots(main),
        "other_plots": comparison_plots(others),
        "end_plots": comparison_plots(ends),
        "other_end_plots": comparison_plots(other_ends),
        "legend": [{"candidate": each, "style": svg.style(n)} for n, each in enumerate(legend)],
        "panels": {metric: svg.draw_panel(panel) for metric, panel in panels.items()},
        "gaps": [drawn(each) for each in gap_panels(content.candidates)],
        "epochs": longest,
        "epochs_drawn": len(bounds.drawn_epochs(longest)),
        "reliability": reliability and svg.draw_panel(reliability),
        "risk": risk and svg.draw_panel(risk),
        "risk_words": risk_words(calibration.risk) if calibration and calibration.risk else "",
        "fewest": FEWEST,
        "recalls": bounds.worst_recalls(classes.recalls, bounds.RECALLS) if classes else (),
        "confusion": _confusion(classes) if classes else (),
        "wrong": [_wrong(each) for each in bounds.wrong_shown(content.wrong)],
        "first": bounds.FIRST_WRONG,
        "doubted": percent(UNBELIEVED, 0),
        "sections": sections,
        "tables": page_tables.all_tables(content, panels, by_setting, risk),
        "examples": bounds.EXAMPLES,
        "outcome_marks": {name: svg.MARK_PATHS[mark] for name, (_, mark) in OUTCOMES.items()},
    }


def _contents(sections: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        ("answer", "Answer"),
        ("scores", "Scores"),
        ("curves", "Curves"),
        ("comparisons", "Comparisons"),
        ("mistakes", "Mistakes"),
        ("calibration", "Calibration"),
        *((each["id"], each["section"].title) for each in sections),
        ("data", "Data"),
        ("repeat", "Settings"),
    ]


def _confusion(classes: Classes) -> list[dict[str, Any]]:
    shown = bounds.most_confused(classes.confusion)
    counts = classes.confusion[np.ix_(shown, shown)].toarray()
    totals = classes.confusion.sum(axis=1)[shown]
    return [
        {
            "name": classes.recalls[label].name,
            "cells": [
                {
                    "count": int(count),
                    "share": round(float(count / max(1, total)), 3),
                    "right": label == answer,
                }
                for answer, count in zip(shown, row, strict=True)
            ],
        }
        for label, row, total in zip(shown, counts, totals, strict=True)
    ]


def _wrong(image: WrongImage) -> dict[str, Any]:
    with Image.open(io.BytesIO(image.thumbnail)) as opened:
        size = {"width": opened.width, "height": opened.height}
    return {"image": image, "file": PurePath(image.name).name or image.name, **size}
