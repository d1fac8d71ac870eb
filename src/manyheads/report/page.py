"""`report.html`: a study's content as one file that needs nothing else, not even a network.

Every text of the content may be hostile (file names, class names, titles): it is escaped, and what
no page can show is replaced. The page forbids itself every request.
"""

from __future__ import annotations

import base64
import io
import shlex
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from manyheads.core.places import write_text
from manyheads.core.text import capital, decimal, mean_std
from manyheads.findings.score_tables import estimate_words
from manyheads.findings.wording import METRIC_WORDS, difference_words, margin_words
from manyheads.report import bounds, page_tables, svg
from manyheads.report.content import Missing, Picture, ReportContent, Section
from manyheads.report.differences import comparison_plots
from manyheads.report.heat_map import HeatMap
from manyheads.report.palette import COLOURS, OUTCOMES
from manyheads.report.panel import Panel
from manyheads.report.parts import Classes, WrongImage
from manyheads.report.plots import curve_panels, reliability_panel, risk_panel
from manyheads.report.setting_plots import plot_words, setting_plots

_NO_ANSWERS = Missing(
    "The answers of the selected model on the images were not read.", "manyheads report {run}"
)
# Why a part is not there, unless the content has a better reason; {run} is the run folder.
_MISSING = {
    "test": Missing(
        "There is no test evaluation: no score in this report was measured on the test images.",
        "manyheads test {run}",
    ),
    "comparisons": Missing(
        "No candidates were compared: it takes two or more, trained on the same seeds and folds. "
        "A study makes a candidate of each value that is listed, such as `droprate` 0 0.5.",
        "",
    ),
    "selection": Missing(
        "How optimistic the selection is was not measured.", "manyheads report {run}"
    ),
    "curves": Missing("No trial has ended yet, so there are no curves.", "manyheads report {run}"),
    "calibration": _NO_ANSWERS,
    "classes": _NO_ANSWERS,
    "wrong": _NO_ANSWERS,
    "warnings": Missing("The data set was not checked for this report.", "manyheads report {run}"),
}
_SEEN_IN_THE_DARK = {"#000000": "var(--ink)", "#59626d": "var(--quiet)"}
_DIRECTIONS = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), "�")


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report to `path`, whole or not at all; raises `DiskError` if that fails."""
    write_text(path, render(content))


def render(content: ReportContent) -> str:
    """The report as HTML; its size is bounded by `bounds`, whatever the study's."""
    environment = _environment()
    view = _view(content)
    return environment.get_template("report.html.jinja").render(view)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("manyheads.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_shown,
    )
    environment.filters |= {
        "base64": lambda data: base64.b64encode(data).decode("ascii"),
        "capital": capital,
        "difference": lambda entry: difference_words(entry.metric, entry.estimate),
        "estimate": estimate_words,
        "margin": lambda plot: margin_words(plot.metric, plot.margins),
        "metric_words": METRIC_WORDS.__getitem__,
        "panel_table": page_tables.panel_table,
        "score": decimal,
        "times": lambda count: {1: "once", 2: "twice"}.get(count, f"{count:,} times"),
    }
    return environment


def _shown(value: Any) -> Any:
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return printable(value) if plain else value


def printable(text: str) -> str:
    """`text` with � for what no page can hold or show: broken characters, control codes, and
    marks that would turn the direction of what follows."""
    kept = (
        "�" if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" else letter
        for letter in text
    )
    return "".join(kept).translate(_DIRECTIONS)


