"""How far a step is, how fast it goes, and how long it will take."""

from __future__ import annotations

from itertools import pairwise

import pytest

from manyheads.cli import meters
from manyheads.cli.meters import Meter, Pace, TrainingMeter
from manyheads.core.text import clock
from manyheads.study.events import EpochEnded, TrainingBegun
from tests.clocks import Clock


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meters, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3900, "1:05:00")],
)
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def line(meter: Meter) -> str:
    return " · ".join(filter(None, meter.parts))


@pytest.mark.usefixtures("time")
def test_a_download_is_finished_with_its_last_byte() -> None:
    meter = Meter("fetching")
    seen = []
    for done in (12_900_000, 13_000_000, 13_499_999, 13_500_000):
        meter.update(done, 13_500_000, "bytes")
        seen.append((meter.parts[0], meter.finished))
    assert seen == [
        ("fetching  12/14 MB", False), ("fetching  13/14 MB", False),
        ("fetching  13/14 MB", False), ("fetching  14/14 MB", True),
    ]  # fmt: skip
    meter = Meter("fetching")
    meter.update(5_000_000, 0, "bytes")
    assert (meter.parts[0], meter.finished) == ("fetching  5 MB", False)


def test_a_meter_tells_rate_and_time_left(time: Clock) -> None:
    meter = Meter("extracting")
    meter.update(0, 1000, "images")
    assert line(meter) == "extracting  0/1,000 images"
    time.now += 7
    assert line(meter) == "extracting  0/1,000 images · 0:07 so far"
    for done in range(40, 440, 40):
        meter.update(done, 1000, "images")
        time.now += 1
    assert line(meter) == "extracting  400/1,000 images · 40.0/s · 0:14 left"
    time.now += 3  # nothing arrives, but time goes on
    assert line(meter) == "extracting  400/1,000 images · 40.0/s · 0:11 left"
    time.now += 60
    assert line(meter) == "extracting  400/1,000 images · 40.0/s · 0:01 left"
    meter.update(1000, 1000, "images")
    assert line(meter) == "extracting  1,000/1,000 images · 12.5/s · took 1:20"


def test_the_first_batches_say_nothing_of_the_rate(time: Clock) -> None:
    """Several that were under way at once, after one that waited for what is done only once."""
    pace = Pace(0)
    time.now += 30
    told: list[float | None] = []
    for pair in range(6):
        for _ in range(2):
            time.now += 0.05
            pace.update(16 * pair + 8 + 8 * (_ == 1))
            told.append(pace.rate)
        time.now += 2.5
    assert told[:3] == [None] * 3
    rates = [rate for rate in told[3:] if rate is not None]
    assert len(rates) == 9
    assert all(abs(rate / (16 / 2.6) - 1) < 0.1 for rate in rates)


def test_a_rate_follows_a_change_without_a_jump(time: Clock) -> None:
    pace, done = Pace(0), 0
    rates: list[float] = []
    for second in range(240):
        time.now += 1
        done += 40 if second < 60 else 10
        pace.update(done)
        if pace.rate is not None:
            rates.append(pace.rate)
    assert rates[:50] == pytest.approx([40.0] * 50)
    assert rates[-1] == pytest.approx(10.0, abs=0.1)
    assert max(abs(a - b) for a, b in pairwise(rates)) < 1


def test_what_was_done_before_counts_for_nothing(time: Clock) -> None:
    meter = Meter("training")
    meter.update(900, 1000, "images")
    for done in range(905, 955, 5):
        time.now += 1
        meter.update(done, 1000, "images")
    assert line(meter) == "training  950/1,000 images · 5.0/s · 0:10 left"


@pytest.mark.parametrize(("first", "rate"), [(20, 13), (120, 3)])
def test_work_that_begins_anew_has_its_own_rate(time: Clock, first: int, rate: int) -> None:
    meter = Meter("extracting")
    meter.update(0, 100, "images")
    meter.update(100, 100, "images")
    time.now += 3600
    meter.update(first, 200, "images")
    for second in range(1, 6):
        time.now += 1
        meter.update(first + rate * second, 200, "images")
    assert line(meter).startswith(f"extracting  {first + 5 * rate}/200 images · {rate}.0/s · ")


@pytest.mark.parametrize(
    ("metric", "name", "cells"),
    [
        ("accuracy", "val_accuracy", ("2", "0.800", "0.900")),
        ("log_loss", "val_loss", ("2", "0.500", "0.300")),
        ("macro_f1", "val_macro_f1", ("2", "0.600", "0.700")),
    ],
)
def test_a_candidate_has_the_score_that_selects(
    metric: str, name: str, cells: tuple[str, ...]
) -> None:
    begun = TrainingBegun(("droprate 0",), 2, (0,), 1, 1, metric)
    assert begun.score_name == name
    meter = TrainingMeter(begun, 5)
    meter.epoch(EpochEnded(1, 0, 0, 1, 0.5, 1.0, 0.9, 0.3, 0.7))
    meter.epoch(EpochEnded(1, 0, 0, 2, 0.5, 1.0, 0.8, 0.5, 0.6))
    assert list(meter.rows()) == [("droprate 0", "0/2", *cells)]
