"""What a person sees while a command works."""

from __future__ import annotations

import io
import re
import threading
from contextlib import closing
from time import sleep
from typing import Any

import pytest
from rich.console import Console

from manyheads.cli import meters
from manyheads.cli import screen as screen_module
from manyheads.cli.screen import Screen
from manyheads.core.job import Job, Planned, Progress
from manyheads.heads.bank import HeadEnd, Metrics
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.study.events import TrainingReporter
from manyheads.study.space import Grid, Trial
from manyheads.study.store import TrialRecord
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work
from tests.clocks import Clock
from tests.studies import study_settings


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (meters, screen_module):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr("manyheads.study.work.time", clock)
    monkeypatch.setattr("manyheads.study.events.time", clock)
    return clock


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
    assert lines[-1] == "extracting  200/200 images · 10.0/s · took 0:20"
    assert "\x1b" not in out.getvalue()


GRID = Grid((0.01,), (4,), (0.0, 0.5))
TRIALS = list(study_settings(grid=GRID).trials())
HALF = Metrics(0.5, 1.0, 0.5, 1.0)


def terminal(width: int = 100, height: int = 40) -> tuple[Screen, io.StringIO]:
    """A screen that draws for events alone: never for time that passes between two of them."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=height)
    return Screen(console, stopped=lambda: True), out


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
    assert out.getvalue().splitlines() == ["training  1/4 heads · 25 %"]
    for trial in TRIALS[1:3]:
        time.now += 10
        tell(reporter, trial, 10, "done")
    time.now += 6
    tell(reporter, TRIALS[3], 1)
    assert out.getvalue().splitlines()[-1].startswith("training  3/4 heads · 77 % · ")
    tell(reporter, TRIALS[3], 0, "failed")
    last = out.getvalue().splitlines()[-2:]
    assert last[0] == "candidate 2, seed 1: diverged in epoch 1"
    assert last[1].startswith("training  4/4 heads · took ")


def test_training_is_over_once_the_last_head_has_ended(time: Clock) -> None:
    """Not with its last epoch: that line would stay, should the end of the head take long."""
    screen, out = quiet()
    reporter = training(
        screen, resumed(study_settings(grid=GRID, epochs=2), *["done"] * 3, "pending")
    )
    for epoch in (1, 2):
        time.now += 5
        reporter.epoch(TRIALS[3], epoch, HALF)
    assert "took" not in out.getvalue()
    tell(reporter, TRIALS[3], 2, "done")
    assert out.getvalue().splitlines()[-1] == "training  4/4 heads · took 0:10"


def test_a_resumed_study_counts_the_trials_of_former_runs(time: Clock) -> None:
    screen, out = terminal()
    with closing(screen):
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
    assert out.getvalue().splitlines()[-1].startswith("training  1/2 heads · 11 % · ")


def test_rungs_and_patience_are_said(time: Clock) -> None:
    screen, out = quiet()
    settings = study_settings(grid=GRID, epochs=9, prune=2, patience=4)
    work = Work(settings)
    reporter = training(screen, work)
    assert out.getvalue() == "training  rung 1 of 2 · 0/4 heads · 0 %\n"
    time.now += 6
    tell(reporter, TRIALS[0], 1)
    time.now += 6
    tell(reporter, TRIALS[1], 1)
    last = out.getvalue().splitlines()[-1]
    assert last == "training  rung 1 of 2 · 0/4 heads · 5 % · at most 3:36 left"


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
    screen, out = terminal()
    with closing(screen):
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
        time.now += 1
        reporter.epoch(TRIALS[1], 1, HALF)
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
    screen, out = terminal(height=60)
    settings = study_settings(grid=Grid((0.01,), tuple(range(1, 101)), (0.5,)), epochs=2)
    with closing(screen):
        work = Work(settings)
        reporter = training(screen, work)
        for trial in [*settings.trials(), settings.trials()[0]]:
            time.now += 1
            reporter.epoch(trial, 1, HALF)
    last = out.getvalue().rpartition("candidate ")[2]
    assert "size_inner 100" in last
    assert "size_inner 1 " in last
    assert "size_inner 80 " not in last


def frames(out: io.StringIO, words: str) -> int:
    """How many views have had these words."""
    return out.getvalue().count(words)


def seen(out: io.StringIO, words: str) -> None:
    """Wait until a view with these words has been drawn."""
    for _ in range(100):
        if frames(out, words):
            return
        sleep(0.05)
    pytest.fail(f"not shown: {words!r} in {out.getvalue()!r}")


def watched() -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(Console(file=out, force_terminal=True, width=60, height=40)), out


def test_a_step_without_a_count_has_a_spinner_that_goes_away_with_it() -> None:
    screen, out = watched()
    job = Job(screen.hear)
    with closing(screen):
        with job.step("preparing xception"):
            seen(out, "preparing xception  0:00")
            with job.step("reading a file"):  # part of the one before
                sleep(0.5)
        assert not frames(out, "reading a file")
        assert out.getvalue().endswith("\x1b[1A\x1b[2K")  # nothing is left of it
        drawn = len(out.getvalue())
        job.note("done")
        assert out.getvalue()[drawn:] == "done\n"
    assert frames(out, "\x1b[?25l") == frames(out, "\x1b[?25h")
    assert not [each for each in threading.enumerate() if each.name == "screen"]


def test_what_is_counted_takes_the_place_of_a_spinner_and_gives_way_to_one() -> None:
    screen, out = watched()
    job = Job(screen.hear)
    with closing(screen), job.step("predicting with Keras"):
        seen(out, "predicting with Keras")
        job.progress("extracting", 1, 2)
        assert frames(out, "extracting  1/2 images")
        with job.step("loading xception"):
            before = frames(out, "predicting with Keras")
            sleep(0.6)
            assert frames(out, "predicting with Keras") > before


def test_a_note_that_announces_work_has_a_spinner_until_the_next_event() -> None:
    screen, out = watched()
    job = Job(screen.hear)
    with closing(screen):
        job.note("converting to onnx …")
        with job.step("converting the model"):
            seen(out, "converting to onnx  0:00")
        job.note("checked")
        drawn = frames(out, "converting to onnx")
        sleep(0.4)
        assert frames(out, "converting to onnx") == drawn
    assert not frames(out, "converting the model")


def test_that_work_goes_on_is_shown_where_nothing_is_told_of_it() -> None:
    screen, out = watched()
    with closing(screen):
        screen.watch()
        seen(out, "working  0:01")
        screen.hear(Progress("extracting", 1, 2, "images"))
        drawn = frames(out, "working")
        sleep(1.5)  # its bar is drawn again, with the time that has passed
        assert frames(out, "working") == drawn
        assert frames(out, "extracting  1/2 images") > 1


def test_elsewhere_a_step_has_one_line_if_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "_LONG", 0.3)
    screen, out = quiet()
    job = Job(screen.hear)
    with closing(screen):
        with job.step("reading"):
            pass
        with job.step("preparing xception"):
            seen(out, "preparing xception …\n")
            with job.step("loading"):
                sleep(0.5)
        job.note("checking …")
        sleep(0.5)
    assert out.getvalue() == "preparing xception …\nchecking …\n"


def test_a_terminal_that_cannot_redraw_is_written_to_like_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(screen_module, "_LONG", 0.3)
    out = io.StringIO()
    screen = Screen(Console(file=out, force_terminal=True, width=60))
    job = Job(screen.hear)
    with closing(screen):
        with job.step("preparing xception"):
            seen(out, "preparing xception …\n")
        job.progress("extracting", 2, 2)
    assert out.getvalue() == "preparing xception …\nextracting  2/2 images\n"


def test_nothing_is_drawn_after_a_request_to_stop() -> None:
    out, stopped = io.StringIO(), threading.Event()
    console = Console(file=out, force_terminal=True, width=60)
    screen = Screen(console, stopped=stopped.is_set)
    with closing(screen), Job(screen.hear).step("preparing"):
        seen(out, "preparing")
        stopped.set()
        sleep(0.3)
        drawn = frames(out, "preparing")
        sleep(0.5)
        assert frames(out, "preparing") == drawn


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_progress_is_one_line_in_every_terminal(width: int, time: Clock) -> None:
    screen, out = terminal(width)
    with closing(screen):
        for second in range(30):
            time.now += 1
            screen.hear(Progress("extracting", 1000 + second * 1234, 123_456, "images"))
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", out.getvalue()))
    views = [line for line in lines if line.strip()]
    assert max(map(len, views)) < width
    assert all("extracting  " in view for view in views)
    assert ("left" in views[-1]) == (width >= 60)
    assert ("━" in views[-1]) == (width >= 60)


def test_a_small_terminal_keeps_the_names_of_candidates_and_the_bar(time: Clock) -> None:
    screen, out = terminal(width=50, height=12)
    settings = study_settings(grid=Grid((0.001, 0.01), (100, 200), (0.0, 0.2, 0.5)), epochs=2)
    with closing(screen):
        work = Work(settings)
        reporter = training(screen, work)
        for trial in settings.trials():
            time.now += 1
            reporter.epoch(trial, 1, HALF)
    last = out.getvalue().rpartition("candidate ")[2]
    assert all(words in last for words in ("learning_rate 0.01", "size_inner 200", "droprate 0.5"))
    assert "…" not in last
    assert last.count("learning_rate") <= 6
    assert "training  0/24 heads" in last


def test_plans_are_brief_unless_all_is_to_be_seen() -> None:
    plan = Planned((("Data", "3 images"),), details=(("Disk", "1 MB"),))
    for verbose, shown in ((False, "Data       3 images\n\n"), (True, None)):
        out = io.StringIO()
        screen = Screen(Console(file=out, width=60), verbose=verbose)
        screen.hear(plan)
        assert out.getvalue() == (shown or "Data       3 images\nDisk       1 MB\n\n")
