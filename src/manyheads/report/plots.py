"""The panels of a report: curves, reliability, risk by coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from manyheads.core.text import decimal, percent
from manyheads.report.bounds import PICTURED, drawn_candidates, drawn_epochs
from manyheads.report.panel import Panel, Series
from manyheads.report.parts import CURVES, Candidate
from manyheads.report.scales import epoch_limits, loss_limits
from manyheads.stats.confidence import Reliability, RiskCoverage

FEWEST = 5
"""Images of a bin of confidence that has an interval in its plot; of fewer it would fill that."""
_GAP = {"val_loss": "validation", "loss": "training"}
_ANSWERED = 0.8  # the share of images whose risk is told in words


def curve_panels(candidates: Sequence[Candidate]) -> dict[str, Panel]:
    """A panel for each metric of `CURVES` that candidates have; a candidate's style is its place.

    Of many candidates `drawn_candidates` are drawn, and of very long curves `drawn_epochs`, the
    same ones of every candidate.
    """
    drawn = dict(enumerate(drawn_candidates(candidates)))
    return {
        metric: _curve_panel(metric, title, with_it)
        for metric, title in CURVES.items()
        if (with_it := {place: each for place, each in drawn.items() if metric in each.curves})
    }


def gap_panels(candidates: Sequence[Candidate]) -> list[Panel]:
    """Training and validation log loss of one candidate in each panel, all on one scale.

    Of many candidates the best `PICTURED` are drawn; those without both curves are left out.
    """
    shown = [
        each
        for each in drawn_candidates(candidates, PICTURED)
        if "loss" in each.curves and "val_loss" in each.curves
    ]
    curves = [each.curves[metric] for each in shown for metric in _GAP]
    if not curves:
        return []
    limits = loss_limits([curve.mean for curve in curves])
    longest = max(len(curve.mean) for curve in curves)
    return [_gap_panel(each, drawn_epochs(longest), limits) for each in shown]


def _gap_panel(candidate: Candidate, epochs: np.ndarray, limits: tuple[float, float]) -> Panel:
    lines = []
    for style, (metric, name) in enumerate(_GAP.items()):
        mean = candidate.curves[metric].mean
        shown = epochs[epochs <= len(mean)]
        lines.append(
            Series(
                name=name, x=shown.astype(np.float64), y=mean[shown - 1], style=style,
                strong=candidate.selected, highlight=candidate.chosen,
            )
        )  # fmt: skip
    validation, training = (float(line.y[-1]) for line in lines)
    return Panel(
        title=candidate.name + " (selected)" * candidate.selected,
        x_label="epoch",
        y_label="log loss",
        series=tuple(lines),
        description=(
            f"Means over trials. At the end validation is at {decimal(validation)} and training at "
            f"{decimal(training)}, a gap of {decimal(validation - training)}."
        ),
        x_limits=epoch_limits(int(epochs[-1])),
        y_limits=limits,
        counted=True,
        highlight=f"chosen epoch{' (mean)' * (candidate.trials > 1)}",
    )


def _curve_panel(metric: str, title: str, candidates: Mapping[int, Candidate]) -> Panel:
    curves = [each.curves[metric] for each in candidates.values()]
    longest = max(len(curve.mean) for curve in curves)
    epochs = drawn_epochs(longest)
    series = tuple(_line(each, metric, place, epochs) for place, each in candidates.items())
    several = any(each.trials > 1 for each in candidates.values())
    bands = [np.stack([curve.low, curve.high]) for curve in curves]
    return Panel(
        title=title,
        x_label="epoch",
        y_label=metric,
        series=series,
        description=_last_words(title, series),
        x_limits=epoch_limits(longest),
        y_limits=loss_limits(bands) if metric.endswith("loss") else None,
        counted=True,
        strong="selected",
        highlight=f"chosen epoch{' (mean)' * several}",
    )


def _line(candidate: Candidate, metric: str, style: int, epochs: np.ndarray) -> Series:
    curve = candidate.curves[metric]
    shown = epochs[epochs <= len(curve.mean)]
    return Series(
        name=candidate.name,
        x=shown.astype(np.float64),
        y=curve.mean[shown - 1],
        low=curve.low[shown - 1],
        high=curve.high[shown - 1],
        style=style,
        strong=candidate.selected,
        highlight=candidate.chosen,
    )


def _last_words(title: str, series: Sequence[Series]) -> str:
    last = "; ".join(f"{s.name} {decimal(s.y[-1])} at epoch {s.x[-1]:.0f}" for s in series[:8])
    known = [(each.name, each.highlight) for each in series[:8] if each.highlight is not None]
    chosen = "; ".join(f"{name} {decimal(epoch, 1)}" for name, epoch in known)
    words = f"{title} by epoch, mean and band over trials. Curves end at: {last}."
    return f"{words} Chosen epochs, means over trials: {chosen}." if chosen else words


def reliability_panel(diagram: Reliability) -> Panel | None:
    """Accuracy by confidence beside the diagonal, on which confidence means what it says."""
    if not len(diagram.images):
        return None
    confidence, accuracy = diagram.confidence, diagram.accuracy
    known, few = diagram.images >= FEWEST, diagram.images < FEWEST
    mean_gap = float(np.average(accuracy - confidence, weights=diagram.images))
    verb = "more often" if mean_gap > 0 else "less often"
    ends = np.array([0.0, 1.0])
    rare = Series(
        name=f"bins of fewer than {FEWEST} images",
        x=confidence[few],
        y=accuracy[few],
        drawn="dots",
    )
    return Panel(
        title="Reliability",
        x_label="mean confidence of the bin",
        y_label="accuracy",
        series=(
            Series(name="confidence = accuracy", x=ends, y=ends, drawn="reference"),
            Series(
                name="bins",
                x=confidence[known],
                y=accuracy[known],
                low=diagram.low[known],
                high=diagram.high[known],
                drawn="points",
            ),
            *([rare] if few.any() else []),
        ),
        description=(
            f"{len(accuracy)} bins of confidence. Over all images the model is right {verb} than "
            f"it says, by {decimal(abs(mean_gap))}. Points on the diagonal would be perfect."
        ),
        x_limits=(0, 1),
        y_limits=(0, 1),
    )


def risk_panel(risk: RiskCoverage) -> Panel:
    """The share of wrong answers by the share of images answered, the most confident first."""
    shown = drawn_epochs(len(risk.coverage)) - 1
    return Panel(
        title="Risk by coverage",
        x_label="share of images answered, most confident first",
        y_label="share of these that is wrong",
        series=(Series(name="risk", x=risk.coverage[shown], y=risk.risk[shown], strong=True),),
        description=(
            f"Answering all images, {decimal(float(risk.risk[-1]))} of the answers are wrong; "
            f"answering the most confident half, "
            f"{decimal(float(np.interp(0.5, risk.coverage, risk.risk)))}."
        ),
        x_limits=(0, 1),
        y_limits=(0, max(0.05, float(risk.risk.max()) * 1.1)),
    )


def risk_words(risk: RiskCoverage) -> str:
    """What the curve is for: how much surer the most confident answers are, and which these are."""
    place = min(int(np.searchsorted(risk.coverage, _ANSWERED)), len(risk.coverage) - 1)
    return (
        f"Answer only the {percent(risk.coverage[place], 0)} of images with a confidence of "
        f"{decimal(risk.threshold[place], 2)} or more, and {percent(risk.risk[place])} of the "
        f"answers are wrong, of all {percent(risk.risk[-1])}: the others may be left to a person."
    )
