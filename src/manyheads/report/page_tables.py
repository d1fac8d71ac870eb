"""The tables of a page: those that only a report has, of at most `bounds.ROWS` rows, and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyheads.core.table import Table, names, numbers, words
from manyheads.core.text import NOTHING, capital, decimal, interval, mean_std
from manyheads.findings.difference_tables import CellNames, comparisons_table
from manyheads.findings.score_tables import classes_table, model_scores_table
from manyheads.findings.wording import METRIC_WORDS, amount, unit_of
from manyheads.report.bounds import DRAWN, ROWS, drawn_candidates, worst_recalls
from manyheads.report.content import ReportContent
from manyheads.report.differences import parted
from manyheads.report.heat_map import HeatMap
from manyheads.report.panel import Panel, Series
from manyheads.report.parts import Candidate, Compared, Confidence, Expectation, LogEntry, Selection
from manyheads.report.scatter_plots import scatter_table


def all_tables(
    content: ReportContent,
    panels: Mapping[str, Panel],
    by_setting: Sequence[Panel | HeatMap],
    risk: Panel | None,
) -> dict[str, Any]:
    """The tables of a page, by the names that its template has for them; some are several."""
    made: dict[str, Any] = {"scores": scores_table(content)}
    if len(content.candidates) > DRAWN:
        made["more_scores"] = scores_table(content, ROWS)
    if content.expected:
        name = content.selected.name if content.selected else "the selected setting"
        made["expected"] = expected_table(content.expected, name)
    for name, compared in (("comparisons", content.comparisons), ("ends", content.ends)):
        main, others = parted(compared, content.selected)
        made[name] = comparisons_tables(main) if main else []
        made[f"other_{name}"] = comparisons_tables(others) if others else []
    if content.selection:
        made["optimism"] = optimism_table(content.selection)
        made["procedure"] = model_scores_table(
            "The whole procedure, on held-out images (nested cross-validation)",
            content.selection.procedure,
        )
    if test := content.test:
        made["test"] = model_scores_table(
            "Scores on the test images", test.scores,
            at_train_shares=test.at_train_shares, expected=test.expected,
        )  # fmt: skip
        made["evaluations"] = evaluations_table(test.evaluations)
    if content.calibration:
        made["temperature"] = temperature_table(content.calibration)
        made["bins"] = bins_table(content.calibration)
    if risk:
        made["risk"] = panel_table(risk)
    if content.classes:
        recalls = worst_recalls(content.classes.recalls, ROWS)
        more = f"; the {len(recalls)} worst of {len(content.classes.recalls):,}"
        shown = more if len(recalls) < len(content.classes.recalls) else ""
        made["recalls"] = classes_table(recalls, f"Recall by class{shown}")
    scattered = content.by_setting.scattered if content.by_setting else ()
    made["by_setting"] = [scatter_table(each) for each in scattered] or [
        plot_table(each) for each in by_setting
    ]
    made["curves"] = {metric: panel_table(panel) for metric, panel in panels.items()}
    made["reading"] = reading_table(content, panels)
    return made


def scores_table(content: ReportContent, rows: int = DRAWN) -> Table:
    """A row for each of the best candidates, the selected one among them wherever it stands."""
    shown = list(content.candidates[:rows])
    selected = content.selected
    if selected is not None and selected not in shown:
        shown[-1] = selected
    known = [name for name in METRIC_WORDS if any(name in each.scores for each in shown)]
    return Table(
        caption=f"Scores, mean ± standard deviation over seeds{_of(shown, content.candidates)}",
        columns=[
            *names("candidate"), *numbers("trials", *(METRIC_WORDS[name] for name in known)),
        ],
        rows=[
            (each.name, f"{each.trials:,}", *(_spread(each, name) for name in known))
            for each in shown
        ],
    )  # fmt: skip


def _of(shown: list[Candidate], every: tuple[Candidate, ...]) -> str:
    return f"; {len(shown)} of {len(every):,} candidates" if len(every) > len(shown) else ""


def _spread(candidate: Candidate, score: str) -> str:
    spread = candidate.scores.get(score)
    return NOTHING if spread is None else mean_std(spread.mean, spread.deviation)


def expected_table(expected: Expectation, name: str) -> Table:
    """What to expect of the selected setting, called `name`, beside what it scored."""
    return Table(
        caption=f"What to expect of {name}",
        columns=[
            *names("score"), *numbers("on the images of the selection", "on new images [95 %]"),
        ],
        rows=[
            (
                capital(METRIC_WORDS[each.metric]),
                decimal(each.naive),
                interval(each.score, each.low, each.high),
            )
            for each in expected.scores
        ],
    )  # fmt: skip


def comparisons_tables(compared: Compared) -> list[Table]:
    """A table for each metric, with what would settle what is undecided."""
    cells, family = CellNames(compared.names, in_full=True), compared.family
    return [
        comparisons_table(cells, metric, family.margins, family.of(metric))
        for metric in dict.fromkeys(entry.metric for entry in family.entries)
    ]


def evaluations_table(evaluations: Sequence[LogEntry]) -> Table:
    """A row for each test evaluation."""
    return Table(
        caption="Test evaluations",
        columns=words("when", "model"),
        rows=[tuple(each) for each in evaluations],
    )


def optimism_table(selection: Selection) -> Table:
    """By how much the validation score is too good at the epoch that each rule chooses."""
    return Table(
        caption="Optimism: by how much the chosen epoch's validation score is too good",
        columns=[*names("epoch chosen by", "", "score"), *numbers("optimism")],
        rows=[
            (
                each.rule,
                "used here" if each.rule == selection.rule else "",
                METRIC_WORDS[metric],
                f"{amount(metric, found.optimism)} {unit_of(metric)}",
            )
            for each in selection.optimism
            for metric, found in (("accuracy", each.accuracy), ("log_loss", each.loss))
            if found is not None
        ],
    )


def temperature_table(confidence: Confidence) -> Table:
    """Log loss and calibration error before and after temperature scaling, means over seeds."""
    found = confidence.calibration
    temperature = float(np.exp(np.log(found.temperatures).mean()))
    pairs = (
        ("Log loss", found.log_loss_before, found.log_loss_after),
        ("Calibration error", found.ece_before, found.ece_after),
    )
    return Table(
        caption=f"Before and after temperature scaling, temperature {decimal(temperature, 2)}",
        columns=[*names("score"), *numbers("before", "after")],
        rows=[
            (name, decimal(float(before.mean())), decimal(float(after.mean())))
            for name, before, after in pairs
        ],
    )


def bins_table(confidence: Confidence) -> Table:
    """The bins of the reliability diagram."""
    found = confidence.diagram
    bins = zip(
        found.images.tolist(), found.confidence.tolist(), found.accuracy.tolist(),
        found.low.tolist(), found.high.tolist(), strict=True,
    )  # fmt: skip
    return Table(
        caption="Reliability by bin",
        columns=[*names("bin"), *numbers("images", "mean confidence", "accuracy [95 %]")],
        rows=[
            (str(place), f"{round(images):,}", decimal(mean), interval(share, low, high))
            for place, (images, mean, share, low, high) in enumerate(list(bins)[:ROWS], start=1)
        ],
    )


def plot_table(plot: Panel | HeatMap) -> Table:
    """The numbers of a plot."""
    return heat_map_table(plot) if isinstance(plot, HeatMap) else panel_table(plot)


def panel_table(panel: Panel) -> Table:
    """The points of a panel: a row for each place along it, a column for each series."""
    series = [each for each in panel.series if each.drawn not in ("reference", "dots")]
    places = np.unique(np.concatenate([each.x for each in series]))[:ROWS]
    cells = [dict(zip(each.x.tolist(), _cells(each), strict=True)) for each in series]
    ticks = dict(panel.x_ticks)
    return Table(
        caption=panel.title,
        columns=[*names(panel.x_label), *numbers(*(each.name for each in series))],
        rows=[
            (ticks.get(place, f"{place:.6g}"), *(column.get(place, NOTHING) for column in cells))
            for place in places.tolist()
        ],
    )


def heat_map_table(heat_map: HeatMap) -> Table:
    """The numbers of a heat map, in its rows and columns."""
    return Table(
        caption=f"{heat_map.title}, {heat_map.y_label} by {heat_map.x_label}",
        columns=[*names(heat_map.y_label), *numbers(*heat_map.columns)],
        rows=[
            (name, *map(decimal, row))
            for name, row in zip(heat_map.rows, heat_map.values.tolist(), strict=True)
        ],
    )


def reading_table(content: ReportContent, panels: Mapping[str, Panel]) -> Table:
    """What the curves of each candidate end at: where reading them epoch by epoch begins."""
    ends = [{each.name: _cells(each)[-1] for each in panel.series} for panel in panels.values()]
    return Table(
        caption="Mean (lowest–highest) over trials",
        columns=[*names("candidate"), *numbers(*(panel.title for panel in panels.values()))],
        rows=[
            (each.name, *(column.get(each.name, NOTHING) for column in ends))
            for each in drawn_candidates(content.candidates)
        ],
    )


def _cells(series: Series) -> list[str]:
    if series.low is None or series.high is None:
        return [decimal(value) for value in series.y]
    rows = zip(series.y, series.low, series.high, strict=True)
    return [f"{decimal(y)} ({decimal(low)}–{decimal(high)})" for y, low, high in rows]
