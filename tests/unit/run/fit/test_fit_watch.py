"""What a fit learns of its pace from the events of its work, and when it gives work up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads.core.job import Job, Planned
from manyheads.run.fit.fit_pace import FitPace
from manyheads.run.fit.fit_schedule import TimedOption
from manyheads.run.fit.fit_watch import FeatureWatch, TrainingWatch
from manyheads.run.fit.image_options import ImageOption
from manyheads.study.events import TrainingProgress
from tests.clocks import Clock
from tests.jobs import HeardJob
from tests.studies import study_settings


@pytest.fixture
def pace(own_cache: Path) -> FitPace:
    del own_cache  # it is there
    return FitPace(study_settings())


class Watched:
    """A watch of 100 passes at 150 pixels, by a clock that stands still; late beyond `most` s."""

    def __init__(self, pace: FitPace, most: float = 1e9, ends: float = 1e9) -> None:
        images = ImageOption(
            backbone="xception", size=150, copies=0, passes=100, prepared=False, products=(3, 2, 1)
        )
        timed = TimedOption(images=images, passes=5.0, features=18.0, training=(3, 2, 1))
        self.clock, self.heard, self.rests = Clock(), HeardJob(), list[float]()

        def late(rest: float) -> bool:
            self.rests.append(rest)
            return rest > most

        self.watch = FeatureWatch(
            timed, pace, self.heard, late=late, ends=ends, settled=2.0, clock=self.clock.monotonic
        )
        self.job = self.watch.job

    def passes(self, seconds: float, *done: int, total: int = 100) -> None:
        """Each number of passes done, so many seconds after the one before."""
        for each in done:
            self.clock.now += seconds
            self.job.progress("extracting", each, total)


def test_building_and_passes_show_the_pace(pace: FitPace) -> None:
    watched = Watched(pace)
    with watched.job.step("preparing xception"):
        watched.clock.now += 30
    assert watched.watch.built == pace.keras == 30
    assert pace.loading > 1
    assert watched.rests == [pace.loading + 5.0]
    with watched.job.step("loading xception"):
        watched.clock.now += 7
    watched.passes(0, 0)
    watched.passes(2, 20, 40, 60, 80, 100)
    assert watched.watch.passes == 100
    study = study_settings()
    assert pace.extraction(study, 10) == pytest.approx(1.0 * (study.image.size / 150) ** 2)
    assert not watched.job.stopped
    assert watched.heard.steps("extracting")[-1] == (100, 100)


def test_the_first_batch_says_nothing_of_the_rate(pace: FitPace) -> None:
    watched = Watched(pace, most=20)
    watched.passes(0, 0)
    watched.passes(50, 10)
    watched.passes(1, 20, 30, 40, 50)
    assert watched.rests == pytest.approx([6, 5])
    assert not watched.job.stopped


def test_what_would_come_too_late_is_stopped_alone(pace: FitPace) -> None:
    watched = Watched(pace, most=20)
    watched.passes(0, 0)
    watched.passes(5, 10, 20, 30, 40)
    assert watched.rests == pytest.approx([30])
    assert watched.job.stopped
    assert not watched.heard.stopped


def test_copies_count_on_after_the_plain_images(pace: FitPace) -> None:
    watched = Watched(pace)
    watched.passes(0, 0, total=50)
    watched.passes(1, 25, 50, total=50)
    with watched.job.step("loading xception"):
        watched.clock.now += 100
    watched.passes(0, 0, total=50)
    watched.passes(1, 25, 50, total=50)
    assert watched.watch.passes == 100
    assert pace.extraction(study_settings(), 100) * (150 / 224) ** 2 <= 4.0 + 1e-9


def test_it_stops_at_its_end_and_with_the_whole(pace: FitPace) -> None:
    watched = Watched(pace, ends=110)
    assert not watched.job.stopped
    watched.clock.now = 110
    assert watched.job.stopped
    whole = Job()
    other = training_watch(pace, whole, Clock())
    whole.stop()
    assert other.job.stopped


def training_watch(
    pace: FitPace, whole: Job, clock: Clock, late: Callable[[float], bool] = lambda _: False
) -> TrainingWatch:
    """A watch of heads that train on 100 samples."""
    return TrainingWatch(
        pace, 100, whole, late=late, ends=1e9, settled=5.0, clock=clock.monotonic
    )  # fmt: skip


def train(watch: TrainingWatch, clock: Clock, *costs: float) -> None:
    """So much done of a cost of 1,000, every ten seconds."""
    for cost in costs:
        watch.job.tell(TrainingProgress(1, 9, cost, 1000.0, None, None, False))
        clock.now += 10


def test_training_that_would_come_too_late_is_stopped_alone(pace: FitPace) -> None:
    clock, heard, rests = Clock(), HeardJob(), list[float]()

    def late(rest: float) -> bool:
        rests.append(rest)
        return rest > 40

    watch = training_watch(pace, heard, clock, late)
    train(watch, clock, 0.0)
    assert not rests  # a single moment is no rate
    train(watch, clock, 100.0)
    assert rests == pytest.approx([90])
    assert watch.job.stopped
    assert not heard.stopped
    assert pace.training(1e5) == pytest.approx(100)


def test_training_shows_the_pace_and_tells_no_plan(pace: FitPace) -> None:
    clock, heard = Clock(), HeardJob()
    watch = training_watch(pace, heard, clock)
    clock.now += 3
    train(watch, clock, 0.0, 500.0, 1000.0)
    watch.job.tell(Planned((("Data", "some"),)))
    watch.ended()
    assert pace.training(1e5) == pytest.approx(20)
    assert pace.study == pytest.approx(13)
    assert not any(isinstance(event, Planned) for event in heard.events)
