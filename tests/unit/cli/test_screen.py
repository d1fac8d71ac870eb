"""What a person sees while a command works."""

from __future__ import annotations

import io
from contextlib import closing
from typing import Any

import pytest
from rich.console import Console

from manyheads.cli import screen as module
from manyheads.cli.screen import Meter, Screen
from manyheads.core.job import Job, Progress
from manyheads.core.text import clock
from manyheads.heads.bank import HeadEnd, Metrics
from manyheads.study.events import TrainingReporter
from manyheads.study.space import Grid, Trial
from manyheads.study.store import TrialRecord
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work, epoch_cost
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
    monkeypatch.setattr("manyheads.study.work.time", clock)
    monkeypatch.setattr("manyheads.study.events.time", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3900, "1:05:00")],
)
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_a_meter_tells_rate_and_time_left(time: Clock) -> None:
    meter = Meter("extracting")
    meter.update(0, 1797, "images")
    assert meter.line == "extracting  0/1,797 images"
    time.now += 10
    meter.update(400, 1797, "images")
    assert meter.line == "extracting  400/1,797 images · 40.0/s · 0:35 left"


def test_what_was_done_before_counts_for_nothing(time: Clock) -> None:
    meter = Meter("training")
    meter.update(900, 1000, "images")
    time.now += 10
    meter.update(950, 1000, "images")
    assert meter.line == "training  950/1,000 images · 5.0/s · 0:10 left"


@pytest.mark.parametrize(
    ("first", "line"),
    [(20, "150/200 images · 13.0/s · 0:04 left"), (120, "150/200 images · 3.0/s · 0:17 left")],
)
def test_work_that_begins_anew_has_its_own_rate(time: Clock, first: int, line: str) -> None:
    meter = Meter("extracting")
    meter.update(0, 100, "images")
    meter.update(100, 100, "images")
    time.now += 3600
    meter.update(first, 200, "images")
    time.now += 10
    meter.update(150, 200, "images")
    assert meter.line == f"extracting  {line}"


def quiet() -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(Console(file=out, width=60)), out


def test_elsewhere_than_in_a_terminal_there_is_a_line_every_few_seconds(time: Clock) -> None:
    screen, out = quiet()
    with closing(screen):
        for second in range(21):
            screen.hear(Progress("extracting", second * 10, 200, "images"))
            time.now += 1
    lines = out.getvalue().splitlines()
    assert lines[0] == "extracting  0/200 images"
    assert lines[1] == "extracting  50/200 images · 10.0/s · 0:15 left"
    assert len(lines) == 5
    assert lines[-1].startswith("extracting  200/200 images")
    assert "\x1b" not in out.getvalue()


GRID = Grid((0.01,), (4,), (0.0, 0.5))
TRIALS = list(study_settings(grid=GRID).trials())
HALF = Metrics(0.5, 1.0, 0.5, 1.0)


def training(screen: Screen, work: Work) -> TrainingReporter:
    """Who tells the screen how training goes, which begins."""
    reporter = TrainingReporter(Job(screen.hear), work)
    reporter.begin()
    return reporter


def tell(reporter: TrainingReporter, trial: Trial, epochs: int, status: Any = "") -> None:
    """What a study tells of a trial: so many epochs, and then its end if there is a status."""
    for epoch in range(1, epochs + 1):
        reporter.epoch(trial, epoch, HALF)
    if status:
        note = f"diverged in epoch {epochs + 1}" if status == "failed" else ""
        reporter.end(trial, HeadEnd(0, status, note, epochs, None), None)


def resumed(settings: StudySettings, *states: str) -> Work:
    """The work of a study whose trials have these states; an ended trial has all its epochs."""
    work = Work(settings)
    work.count(
        [
            TrialRecord(trial, state, epochs=settings.epochs if state == "done" else 0)
            for trial, state in zip(settings.trials(), states, strict=True)
        ]
    )
    return work


def test_training_is_counted_in_epochs_of_all_runs_also_of_heads_that_fail(time: Clock) -> None:
    screen, out = quiet()
    settings = study_settings(grid=GRID, epochs=10)
    work = resumed(settings, "done", *["pending"] * 3)
    reporter = training(screen, work)
    assert out.getvalue().splitlines() == ["training  10/40 epochs of heads"]
    for trial in TRIALS[1:3]:
        time.now += 10
        tell(reporter, trial, 10, "done")
    time.now += 6
    tell(reporter, TRIALS[3], 1)
    assert out.getvalue().splitlines()[-1].startswith("training  31/40 epochs of heads · ")
    tell(reporter, TRIALS[3], 0, "failed")
    last = out.getvalue().splitlines()[-2:]
    assert last[0] == "candidate 2, seed 1: diverged in epoch 1"
    assert last[1].startswith("training  31/31 epochs of heads")


