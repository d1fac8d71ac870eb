"""What a fit hears of its own work: how long the parts take, and whether they end in time."""

from __future__ import annotations

from collections.abc import Callable

from manyheads.core.job import Clock, Event, Job, Planned, Progress
from manyheads.run.fit.fit_pace import FitPace
from manyheads.run.fit.fit_schedule import TimedOption
from manyheads.study.events import TrainingProgress

_WAVES = 3  # batches after the first, before a rate means something


class FeatureWatch:
    """Learns the `pace` of Keras and of the backbone while features of an option are computed.

    `job` is the part of the `whole` job to give to that work. It is stopped at the moment `ends`,
    and once `late`, which gets the seconds that the rest of the features will take, says so. A rate
    means something after `settled` seconds.
    """

    def __init__(
        self,
        option: TimedOption,
        pace: FitPace,
        whole: Job,
        *,
        late: Callable[[float], bool],
        ends: float,
        settled: float,
        clock: Clock,
    ) -> None:
        self.job = whole.limited(self._hear, ends, clock)
        self._settled = settled
        self._images, self._expected = option.images, option.passes
        self._pace, self._whole = pace, whole
        self._late, self._clock = late, clock
        self.built = 0.0  # seconds in which Keras built the backbone
        self._building: float | None = None
        self._batches = 0  # of the present extraction; after its first and last: when, and passes
        self._first = self._last = 0.0, 0
        self._at: float | None = None
        self._counted = 0
        self._passes, self._seconds = 0, 0.0

    @property
    def passes(self) -> int:
        """The backbone passes so far."""
        return self._passes

    def _hear(self, event: Event) -> None:
        self._whole.tell(event)
        if not isinstance(event, Progress):
            return
        if not event.unit:
            self._step(event)
        elif event.step == "extracting":
            self._extracting(event.done)

    def _step(self, event: Progress) -> None:
        self._at = None
        if not event.step.startswith("preparing"):
            return
        if not event.done:
            self._building = self._clock()
        elif self._building is not None:
            self.built = self._clock() - self._building
            self._pace.keras_took(self.built)
            self._building = None
            self._judge(self._pace.loading + self._expected)

    def _extracting(self, done: int) -> None:
        now = self._clock()
        if self._at is None or done < self._counted:
            self._batches = 0
        elif done > self._counted:
            self._passes += done - self._counted
            self._seconds += now - self._at
            self._batches += 1
            self._last = now, self._passes
            if self._batches == 1:
                self._first = self._last
        self._at, self._counted = now, done
        if self._passes >= self._images.passes:
            self._learn()
        elif self._seconds >= self._settled and self._batches > _WAVES:
            self._judge((self._images.passes - self._passes) / self._rate())

    def _rate(self) -> float:
        """Passes a second, after the first ones, which came late: those that run at once begin so.

        Batches end in bursts, so that this is rather too high than too low.
        """
        (since, before), (now, passes) = self._first, self._last
        return (passes - before) / max(now - since, 1e-3)

    def _learn(self) -> None:
        self._pace.extraction_took(self._images.size, self._passes, self._seconds)

    def _judge(self, rest: float) -> None:
        if self._passes:
            self._learn()
        if self._late(rest):
            self.job.stop()


class TrainingWatch:
    """Learns the `pace` of training in a study, whose heads train on so many `samples`.

    `job` is the part of the `whole` job to give to the study. It is stopped at the moment `ends`,
    and once `late`, which gets the seconds that the rest of the training will take, says so. A rate
    means something after `settled` seconds.
    """

    def __init__(
        self,
        pace: FitPace,
        samples: int,
        whole: Job,
        *,
        late: Callable[[float], bool],
        ends: float,
        settled: float,
        clock: Clock,
    ) -> None:
        self.job = whole.limited(self._hear, ends, clock)
        self._pace, self._samples, self._whole, self._clock = pace, samples, whole, clock
        self._late, self._settled = late, settled
        self._began = clock()
        self._first: tuple[float, float] | None = None  # when, and what was done of the cost
        self._last: tuple[float, float] | None = None

    def ended(self) -> None:
        """The study has ended: its pace is that of the next one."""
        self._learn()
        self._pace.study_took(self._clock() - self._began - self._trained)

    @property
    def _trained(self) -> float:
        """Seconds from the first epoch heard of to the last."""
        return self._last[0] - self._first[0] if self._first and self._last else 0.0

    def _learn(self) -> None:
        if self._first and self._last:
            products = self._samples * (self._last[1] - self._first[1])
            self._pace.training_took(products, self._trained)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Planned):  # the fit has told its own
            return
        self._whole.tell(event)
        if isinstance(event, TrainingProgress):
            self._last = self._clock(), event.cost
            self._first = self._first or self._last
            if self._trained >= self._settled:
                self._learn()
                rest = self._samples * (event.total_cost - event.cost)
                if self._late(self._pace.training(rest)):
                    self.job.stop()
