"""What there is time for: a plan never goes beyond the budget, and less is left out with more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.errors import SettingError
from manyheads.run.estimate import remember_preparation
from manyheads.run.fit.fit_plan import FitPlan, plan_fit
from manyheads.run.fit.fit_schedule import (
    QUICK,
    Schedule,
    TimedOption,
    effort_for,
    next_option,
)
from manyheads.run.fit.fit_settings import FitSettings, seconds_of
from manyheads.run.fit.image_options import EFFORTS, ImageOption, Place
from manyheads.run.fit.time_budget import TimeBudget
from tests.clocks import Clock
from tests.shortcuts import quadrant_images
from tests.studies import free_backbone

SHARED = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[FitPlan]:
    del own_cache  # it is there
    data = quadrant_images(tmp_path / "photos", 20, 5)
    with free_backbone(monkeypatch):
        yield plan_fit(FitSettings(data=str(data), backbone="xception"), TimeBudget(600, 0.0))


def option(
    size: int,
    copies: int = 0,
    seconds: float = 1.0,
    training: float = 0.0,
    backbone: str = "xception",
    pair: bool = False,
) -> TimedOption:
    """An option of so many seconds for its passes, and for the least of its training."""
    images = ImageOption(
        backbone=backbone, pair=pair, size=size, copies=copies, passes=9, prepared=True,
        products=(3, 2, 1),
    )  # fmt: skip
    training_of = (3 * training, 2 * training, training)
    return TimedOption(images=images, passes=seconds, features=seconds, training=training_of)


def schedule_of(plan: FitPlan, budget: float, used: float = 0.0) -> Schedule:
    """The schedule of a budget of which so much is used."""
    clock = Clock()
    time_budget = TimeBudget(budget, clock.now - used, clock.monotonic)
    return Schedule(plan, time_budget)


def costing(plan: FitPlan, passes: int) -> FitPlan:
    """The plan with so many passes to make at every size."""
    return replace(plan, considered=tuple(replace(each, passes=passes) for each in plan.considered))


def at(*sizes: int) -> list[Place]:
    """Xception at these sizes."""
    return [("xception", size) for size in sizes]


def words_of(option: TimedOption | None) -> str:
    return "" if option is None else option.images.words


def test_the_option_worth_most_that_fits_comes_next() -> None:
    options = [option(299, 1, 600), option(299, 0, 300), option(224, 1, 340), option(150, 0, 80)]
    assert next_option(options, 1000) is options[0]
    assert next_option(options, 350) is options[1]
    assert next_option(options, 100) is options[3]
    assert next_option(options, 79) is None
    assert next_option(options, 500, done=at(299)) is options[2]
    assert next_option(options, 100, done=at(299, 150)) is None


def test_a_further_option_needs_more_time_than_is_expected_of_it() -> None:
    assert next_option([option(299, 0, 100)], 110) is not None
    assert next_option([option(299, 0, 100)], 110, done=at(150)) is None


def test_quick_small_images_come_first() -> None:
    options = [option(448, 0, 100), option(150, 0, QUICK)]
    assert next_option(options, 1000) is options[1]
    assert next_option(options, 1000, done=at(150)) is options[0]
    slower = [options[0], option(150, 0, QUICK + 1)]
    assert next_option(slower, 1000) is slower[0]
    same = [option(150, 1, 10), option(150, 0, 5)]
    assert next_option(same, 1000) is same[0]  # the plain features come with it


def test_backbones_take_turns_and_leave_each_other_time() -> None:
    options = [
        option(448, 1, 500, backbone="a"), option(224, 0, 90, backbone="a"),
        option(448, 0, 600, backbone="b"), option(224, 0, 200, backbone="b"),
    ]  # fmt: skip
    assert next_option(options, 1000) is options[0]
    assert next_option(options, 900) is options[1]  # half of the time is for the other
    assert next_option(options, 800, done=[("a", 224)]) is options[2]
    assert next_option(options, 500, done=[("a", 224)]) is options[3]
    assert next_option(options, 1400, done=[("a", 224), ("b", 448)]) is options[0]
    assert next_option(options, 150) is options[1]
    assert next_option(options, 80) is None


def test_a_pair_waits_for_the_second_round_and_comes_first_there() -> None:
    options = [
        option(224, 0, 50, backbone="a"), option(224, 0, 60, backbone="b"),
        option(448, 0, 90, backbone="b"), option(224, 0, 40, backbone="a+b", pair=True),
    ]  # fmt: skip
    assert next_option(options, 1000) is options[0]
    assert next_option(options, 1000, done=[("a", 224)]) is options[1]
    both = [("a", 224), ("b", 224)]
    assert next_option(options, 1000, done=both) is options[3]
    assert next_option(options, 1000, done=[*both, ("a+b", 224)]) is options[2]
    assert next_option(options, 70, done=both) is options[3]


def test_the_backbone_that_takes_least_has_its_turn_where_no_share_is_enough() -> None:
    options = [option(224, 0, 300, backbone="a"), option(224, 0, 290, backbone="b")]
    assert next_option(options, 400) is options[1]


def test_the_search_is_as_thorough_as_its_share_of_the_time_allows() -> None:
    asked = option(150, training=10)  # 30 s, 20 s and 10 s
    for left, following, budget, effort in (
        (1000, 1000, 300, "whole"),
        (1000, 1000, 100, "pruned"),
        (1000, 1000, 90, "few"),
        (100, 0, 90, "whole"),
        (100, 60, 90, "pruned"),
        (29, 0, 300, "pruned"),
        (19, 0, 300, "few"),
    ):
        assert effort_for(asked, left, following=following, budget=budget) == effort


@given(
    st.lists(st.tuples(st.floats(0.1, 5000), st.floats(0, 500)), min_size=1, max_size=6),
    st.floats(0, 5000), st.floats(0, 5000),
)  # fmt: skip
def test_more_time_never_leaves_a_better_option_out(
    costs: list[tuple[float, float]], first: float, second: float
) -> None:
    options = [option(500 - n, 0, QUICK + cost, each) for n, (cost, each) in enumerate(costs)]
    less, more = (next_option(options, left) for left in sorted((first, second)))
    if less is not None:
        assert more is not None
        assert options.index(more) <= options.index(less)


@pytest.mark.when_changed("studies")
@SHARED
@given(passes=st.integers(0, 100_000), budget=st.floats(10, 10_000), used=st.floats(0, 60))
def test_no_plan_goes_beyond_the_budget(
    plan: FitPlan, passes: int, budget: float, used: float
) -> None:
    schedule = schedule_of(costing(plan, passes), budget, used)
    if schedule.next() is None:
        return
    planned = schedule.expected()
    sizes = [each.images.size for each, _ in planned]
    assert len(set(sizes)) == len(sizes) > 0
    seconds = sum(each.features + each.training[EFFORTS.index(effort)] for each, effort in planned)
    assert used + seconds + schedule.finishing() < budget


@pytest.mark.when_changed("studies")
@SHARED
@given(passes=st.integers(1, 100_000), used=st.floats(0, 30))
def test_a_budget_that_is_advised_is_enough(plan: FitPlan, passes: int, used: float) -> None:
    remember_preparation("xception", 12.0)
    schedule = schedule_of(costing(plan, passes), 5.0, used)
    with pytest.raises(SettingError, match=r"a budget of at least .*, found 5s; give") as raised:
        schedule.require_time()
    advised = seconds_of(raised.value.expected.split()[5])
    enough = schedule_of(costing(plan, passes), advised, used)
    enough.require_time()
    assert enough.next() is not None


def test_of_an_unknown_machine_a_fit_is_begun_that_may_be_in_time(plan: FitPlan) -> None:
    hurried = schedule_of(plan, 20)
    assert hurried.next() is None
    hurried.require_time()
    assert words_of(hurried.last_resort()) == "150×150, plain"
    ((only, effort),) = hurried.expected()
    assert (words_of(only), effort) == ("150×150, plain", "few")
    hurried.paces["xception"].keras_took(12.0)
    with pytest.raises(SettingError, match="at 150 pixels, found 20s"):
        hurried.require_time()


def test_what_came_too_late_is_not_tried_again_nor_is_anything_larger(plan: FitPlan) -> None:
    schedule = schedule_of(plan, 10_000)
    assert words_of(schedule.next(done=at(150))) == "448×448, plain and mirrored"
    assert words_of(schedule.next(late=[option(299, 1).images], done=at(150))) == "299×299, plain"
    assert words_of(schedule.next(late=[option(299, 0).images], done=at(150))) == "224×224, plain"
    assert schedule.last_resort(late=[option(150, 0).images]) is None


def test_a_slower_machine_leaves_less_time(plan: FitPlan) -> None:
    schedule = schedule_of(costing(plan, 1000), 300)
    before = schedule.next(done=at(150))
    pace = schedule.paces["xception"]
    pace.extraction_took(150, 100, 20.0)
    pace.training_took(1e6, 10.0)
    pace.keras_took(30.0)
    after = schedule.next(done=at(150))
    assert before is not None
    assert after is None or after.images.size < before.images.size
    assert schedule.after_averaging > 30


def test_what_took_longest_beyond_its_time_is_the_reason(plan: FitPlan) -> None:
    clock = Clock()
    budget = TimeBudget(60, clock.now, clock.monotonic)
    schedule = Schedule(plan, budget)
    for name, expected, took in (("averaging", 10, 12), ("writing the model", 8, 47)):
        with schedule.part(name, expected):
            clock.now += took
            assert schedule.excess == ""
    clock.now += 7
    assert schedule.excess == (
        "0:06 longer than the budget: writing the model took 0:47, where 0:08 was expected"
    )
