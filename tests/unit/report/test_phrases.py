"""Numbers and names as a report writes them."""

from __future__ import annotations

import pytest

from manyheads.report.parts import Interval, Spread
from manyheads.report.phrases import change, change_interval, p_value, printable, score, spread

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "words"), [(0.8456, "0.846"), (-0.02, "−0.020"), (INF, "∞"), (-INF, "−∞"), (NAN, "–")]
)
def test_a_score(value: float, words: str) -> None:
    assert score(value) == words


def test_a_spread_of_one_trial_is_its_score() -> None:
    assert spread(Spread(0.5, 0.01)) == "0.500 ± 0.010"
    assert spread(Spread(0.5, NAN)) == "0.500"
    assert spread(None) == "–"


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("accuracy", 0.0123, "+1.2"),
        ("macro_f1", -0.0123, "−1.2"),
        ("log_loss", -0.0123, "−0.012"),
        ("ece", 0.0123, "+0.012"),
        ("final_log_loss", 0.0123, "+0.012"),
        ("gap", -0.0123, "−0.012"),
        ("accuracy", 0.0, "0.0"),
    ],
)
def test_a_change_of_a_share_is_in_points(metric: str, value: float, words: str) -> None:
    assert change(metric, value) == words


def test_a_change_names_its_unit() -> None:
    interval = Interval(0.01, -0.02, INF)
    assert change_interval("accuracy", interval) == "+1.0 (−2.0 to +∞) points"
    assert change_interval("log_loss", interval) == "+0.010 (−0.020 to +∞) nats"
    assert change_interval("gap", interval) == "+0.010 (−0.020 to +∞) nats"
    assert change_interval("brier", interval) == "+0.010 (−0.020 to +∞)"


@pytest.mark.parametrize(
    ("p", "words"), [(None, "–"), (NAN, "–"), (0.0004, "< 0.001"), (0.0312, "0.031"), (1, "1.000")]
)
def test_a_p_value(p: float | None, words: str) -> None:
    assert p_value(p) == words


def test_what_no_page_can_show_is_replaced() -> None:
    assert printable("a\0b\ud800c\u202egpj.exe\u200dé猫🦊\n") == "a�b�c�gpj.exe\u200dé猫🦊\n"
    printable("a\ud800").encode()
