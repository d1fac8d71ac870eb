"""What a fit does next with the time that is left, so that its budget is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations

from manyheads.core.text import clock, counted
from manyheads.core.workers import Workers
from manyheads.errors import SettingError
from manyheads.findings.label_scores import scoring_seconds
from manyheads.run.fit.fit_backbones import FitBackbone, side_by_side
from manyheads.run.fit.fit_pace import FitPace
from manyheads.run.fit.fit_plan import FitPlan, counted_again
from manyheads.run.fit.fit_settings import budget_words
from manyheads.run.fit.image_options import EFFORTS, Effort, ImageOption, Place
from manyheads.run.fit.near_duplicates import comparing_seconds
from manyheads.run.fit.time_budget import ENDING, TimeBudget

QUICK = 30.0  # seconds: the smallest images come first if their passes take no longer
_MARGIN = 1.2  # times what is expected of a further option, the time there must be for it
_SAFELY = 1.1  # times what a budget must be, as far as can be told, the one that is advised
_HOPE, _HOPE_OF_BEGUN = 2.0, 4.0  # times faster, as the features of a last resort may yet come
_SHARES: dict[Effort, tuple[float, float]] = {"whole": (0.1, 0.4), "pruned": (0.2, 0.7)}
_WRITING = 1.3  # times what Keras takes to build a backbone, to write a model with it
_EXPECTING = 1.0, 0.0005  # seconds for the scores to expect: at least, and for each image


@dataclass(frozen=True, kw_only=True)
class TimedOption:
    """An image option in seconds: until its `features` are there, and of `training` by effort.

    Of the former, `passes` are for the passes alone.
    """

    images: ImageOption
    passes: float
    features: float
    training: tuple[float, ...]

    @property
    def least(self) -> float:
        """What it takes with the least thorough search."""
        return self.features + self.training[-1]


def next_option(
    options: Sequence[TimedOption], left: float, done: Collection[Place] = ()
) -> TimedOption | None:
    """The option to try next in `left` seconds; None: none fits.

    Of a single backbone, whose options are given by their worth, it is the first that fits, of a
    size that is not `done`. As long as nothing is done, the one that takes least comes before it,
    if its passes are quick: it is there to be delivered whatever becomes of the larger ones, and
    shows how fast the machine is.

    Several backbones take turns, in the order in which they are given: each gets the best of its
    options that leaves as much time to each of those that wait in this round. A pair waits for
    the second round, and comes first there.
    """
    fitting = [
        each
        for each in options
        if each.images.place not in done and each.least * (_MARGIN if done else 1) <= left
    ]
    if not fitting:
        return None
    if len({each.images.backbone for each in options}) > 1:
        return _of_next_turn(fitting, left, done)
    least = min(fitting, key=lambda each: each.least)
    if not done and least.images.size != fitting[0].images.size and least.passes <= QUICK:
        return least
    return fitting[0]


def _of_next_turn(
    fitting: Sequence[TimedOption], left: float, done: Collection[Place]
) -> TimedOption:
    searched = Counter(backbone for backbone, _ in done)
    turns = [searched[each.images.backbone] + each.images.pair for each in fitting]
    waiting = [each for each, had in zip(fitting, turns, strict=True) if had == min(turns)]
    waiting.sort(key=lambda each: not each.images.pair)
    share = left / len({each.images.backbone for each in waiting})
    least = min(waiting, key=lambda each: each.least)
    return next((each for each in waiting if each.least <= share), least)


def effort_for(option: TimedOption, left: float, *, following: float, budget: float) -> Effort:
    """The most thorough search of `option` that there is time for, once its features are there.

    Training is to take a small share of the `budget`, or of what remains of the `left` seconds if
    the `following` option takes that long.
    """
    for effort, seconds in zip(EFFORTS, option.training, strict=True):
        if effort in _SHARES:
            of_budget, of_rest = _SHARES[effort]
            if seconds <= left and seconds <= max(of_budget * budget, of_rest * (left - following)):
                return effort
    return EFFORTS[-1]


@dataclass
class Schedule:
    """The time of a fit: what each part takes at the present pace, and what there is time for.

    `paces` are those of the backbones, by their names; `efforts` those of the searches that are
    done. `workers` compute, if there are any.
    """

    plan: FitPlan
    budget: TimeBudget
    workers: Workers | None = None

    def __post_init__(self) -> None:
        # Of one backbone all studies have the same pace, but for the size of images.
        self.paces = {
            each.backbone: FitPace(self.plan.study(each)) for each in self.plan.considered
        }
        self.efforts: list[Effort] = []
        self._parts: list[tuple[float, str]] = []

    def pace(self, images: ImageOption) -> FitPace:
        """The pace of the backbone that sees the images."""
        return self.paces[images.backbone]

    @property
    def _present(self) -> list[FitPace]:
        """The paces of the backbones that are still in the plan."""
        return [self.paces[each.name] for each in self.plan.backbones]

    def narrow(self, backbones: Sequence[FitBackbone]) -> None:
        """Go on with these backbones alone, the one that takes least at its own size first."""

        def seconds(backbone: FitBackbone) -> float:
            images = self.plan.plain(backbone)
            return self.pace(images).extraction(self.plan.study(images), 1)

        plan = self.plan.with_backbones(sorted(backbones, key=seconds))
        self.plan = counted_again(plan)

    def add_pair(self, best: Sequence[FitBackbone]) -> None:
        """Let two have turns side by side, from the second round on: the `best` that can."""
        pairs = (side_by_side(*two) for two in combinations(best, 2))
        if pair := next(filter(None, pairs), None):
            self.plan = self.plan.with_pair(pair)
            self.paces[pair.name] = FitPace(self.plan.study(self.plan.considered[-1]))

    def training(self, products: float) -> float:
        """Seconds to train so much for the average, on whichever backbone takes longest."""
        return max(pace.training(products) for pace in self._present)

    def training_took(self, products: float, seconds: float) -> None:
        """To train so much for the average took so long."""
        for pace in self._present:
            pace.training_took(products, seconds)

    @contextmanager
    def part(self, name: str, expected: float) -> Iterator[None]:
        """A part of the fit that is expected to take so many seconds."""
        began = self.budget.clock()
        try:
            yield
        finally:
            took = self.budget.clock() - began
            words = f"{name} took {clock(took)}, where {clock(expected)} was expected"
            self._parts.append((took - expected, words))

    @property
    def excess(self) -> str:
        """By how much the budget was exceeded and what took longest beyond its time; or nothing."""
        over = self.budget.used - self.budget.seconds
        if over <= 0:
            return ""
        return f"{clock(over)} longer than the budget: {max(self._parts)[1]}"

    def timed(self, images: ImageOption) -> TimedOption:
        """An image option in seconds."""
        pace = self.pace(images)
        passes = pace.extraction(self.plan.study(images), images.passes)
        building = 0.0 if images.prepared else pace.keras
        beside = pace.study
        if not self.efforts:
            beside += comparing_seconds(self.plan.pool)
        return TimedOption(
            images=images,
            passes=passes,
            features=passes + (building + pace.loading if images.passes else 0.0),
            training=tuple(beside + pace.training(each) for each in images.products),
        )

    def finishing(self, heads: int = 1, effort: Effort = "few") -> float:
        """Seconds from the end of the search: so many heads averaged, scores, the model's file."""
        usual = max(self.plan.usual_averaging(each) for each in (effort, *self.efforts))
        return heads * self.training(usual) + self.after_averaging

    @property
    def after_averaging(self) -> float:
        """Seconds from the last head to the results: scores, the model's file."""
        least, image = _EXPECTING
        building = max(pace.keras for pace in self._present)
        scores = image * self.plan.pool
        scores += scoring_seconds(self.plan.pool, len(self.plan.dataset.label_names))
        return least + scores + _WRITING * building

    def options(self, late: Collection[ImageOption] = ()) -> list[TimedOption]:
        """The image options, by their worth, but those that take as much as any in `late`."""
        return [
            self.timed(each)
            for each in self.plan.considered
            if not any(each.no_smaller(other) for other in late)
        ]

    def next(
        self, late: Collection[ImageOption] = (), done: Collection[Place] = ()
    ) -> TimedOption | None:
        """The option to try next, of another place than those `done`; None if there is no time.

        Those in `late` were tried and came too late.
        """
        left = self.budget.left - self.finishing()
        return next_option(self.options(late), left, done)

    def last_resort(self, late: Collection[ImageOption] = ()) -> TimedOption | None:
        """The option that takes least, though it seems to be too late, if there is hope for it."""
        option = min(self.options(late), key=lambda each: each.least, default=None)
        return None if option is None or self.hopeless(option.features, option) else option

    def hopeless(self, features: float, option: TimedOption, *, begun: bool = False) -> bool:
        """Whether an option whose features take that long will end far beyond the budget.

        Of a machine of which nothing is known, all may be faster than expected; and other programs
        that slow it down may end in the first half of the time, the more so where work has begun
        and would be given up.
        """
        hope = 1.0 if self.pace(option.images).measured else _HOPE
        if self.budget.used < self.budget.seconds / 2:
            hope = _HOPE_OF_BEGUN if begun else _HOPE
        return self.budget.clock() + features / hope > self.budget.latest - self.least_rest(option)

    def least_rest(self, option: TimedOption) -> float:
        """Seconds at least from the moment that the features of an option are there."""
        known = 1.0 if self.pace(option.images).measured else _HOPE
        return (option.training[-1] + self.finishing()) / known

    def effort(self, option: TimedOption, done: Collection[Place] = ()) -> Effort:
        """How thoroughly to search `option`, whose features are there, after the places `done`."""
        return self._effort(option, self.options(), self.budget.left, done)

    def _effort(
        self,
        option: TimedOption,
        options: Sequence[TimedOption],
        left: float,
        done: Collection[Place],
    ) -> Effort:
        left -= self.finishing(effort="whole")
        rest = left - option.training[-1]
        following = next_option(options, rest, {*done, option.images.place})
        return effort_for(
            option, left,
            following=_MARGIN * following.least if following else 0.0, budget=self.budget.seconds,
        )  # fmt: skip

    def require_time(self) -> None:
        """Raise `SettingError` if there is no hope even for the option that takes least."""
        if self.next() is None and self.last_resort() is None:
            raise self.refusal()

    def refusal(self, kept: str = "") -> SettingError:
        """What is raised where no option fits: the budget that one needs, and what is `kept`."""
        least = min(self.options(), key=lambda each: each.least)
        seconds = self.budget.used + _SAFELY * (least.least + self.finishing()) + ENDING
        needed = budget_words(max(seconds, self.budget.seconds * _SAFELY))
        passes = counted(least.images.passes, "backbone pass", "es")
        work = passes if least.images.passes else counted(self.plan.pool, "image")
        return SettingError(
            f"a budget of at least {needed} for {work} at {least.images.size} pixels",
            budget_words(self.budget.seconds), f"give a `budget` of {needed} or more{kept}",
        )  # fmt: skip

    def expected(self) -> list[tuple[TimedOption, Effort]]:
        """The searches that there is time for, as far as can be told now; or the last resort."""
        left, done, planned = self.budget.left, set[Place](), list[tuple[TimedOption, Effort]]()
        options = self.options()
        while option := next_option(options, left - self.finishing(), done):
            left -= option.features
            effort = self._effort(option, options, left, done)
            left -= option.training[EFFORTS.index(effort)]
            done.add(option.images.place)
            planned.append((option, effort))
        if not planned and (resort := self.last_resort()):
            planned.append((resort, EFFORTS[-1]))
        return planned
