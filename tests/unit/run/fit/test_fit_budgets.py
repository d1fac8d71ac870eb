"""A fit whose work takes longer than expected, by a clock that goes as the test says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from manyheads.cli.fit_screen import show
from manyheads.core.job import Event, Progress
from manyheads.errors import SettingError
from manyheads.run.estimate import remember_preparation
from manyheads.run.fit import fit_heads, fit_schedule, image_options
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings, search_grid
from manyheads.study import events
from manyheads.study.events import EpochEnded
from manyheads.study.space import Grid
from tests.clocks import Clock
from tests.jobs import HeardJob
from tests.shortcuts import SIDE, quadrant_images
from tests.studies import free_backbone


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    """Eight settings of twenty epochs, or two of them, on a backbone that costs nothing."""
    del own_cache  # it is there

    def grid(
        copies: int, rates: Sequence[float] = (0.01, 0.05), sizes: Sequence[int] = (0, 6)
    ) -> Grid:
        both = search_grid(copies).augmented_copies
        return Grid(
            tuple(rates), tuple(sizes), (0.2,), augmented_copies=both,
            learning_rate_schedule=("cosine",), epochs=(20,),
        )  # fmt: skip

    monkeypatch.setattr(image_options, "search_grid", grid)
    monkeypatch.setattr(image_options, "few_settings", lambda copies: grid(copies, [0.01], [6]))
    with free_backbone(monkeypatch):
        yield


def searches(job: HeardJob) -> list[str]:
    """What a fit has told of its searches."""
    return [note for note in job.notes if note.startswith("Search ")]


class SlowWork(HeardJob):
    """A job by whose clock every event of some steps takes so many seconds, and nothing else.

    `extracting` gets the number of the search; `ending` is the time of its last event.
    """

    def __init__(
        self,
        extracting: Callable[[int], float] = lambda _: 0.0,
        ending: float = 0.0,
        training: float = 0.0,
        averaging: float = 0.0,
        writing: float = 0.0,
    ) -> None:
        super().__init__(self._pass_time)
        self._time = Clock()
        self._began = self._time.now
        self._extracting, self._averaging, self._writing = extracting, averaging, writing
        self._ending, self._training = ending, training

    @property
    def used(self) -> float:
        """Seconds by this clock."""
        return self._time.now - self._began

    def fit(self, root: Path, **changes: Any) -> Fitted:
        """Fit 75 images below `root`."""
        data = root / "photos"
        if not data.exists():
            quadrant_images(data, 20, 5)
        asked = FitSettings(
            **{"data": str(data), "backbone": "xception", "size": SIDE, "heads": 3} | changes
        )
        return run_fit(asked, root / "fit", clock=self._time.monotonic, job=self)

    def _pass_time(self, event: Event) -> None:
        if isinstance(event, EpochEnded):
            self._time.now += self._training
        if not isinstance(event, Progress):
            return
        if event.step == "extracting" and event.done:
            self._time.now += self._extracting(len(searches(self)))
            if event.done == event.total:
                self._time.now += self._ending
        elif event.step == "averaging":
            self._time.now += self._averaging
        elif event.step == "writing the model" and event.done:
            self._time.now += self._writing


@pytest.mark.when_changed("studies")
def test_a_larger_size_that_would_come_too_late_is_given_up(tmp_path: Path) -> None:
    slow = SlowWork(extracting=lambda search: 0.1 if search == 1 else 20.0)
    fitted = slow.fit(tmp_path, budget=120.0, size=None)
    assert {each.size for each in fitted.tried} == {150}
    assert fitted.remarks[0].endswith(": given up, its features would come too late")
    assert searches(slow)[1] == "Search 2: 448×448, plain and mirrored"
    assert fitted.remarks[0] in slow.notes
    assert slow.used < 1.1 * 120
    assert fitted == read_fit(tmp_path / "fit")


@pytest.mark.when_changed("studies")
def test_a_smaller_size_takes_the_place_of_the_first_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_schedule, "QUICK", 0.0)
    slow = SlowWork(extracting=lambda search: 20.0 if search <= 2 else 0.1)
    fitted = slow.fit(tmp_path, budget=400.0, size=None)
    assert slow.notes[0] == "Search 1: 448×448, plain and mirrored"
    assert "448×448, plain and mirrored: given up" in fitted.remarks[0]
    assert max(each.size for each in fitted.tried) < 448
    assert slow.used < 1.1 * 400


@pytest.mark.when_changed("studies")
def test_a_fit_that_cannot_be_in_time_ends_soon_and_goes_on_with_more(tmp_path: Path) -> None:
    slow = SlowWork(extracting=lambda _: 10.0)
    with pytest.raises(SettingError, match=r"found 60s; .* or more; what was computed is kept"):
        slow.fit(tmp_path, budget=60.0)
    assert slow.used < 66
    assert not (tmp_path / "fit/fit.json").exists()
    slow = SlowWork()
    fitted = slow.fit(tmp_path, budget=90.0)
    assert 0 < fitted.passes < 150  # the others are there


@pytest.mark.when_changed("studies")
def test_a_fit_whose_features_come_at_the_last_moment_is_given_up(tmp_path: Path) -> None:
    remember_preparation("xception", 12.0)
    slow = SlowWork(ending=55.0)
    with pytest.raises(SettingError, match=r"found 60s; .* or more; what was computed is kept"):
        slow.fit(tmp_path, budget=60.0)
    assert slow.used < 66
    assert 0 < SlowWork().fit(tmp_path, budget=60.0).passes < 150


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize(("seconds", "heads"), [(0.001, 3), (0.25, 2), (0.5, 1)])
def test_heads_are_averaged_as_far_as_there_is_time(
    tmp_path: Path, seconds: float, heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_heads, "_AT_ONCE", 0.0)
    slow = SlowWork(averaging=seconds)
    fitted = slow.fit(tmp_path, budget=120.0)
    assert fitted.heads == heads
    assert slow.used < 120
    fewer = f"only {heads} of 3 heads averaged, for want of time"
    assert (fewer in fitted.remarks) == (heads < 3)


def test_a_few_settings_are_tried_where_there_is_no_time_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_schedule, "_SHARES", {})
    fitted = SlowWork().fit(tmp_path, budget=90.0)
    assert fitted.remarks == (
        f"{SIDE}×{SIDE}, plain and mirrored: only 2 settings of the head, for want of time",
    )
    assert len(fitted.tried) == 2


@pytest.mark.when_changed("studies")
def test_a_search_that_would_come_too_late_makes_room_for_a_less_thorough_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its features are there, so that a few settings on them are worth more than a refusal."""
    monkeypatch.setattr(fit_schedule, "_SHARES", {"whole": (1.0, 1.0)})
    monkeypatch.setattr(events, "_INTERVAL", 0.0)
    slow = SlowWork(training=0.1)  # 800 epochs of heads, or 200
    fitted = slow.fit(tmp_path, budget=100.0)
    assert fitted.remarks[0] == (
        f"{SIDE}×{SIDE}, plain and mirrored: only 2 settings of the head, for want of time"
    )
    assert slow.used < 100


@pytest.mark.when_changed("studies")
def test_why_a_budget_was_not_kept_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = SlowWork(writing=300.0)
    fitted = slow.fit(tmp_path, budget=90.0)
    show(fitted)
    shown = capsys.readouterr().out
    assert re.search(r"Took       5:0\d of 1:30, ", shown)
    assert " longer than the budget: writing the model took 5:0" in shown