def test_a_resumed_study_counts_the_trials_of_former_runs(time: Clock) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with closing(Screen(console)) as screen:
        work = resumed(study_settings(grid=GRID), "done", *["pending"] * 3)
        reporter = training(screen, work)
        time.now += 1
        tell(reporter, TRIALS[1], 1)
    assert "1/2" in out.getvalue()


def test_the_time_left_is_told_from_what_heads_cost(time: Clock) -> None:
    """The second candidate's epochs cost many times as much as the first's."""
    screen, out = quiet()
    settings = study_settings(grid=Grid((0.01,), (100, 1000), (0.5,)), seeds=1, epochs=11)
    first, second = settings.trials()
    work = Work(settings)
    reporter = training(screen, work)
    for _ in range(11):
        tell(reporter, first, 1)
        time.now += 6
    tell(reporter, first, 0, "done")
    tell(reporter, second, 0)
    costs = [epoch_cost(setting) for setting in settings.grid]
    assert costs[1] > 5 * costs[0]
    assert work.seconds_left == pytest.approx(66 * 11 * costs[1] / (10 * costs[0]))
    assert out.getvalue().splitlines()[-1].startswith("training  11/22 epochs of heads · 0.2/s · ")


def test_rungs_and_patience_are_said(time: Clock) -> None:
    screen, out = quiet()
    settings = study_settings(grid=GRID, epochs=9, prune=2, patience=4)
    work = Work(settings)
    reporter = training(screen, work)
    assert out.getvalue() == "training  rung 1 of 2 · 0/38 epochs of heads\n"
    time.now += 6
    tell(reporter, TRIALS[0], 1)
    time.now += 6
    tell(reporter, TRIALS[1], 1)
    last = out.getvalue().splitlines()[-1]
    assert last == "training  rung 1 of 2 · 2/38 epochs of heads · 0.2/s · at most 3:36 left"


def test_of_very_many_failures_the_first_are_shown() -> None:
    screen, out = quiet()
    settings = study_settings(grid=Grid((0.01,), tuple(range(1, 101)), (0.5,)), epochs=2)
    work = Work(settings)
    reporter = training(screen, work)
    for trial in settings.trials():
        tell(reporter, trial, 0, "failed")
    lines = [line for line in out.getvalue().splitlines() if "diverge" in line]
    assert len(lines) == 21
    assert lines[-1] == "… heads that diverge from here on are counted in results.csv"


def test_a_finished_study_shows_no_training() -> None:
    screen, out = quiet()
    training(screen, resumed(study_settings(grid=GRID), *["done"] * 4))
    screen.close()
    assert out.getvalue() == ""


def test_a_note_is_shown_as_it_is() -> None:
    screen, out = quiet()
    screen.note("[bold]x[/bold] :smile: " + "long " * 40)
    assert out.getvalue() == "[bold]x[/bold] :smile: " + "long " * 40 + "\n"


def test_a_terminal_sees_the_candidates_at_work(time: Clock) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40)
    with closing(Screen(console)) as screen:
        screen.hear(Progress("fetching weights", 3_000_000, 80_000_000, "bytes"))
        screen.hear(Progress("checking", 1, 2, "images"))
        screen.hear(Progress("extracting", 10, 20, "images"))
        time.now += 2
        screen.hear(Progress("extracting", 20, 20, "images"))
        screen.note("a note between")
        work = Work(study_settings(grid=GRID))
        reporter = training(screen, work)
        for epoch, accuracy in enumerate((0.25, 0.75, 0.5), start=1):
            time.now += 1
            reporter.epoch(TRIALS[0], epoch, Metrics(0.5, 1.0, accuracy, 1.0))
        reporter.end(TRIALS[0], HeadEnd(0, "done", "", 2, None), None)
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


def test_a_terminal_shows_the_candidates_heard_of_last(time: Clock) -> None:
    out = io.StringIO()
    settings = study_settings(grid=Grid((0.01,), tuple(range(1, 101)), (0.5,)), epochs=2)
    with closing(Screen(Console(file=out, force_terminal=True, width=100, height=60))) as screen:
        work = Work(settings)
        reporter = training(screen, work)
        for trial in [*settings.trials(), settings.trials()[0]]:
            time.now += 1
            reporter.epoch(trial, 1, HALF)
    last = out.getvalue().rpartition("candidate ")[2]
    assert "size_inner 100" in last
    assert "size_inner 1 " in last
    assert "size_inner 80 " not in last
