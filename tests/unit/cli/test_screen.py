"""What a person sees while a command works."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from manyheads.cli import screen as module
from manyheads.cli.screen import Meter, Screen, clock
from manyheads.heads.bank import HeadEnd, Metrics
from manyheads.study.space import Trial
from tests.studies import study_settings


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The present moment."""
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3900, "1:05:00")],
)
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_a_meter_tells_rate_and_time_left(time: Clock) -> None:
    meter = Meter("extracting", "images")
    meter.update(0, 1797)
    assert meter.line == "extracting  0/1,797 images"
    time.now += 10
    meter.update(400, 1797)
    assert meter.line == "extracting  400/1,797 images · 40.0/s · 0:35 left"


def test_what_was_done_before_counts_for_nothing(time: Clock) -> None:
    meter = Meter("training", "epochs")
    meter.update(900, 1000)
    time.now += 10
    meter.update(950, 1000)
    assert meter.line == "training  950/1,000 epochs · 5.0/s · 0:10 left"


def quiet() -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(study_settings(epochs=10), Console(file=out, width=60)), out


def test_elsewhere_than_in_a_terminal_there_is_a_line_every_few_seconds(time: Clock) -> None:
    screen, out = quiet()
    with screen:
        for second in range(21):
            screen.extracting(second * 10, 200)
            time.now += 1
    lines = out.getvalue().splitlines()
    assert lines[0] == "extracting  0/200 images"
    assert lines[1] == "extracting  50/200 images · 10.0/s · 0:15 left"
    assert len(lines) == 5
    assert lines[-1].startswith("extracting  200/200 images")
    assert "\x1b" not in out.getvalue()


TRIALS = [Trial(number=n, candidate=1 + n // 3, seed=n % 2, fold=0) for n in (1, 2, 3, 4)]


def test_training_is_counted_in_epochs_also_of_heads_that_fail(time: Clock) -> None:
    screen, out = quiet()
    screen.training(1, 4)
    for trial in TRIALS[1:3]:
        for epoch in range(1, 11):
            time.now += 1
            screen.epoch(trial, epoch, Metrics(0.5, 1.0, epoch / 10, 1.0))
        screen.ended(trial, HeadEnd(0, "done", "", 10, None))
    time.now += 6
    screen.epoch(TRIALS[3], 1, Metrics(0.5, 1.0, 0.5, 1.0))
    assert out.getvalue().splitlines()[-1].startswith("training  31/40 epochs of heads · ")
    screen.ended(TRIALS[3], HeadEnd(0, "failed", "diverged in epoch 2", 1, None))
    last = out.getvalue().splitlines()[-2:]
    assert last[0].startswith("training  40/40 epochs of heads")
    assert last[1] == "candidate 2, seed 0: diverged in epoch 2"


def test_a_finished_study_shows_no_training() -> None:
    screen, out = quiet()
    screen.training(4, 4)
    screen.close()
    assert out.getvalue() == ""


def test_a_note_is_shown_as_it_is() -> None:
    screen, out = quiet()
    screen.note("[bold]x[/bold] :smile: " + "long " * 40)
    assert out.getvalue() == "[bold]x[/bold] :smile: " + "long " * 40 + "\n"


def test_a_terminal_sees_the_candidates_at_work(time: Clock) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with Screen(study_settings(epochs=3), console) as screen:
        screen.downloading(3_000_000, 80_000_000)
        screen.checking(1, 2)
        screen.extracting(10, 20)
        time.now += 2
        screen.extracting(20, 20)
        screen.note("a note between")
        screen.training(0, 4)
        for epoch, accuracy in enumerate((0.25, 0.75, 0.5), start=1):
            time.now += 1
            screen.epoch(TRIALS[0], epoch, Metrics(0.5, 1.0, accuracy, 1.0))
        screen.ended(TRIALS[0], HeadEnd(0, "done", "", 2, None))
    shown = out.getvalue()
    for words in (
        "3/80 MB",
        "20/20 images",
        "a note between",
        "droprate 0",
        "1/2",
        "0.500",
        "0.750",
    ):
        assert words in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is back


def test_a_terminal_shows_a_bounded_number_of_candidates(time: Clock) -> None:
    from manyheads.study.space import Grid

    out = io.StringIO()
    settings = study_settings(grid=Grid((0.01,), tuple(range(1, 101)), (0.5,)), epochs=2)
    with Screen(settings, Console(file=out, force_terminal=True, width=100, height=60)) as screen:
        screen.training(0, 200)
        for candidate in range(1, 101):
            time.now += 1
            trial = Trial(number=candidate, candidate=candidate, seed=0, fold=0)
            screen.epoch(trial, 1, Metrics(0.5, 1.0, 0.5, 1.0))
    last = out.getvalue().rpartition("candidate ")[2]
    assert "size_inner 100" in last
    assert "size_inner 80 " not in last
