"""The tables of a report, of at most `bounds.ROWS` rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manyheads.report.bounds import DRAWN, ROWS, drawn_candidates, worst_recalls
from manyheads.report.content import ReportContent, Table
from manyheads.report.panel import Panel, Series
from manyheads.report.parts import (
    SCORES,
    Best,
    Calibration,
    Candidate,
    Classes,
    Comparisons,
    Expectation,
    Score,
    Selection,
)
from manyheads.report.phrases import (
    NOTHING,
    capital,
    change,
    change_interval,
    interval,
    metric_words,
    p_value,
    score,
    spread,
    unit,
)


def scores_table(content: ReportContent, rows: int = DRAWN) -> Table:
    """A row for each of the best candidates, the selected one among them wherever it stands."""
    shown = list(content.candidates[:rows])
    selected = content.selected
    if selected is not None and selected not in shown:
        shown[-1] = selected
    known = [name for name in SCORES if any(name in each.scores for each in shown)]
    return Table(
        caption=f"Scores, mean ± standard deviation over trials{_of(shown, content.candidates)}",
        columns=("Candidate", "Trials", *(capital(metric_words(name)) for name in known)),
        rows=tuple(
            (
                each.name,
                f"{each.trials:,}",
                *(spread(each.scores.get(name)) for name in known),
            )
            for each in shown
        ),
    )


def _of(shown: list[Candidate], every: tuple[Candidate, ...]) -> str:
    return f"; {len(shown)} of {len(every):,} candidates" if len(every) > len(shown) else ""


def best_table(best: tuple[Best, ...]) -> Table:
    """The candidates that may be the best, a row for each metric."""
    kept = 4 if any(each.cheapest for each in best) else 3
    columns = ("Score", "May be the best, best mean first", "How many", "The cheapest of them")
    rows = (
        (
            capital(metric_words(each.metric)),
            each.names,
            f"{each.count:,} of {each.compared:,}",
            each.cheapest or NOTHING,
        )
        for each in best
    )
    return Table(
        caption="Candidates that may be the best; each set holds the best with 95 % confidence",
        columns=columns[:kept],
        rows=tuple(row[:kept] for row in rows),
        names=kept,
    )


def expected_table(expected: Expectation, name: str) -> Table:
    """What to expect of the selected setting, called `name`, beside what it scored."""
    return Table(
        caption=f"What to expect of {name}",
        columns=("Score", "On the images that chose it", "On new images (95 % interval)"),
        rows=tuple(
            (capital(metric_words(each.metric)), score(each.naive), interval(each.estimate))
            for each in expected.scores
        ),
    )


def comparisons_table(comparisons: Comparisons) -> Table:
    """A row for each comparison, with what would settle it."""
    entries = comparisons.entries[:ROWS]
    more = len(comparisons.entries) - len(entries)
    return Table(
        caption="Differences, first minus second" + (f"; {more:,} more are not shown" * (more > 0)),
        columns=(
            "First", "Second", "Metric", "Outcome of the first", "What would settle it",
            "Difference (adjusted 95 % interval)", "p (Holm)",
        ),
        rows=tuple(
            (
                each.first,
                each.second,
                metric_words(each.metric),
                each.outcome,
                each.settled_by or NOTHING,
                change_interval(each.metric, each.difference),
                p_value(each.p),
            )
            for each in entries
        ),
        names=5,
    )  # fmt: skip


def model_scores_table(caption: str, scores: tuple[Score, ...]) -> Table:
    """A model's scores with their intervals; at the training shares, and beside what was expected,
    where that was measured."""
    columns = [
        ("Score", [capital(metric_words(each.metric)) for each in scores]),
        ("Estimate (95 % interval)", [interval(each.estimate) for each in scores]),
    ]
    for title, others in (
        ("At the training shares of classes", [each.reweighted for each in scores]),
        ("Expected without these images", [each.expected for each in scores]),
    ):
        if any(others):
            columns.append((title, [interval(each) if each else NOTHING for each in others]))
    titles, cells = zip(*columns, strict=True)
    return Table(caption=caption, columns=titles, rows=tuple(zip(*cells, strict=True)))


def optimism_table(selection: Selection) -> Table:
    """How much each rule's chosen epoch flatters."""
    return Table(
        caption="Optimism: by how much the chosen epoch's validation score is too good",
        columns=("Epoch chosen by", "", "Score", "Optimism"),
        rows=tuple(
            (
                each.rule,
                "used here" if each.used else "",
                metric_words(each.metric),
                f"{change(each.metric, each.value)} {unit(each.metric)}",
            )
            for each in selection.optimism
        ),
        names=3,
    )


def temperature_table(calibration: Calibration) -> Table:
    """Log loss and calibration error before and after temperature scaling."""
    pairs = (("Log loss", calibration.log_loss), ("Calibration error", calibration.ece))
    return Table(
        caption=f"Before and after temperature scaling, temperature "
        f"{score(calibration.temperature, 2)}",
        columns=("Score", "Before", "After"),
        rows=tuple((name, score(pair.before), score(pair.after)) for name, pair in pairs),
    )


def bins_table(calibration: Calibration) -> Table:
    """The bins of the reliability diagram."""
    return Table(
        caption="Reliability by bin",
        columns=("Bin", "Images", "Mean confidence", "Accuracy", "Low", "High"),
        rows=tuple(
            (str(place), f"{each.images:,}", *(score(number) for number in each[:4]))
            for place, each in enumerate(calibration.bins[:ROWS], start=1)
        ),
    )


def recalls_table(classes: Classes) -> Table:
    """A row for each class, the worst recognised first where there are too many."""
    recalls = worst_recalls(classes.recalls, ROWS)
    more = f"; the {len(recalls)} worst of {len(classes.recalls):,}"
    return Table(
        caption="Recall by class" + (more if len(recalls) < len(classes.recalls) else ""),
        columns=("Class", "Images", "Recall", "Low", "High"),
        rows=tuple(
            (
                each.name,
                f"{each.images:,}",
                *((score(number) for number in each.recall) if each.recall else (NOTHING,) * 3),
            )
            for each in recalls
        ),
    )


def panel_table(panel: Panel) -> Table:
    """The points of a panel: a row for each place along it, a column for each series."""
    series = [each for each in panel.series if each.drawn != "reference"]
    places = np.unique(np.concatenate([each.x for each in series]))[:ROWS]
    cells = [dict(zip(each.x.tolist(), _cells(each), strict=True)) for each in series]
    names = dict(panel.x_ticks)
    return Table(
        caption=panel.title,
        columns=(capital(panel.x_label), *(each.name for each in series)),
        rows=tuple(
            (names.get(place, f"{place:.6g}"), *(column.get(place, NOTHING) for column in cells))
            for place in places.tolist()
        ),
    )


def reading_table(content: ReportContent, panels: Mapping[str, Panel]) -> Table:
    """What the curves of each candidate end at: where reading them epoch by epoch begins."""
    names = [each.name for each in drawn_candidates(content.candidates)]
    ends = [{each.name: _cells(each)[-1] for each in panel.series} for panel in panels.values()]
    return Table(
        caption="Mean (lowest–highest) over trials",
        columns=("Candidate", *(panel.title for panel in panels.values())),
        rows=tuple((name, *(column.get(name, NOTHING) for column in ends)) for name in names),
    )


def _cells(series: Series) -> list[str]:
    if series.low is None or series.high is None:
        return [score(value) for value in series.y]
    rows = zip(series.y, series.low, series.high, strict=True)
    return [f"{score(y)} ({score(low)}–{score(high)})" for y, low, high in rows]
