"""Numbers as a report writes them."""

from __future__ import annotations

import math
import unicodedata

from manyheads.report.parts import ENDS, LESS_IS_BETTER, SCORES, Interval, Spread
from manyheads.report.scales import minus

NOTHING = "–"
_DIRECTIONS = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), "�")


def score(value: float, digits: int = 3) -> str:
    """A score or a share such as `0.846`; what is not a number is a dash, an endless one ∞."""
    if math.isnan(value):
        return NOTHING
    return minus(f"{value:.{digits}f}" if math.isfinite(value) else f"{'-' * (value < 0)}∞")


def interval(estimate: Interval) -> str:
    """An estimate with its interval: `0.846 (0.803 to 0.881)`."""
    return f"{score(estimate.value)} ({score(estimate.low)} to {score(estimate.high)})"


def spread(value: Spread | None) -> str:
    """Mean ± standard deviation over trials; of one trial its score alone."""
    if value is None:
        return NOTHING
    mean = score(value.mean)
    return mean if math.isnan(value.deviation) else f"{mean} ± {score(value.deviation)}"


def change(metric: str, value: float) -> str:
    """A signed difference: of shares in points (hundredths), of other scores as it is."""
    points = unit_scale(metric) * value
    sign = "+" if points > 0 else ""
    return sign + score(points, 1 if unit_scale(metric) > 1 else 3)


def change_interval(metric: str, difference: Interval) -> str:
    """A difference with its interval and unit: `+0.8 (−0.3 to +1.9) points`."""
    value, low, high = (change(metric, number) for number in difference)
    return f"{value} ({low} to {high}) {unit(metric)}".rstrip()


def unit_scale(metric: str) -> float:
    """What a difference in `metric` is multiplied by to be written."""
    return 1.0 if metric in LESS_IS_BETTER else 100.0


def unit(metric: str) -> str:
    """The unit of a difference in `metric`."""
    if metric == "log_loss" or metric in ENDS:
        return "nats"
    return "points" if unit_scale(metric) > 1 else ""


def p_value(p: float | None) -> str:
    """A p-value, to three decimals."""
    if p is None or math.isnan(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def metric_words(metric: str) -> str:
    """The words for a metric of `SCORES` or `ENDS`; any other is its own."""
    return (SCORES | ENDS).get(metric, metric)


def capital(text: str) -> str:
    """`text` as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1])] * (len(words) > 1) + words[-1:])


def printable(text: str) -> str:
    """`text` with � for what no page can hold or show: broken characters, control codes, and
    marks that would turn the direction of what follows."""
    kept = (
        "�" if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" else letter
        for letter in text
    )
    return "".join(kept).translate(_DIRECTIONS)
