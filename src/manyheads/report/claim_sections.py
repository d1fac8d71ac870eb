"""The sections of a report on claims that were checked: words, a table and a figure each."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from manyheads.core.text import counted
from manyheads.findings.claim_record import EnsembleClaim, LongerClaim, read_ensemble, read_longer
from manyheads.findings.claim_words import epochs_words, way_words
from manyheads.findings.ensembles import Kind, Way
from manyheads.report.bounds import DRAWN, ROWS
from manyheads.report.content import Section, Table
from manyheads.report.panel import Panel, Series
from manyheads.report.parts import Interval
from manyheads.report.phrases import NOTHING, capital, interval, metric_words, p_value, score
from manyheads.report.scales import loss_limits
from manyheads.report.shortcut_section import shortcut_section
from manyheads.stats.intervals import Estimate
from manyheads.study.folder import RunFolder

_LINES: tuple[tuple[Kind, str], ...] = (
    ("subnetworks", "averages of random subnetworks"),
    ("weight_scaling", "weight scaling"),
    ("deep", "ensembles of seeds"),
)


def claim_sections(folder: RunFolder) -> tuple[Section, ...]:
    """A section for each claim recorded in `folder`; raises `RunError` for a damaged record."""
    return tuple(_sections(folder))


def _sections(folder: RunFolder) -> Iterator[Section]:
    if (ensemble := read_ensemble(folder)) is not None:
        yield Section(
            title="Dropout as an ensemble",
            paragraphs=(
                f"Candidate {ensemble.candidate}, {ensemble.name}: {ensemble.masks} random "
                "subnetworks of each head, averages of their probabilities, weight scaling "
                "(ordinary inference), and ensembles of seeds.",
                *ensemble.sentences,
            ),
            tables=(_ways_table(ensemble), _contrasts_table(ensemble)),
            figures=tuple(_ensemble_panel(ensemble, name) for name in ("log_loss", "accuracy")),
        )
    if (longer := read_longer(folder)) is not None:
        yield Section(
            title="Longer training",
            paragraphs=(
                f"Every candidate trained to epoch {longer.limit:,} at most, a head ending after "
                f"{counted(longer.patience, 'epoch')} without a lower log loss.",
                *longer.sentences,
            ),
            tables=(_reach_table(longer), _epochs_table(longer)),
            figures=(_longer_panel(longer),),
        )
    if (shortcut := shortcut_section(folder)) is not None:
        yield shortcut


def _ways_table(claim: EnsembleClaim) -> Table:
    names = ("accuracy", "log_loss", "ece")
    return Table(
        caption="Ways to answer, with 95 % intervals",
        columns=(
            "Way", "Means over", *(capital(metric_words(name)) for name in names),
            "Members disagree",
        ),
        rows=tuple(
            (
                capital(way_words(way.kind, way.size)),
                str(way.draws),
                *(_shown(getattr(way, name)) for name in (*names, "disagreement")),
            )
            for way in claim.ways
        ),
    )  # fmt: skip


def _contrasts_table(claim: EnsembleClaim) -> Table:
    return Table(
        caption="Differences, first minus second",
        columns=(
            "First", "Second", "Metric", "Outcome of the first", "Difference (95 % interval)",
            "p (Holm)",
        ),
        rows=tuple(
            (
                capital(way_words(each.first, each.first_size)),
                way_words(each.second, 1),
                metric_words(each.metric),
                each.outcome,
                _shown(each.difference),
                p_value(each.p),
            )
            for each in claim.contrasts
        ),
        names=4,
    )  # fmt: skip


def _ensemble_panel(claim: EnsembleClaim, metric: str) -> Panel:
    """A score by the number of networks that are averaged, on a logarithmic axis."""
    most = max(way.size for way in claim.ways)
    series = []
    for place, (kind, name) in enumerate(_LINES):
        ways = [way for way in claim.ways if way.kind == kind]
        if kind == "deep":  # one seed is weight scaling
            ways = [way for way in claim.ways if way.kind == "weight_scaling"] + ways
        if len(ways) > 1 or kind == "weight_scaling":
            series.append(_line(name, ways, metric, place, most))
    sizes = sorted({way.size for way in claim.ways})
    best = min(claim.ways, key=lambda way: getattr(way, metric).value * _sign(metric))
    return Panel(
        title=f"{capital(metric_words(metric))} of averages of networks",
        x_label="networks averaged",
        y_label=metric_words(metric),
        series=tuple(series),
        description=(
            f"{capital(metric_words(metric))} by the number of networks averaged; intervals are in "
            f"the table. Best is {way_words(best.kind, best.size)}, "
            f"{score(getattr(best, metric).value)}."
        ),
        x_limits=(-0.05, math.log10(most) + 0.05),
        y_limits=loss_limits([s.y for s in series]) if metric == "log_loss" else None,
        x_ticks=tuple((math.log10(size), str(size)) for size in sizes),
    )


def _sign(metric: str) -> int:
    return -1 if metric == "accuracy" else 1


def _line(name: str, ways: list[Way], metric: str, place: int, most: int) -> Series:
    sizes = [way.size for way in ways]
    found = [getattr(way, metric) for way in ways]
    if len(ways) == 1:  # the same however many subnetworks there are
        sizes, found = [1, most], found * 2
    return Series(
        name=name,
        x=np.log10(np.array(sizes, np.float64)),
        y=np.array([each.value for each in found]),
        style=place,
        strong=place == 0,
    )


def _reach_table(claim: LongerClaim) -> Table:
    return Table(
        caption="Epochs to the best score, with 95 % intervals",
        columns=(
            "Candidate", "Heads", "To the best log loss", "Turned", "Lowest log loss",
            "Accuracy there", "To the best accuracy", "Turned",
        ),
        rows=tuple(
            (
                each.name,
                f"{each.heads:,}",
                _at_least(each.log_loss.turned) + epochs_words(each.log_loss.epoch),
                f"{100 * each.log_loss.turned:.0f} %",
                _shown(each.lowest_log_loss),
                _shown(each.accuracy_there),
                _at_least(each.accuracy.turned) + epochs_words(each.accuracy.epoch),
                f"{100 * each.accuracy.turned:.0f} %",
            )
            for each in claim.candidates
        ),
    )  # fmt: skip


def _epochs_table(claim: LongerClaim) -> Table:
    names = {each.candidate: each.name for each in claim.candidates}
    more = len(claim.contrasts) - ROWS
    return Table(
        caption="Epochs that the first needs more than the second"
        + (f"; {more:,} more are not shown" * (more > 0)),
        columns=("First", "Second", "To the best", "The first needs", "Epochs more", "p (Holm)"),
        rows=tuple(
            (
                names[each.first],
                names[each.second],
                metric_words(each.metric),
                each.outcome,
                epochs_words(each.difference),
                p_value(each.p),
            )
            for each in claim.contrasts[:ROWS]
        ),
        names=4,
    )


def _longer_panel(claim: LongerClaim) -> Panel:
    shown = claim.candidates[:DRAWN]
    series = tuple(
        Series(
            name=each.name,
            x=np.array(each.epochs, np.float64),
            y=np.array(each.val_loss),
            style=place,
        )
        for place, each in enumerate(shown)
    )
    turns = "; ".join(f"{each.name} at {each.log_loss.epoch.value:.0f}" for each in shown)
    return Panel(
        title="Validation log loss, trained until it turned",
        x_label="epoch",
        y_label="val_loss",
        series=series,
        description=f"Mean over heads, as far as all of them were trained. Lowest: {turns}.",
        x_limits=(1, max(2, *(each.epochs[-1] for each in shown))),
        y_limits=loss_limits([each.y for each in series]),
    )


def _at_least(turned: float) -> str:
    return "at least " if turned < 1 else ""


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return score(estimate.value)
    return interval(Interval(estimate.value, estimate.low, estimate.high))