def _view(content: ReportContent) -> dict[str, Any]:
    panels = curve_panels(content.candidates)
    by_setting = setting_plots(content.by_setting) if content.by_setting else []
    calibration, classes = content.calibration, content.classes
    risk = risk_panel(calibration.risk) if calibration and calibration.risk else None
    reliability = reliability_panel(calibration.diagram) if calibration else None
    sections = [_section(number, each) for number, each in enumerate(content.sections, start=1)]
    legend = bounds.drawn_candidates(content.candidates)
    curves = [curve for each in legend for curve in each.curves.values()]
    longest = max((len(curve.mean) for curve in curves), default=0)
    return {
        "content": content,
        "contents": _contents(sections),
        "facts": _facts(content),
        "absent": {
            name: Missing(part.why, part.command.replace("{run}", shlex.quote(content.run)))
            for name, part in (_MISSING | dict(content.missing)).items()
        },
        "tested": {each.model for each in content.test.evaluations} if content.test else (),
        "by_setting": [_drawn(each) for each in by_setting],
        "by_setting_words": plot_words(content.by_setting, by_setting)
        if content.by_setting
        else "",
        "plots": comparison_plots(content.comparisons, content.selected),
        "end_plots": comparison_plots(content.ends, content.selected),
        "legend": [{"candidate": each, "style": svg.style(n)} for n, each in enumerate(legend)],
        "panels": {metric: svg.draw_panel(panel) for metric, panel in panels.items()},
        "epochs": longest,
        "epochs_drawn": len(bounds.drawn_epochs(longest)),
        "reliability": reliability and svg.draw_panel(reliability),
        "risk": risk and svg.draw_panel(risk),
        "recalls": bounds.worst_recalls(classes.recalls, bounds.RECALLS) if classes else (),
        "confusion": _confusion(classes) if classes else (),
        "wrong": [_wrong(each) for each in bounds.wrong_shown(content.wrong)],
        "sections": sections,
        "tables": page_tables.all_tables(content, panels, by_setting, risk),
        "rows": bounds.ROWS,
        "examples": bounds.EXAMPLES,
        "box": svg,
        "outcome_marks": {name: svg.MARK_PATHS[mark] for name, (_, mark) in OUTCOMES.items()},
        "css": Markup(_colours() + _source("report.css")),
        "script": Markup(_source("report.js")),
    }


def _drawn(plot: Panel | HeatMap) -> svg.DrawnPanel | svg.DrawnHeatMap:
    return svg.draw_heat_map(plot) if isinstance(plot, HeatMap) else svg.draw_panel(plot)


def _contents(sections: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        ("verdict", "Verdict"),
        ("comparisons", "Comparisons"),
        ("curves", "Curves"),
        ("calibration", "Calibration"),
        ("classes", "Classes"),
        ("wrong", "Wrong images"),
        *((each["id"], each["section"].title) for each in sections),
        ("data", "Data"),
        ("repeat", "Settings"),
    ]


def _facts(content: ReportContent) -> list[tuple[str, str]]:
    selected = content.selected
    facts = [("Selected", selected.name)] if selected else []
    scores = selected.scores if selected else {}
    for name in ("accuracy", "log_loss"):
        if name in scores:
            title = f"{capital(METRIC_WORDS[name])} at chosen epochs"
            facts.append((title, mean_std(scores[name].mean, scores[name].deviation)))
    trials = sum(each.trials for each in content.candidates)
    return [*facts, ("Candidates", f"{len(content.candidates):,}"), ("Trials", f"{trials:,}")]


def _section(number: int, section: Section) -> dict[str, Any]:
    return {
        "id": f"more-{number}",
        "section": section,
        "drawn": [svg.draw_panel(each) for each in section.figures if isinstance(each, Panel)],
        "pictures": [each for each in section.figures if isinstance(each, Picture)],
    }


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
        return {"image": image, "width": opened.width, "height": opened.height}


def _colours() -> str:
    """The palette as rules of CSS."""
    inks = {f".c{number}": ink for number, ink in enumerate(COLOURS)}
    inks |= {f".{name} .interval": ink for name, (ink, _) in OUTCOMES.items()}
    return "".join(
        f"{where} {{ --c: {_SEEN_IN_THE_DARK.get(ink, ink)}; }}\n" for where, ink in inks.items()
    )


def _source(name: str) -> str:
    return Path(__file__).with_name("templates").joinpath(name).read_text(encoding="utf-8")
