"""The heads that a fit averages: trained in every fold for what to expect, and on all images.

They are trained in rounds, of as many seeds as there is time for, so that the last ones can be left
out where time runs short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

from manyheads.core.job import Job
from manyheads.errors import Interrupted, RunError
from manyheads.heads.bank import Fold, HeadEnd, HeadSettings, train_bank
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.run.fit.fit_schedule import Schedule
from manyheads.run.fit.fit_search import Found, Option
from manyheads.run.folded_features import divided_features
from manyheads.run.pipeline import study_engine
from manyheads.study.refit import undivided

_FIRST_SEED = 1  # the search's own heads have seed 0
_AT_ONCE = 0.1  # of the time left, the most that all heads may take to be trained in one round
_CAUTION = 0.6  # of the time left, the most that a further round is planned to take

Answers = Float32[np.ndarray, "images classes"]


@dataclass
class _Trained:
    """What the heads of an option have come to, seed by seed.

    `said` are the logits of each fold's heads for the images that it leaves out; `final` are the
    heads that trained on all images.
    """

    folds: list[Fold]
    said: list[list[Answers]] = field(default_factory=list)
    final: list[Parameters] = field(default_factory=list)


@dataclass(frozen=True)
class Averaged:
    """The heads on all images, and what the mean of as many says of held-out ones, by option.

    `seeds` heads were trained; of those, `heads` did not diverge.
    """

    seeds: int
    heads: list[Parameters]
    answers: dict[int, Answers]


class Averaging:
    """Trains the heads of the options that a search has chosen, as many as there is time for.

    At most `heads` of each; `ready` is called once it is sure how many there will be.
    """

    def __init__(self, found: Found, heads: int, engine: str, schedule: Schedule, job: Job) -> None:
        self._found, self._heads, self._engine = found, heads, engine
        self._schedule, self._job = schedule, job
        self._done = 0
        chosen = found.ranked.chosen
        self._options = {place: found.options[place] for place in chosen}
        self._trained = {place: _Trained(_folds(option)) for place, option in self._options.items()}
        settings = [option.setting for option in self._options.values()]
        self._epochs = max(setting.epochs for setting in settings)
        self._products = schedule.plan.averaging([*map(epoch_cost, settings)], self._epochs)
        folds = schedule.plan.folds
        self._per_head = sum(each.epochs for each in settings) * folds + found.best.setting.epochs

    def run(self, ready: Callable[[int], object] = lambda _: None) -> Averaged:
        """Train them; raises `RunError` if all heads diverge, and `Interrupted` on a stop."""
        # A round that is begun is to end, so one that takes long begins with what must be there.
        first = self._heads if self._affordable(self._heads, _AT_ONCE) == self._heads else 1
        if first == self._heads:
            ready(first)
        seconds = first * self._schedule.training(self._products)
        with self._schedule.part("averaging heads", seconds):
            self._round(range(first), math.inf)
        trained = first
        while trained < self._heads and (more := self._affordable(self._heads - trained, _CAUTION)):
            if not self._in_time(range(trained, trained + more)):
                break
            trained += more
        if trained < self._heads:
            self._job.progress("averaging", self._done, self._done, "epochs of heads")
        return Averaged(
            trained,
            self._trained[self._found.ranked.best].final,
            {place: self._mean(each) for place, each in self._trained.items()},
        )

    def _affordable(self, wanted: int, share: float) -> int:
        """How many of the heads `wanted` take no more than a `share` of the time left."""
        schedule = self._schedule
        left = schedule.budget.left - schedule.after_averaging
        return max(0, min(wanted, int(share * left / schedule.training(self._products))))

    def _in_time(self, seeds: range) -> bool:
        """Train a round that may be left out; whether it has ended in time."""
        schedule, done = self._schedule, self._done
        ends = schedule.budget.deadline - schedule.after_averaging
        try:
            self._round(seeds, ends)
        except Interrupted:
            self._job.check("the fit", "repeat the same command to resume")
            self._done = done
            return False
        return True

    def _round(self, seeds: range, ends: float) -> None:
        """Train these seeds of each option in each fold, and of the best on all images."""
        clock = self._schedule.budget.clock
        began, before = clock(), self._done
        job = self._job.limited(self._job.tell, ends, clock)
        new: dict[int, tuple[list[list[Answers]], list[Parameters]]] = {}
        for place, option in self._options.items():
            folds = self._trained[place].folds
            ends_of = self._train(option, folds, seeds, job)
            said = [[each.chosen for each in of if each.chosen is not None] for of in ends_of]
            final: list[Parameters] = []
            if place == self._found.ranked.best:
                (last,) = self._train(option, [undivided(folds)], seeds, job)
                final = [each.parameters for each in last if each.parameters is not None]
            new[place] = said, final
        for place, (said, final) in new.items():
            kept = self._trained[place]
            before_them = kept.said or [[] for _ in said]
            kept.said = [a + b for a, b in zip(before_them, said, strict=True)]
            kept.final += final
        self._schedule.training_took(len(seeds) * self._products, clock() - began)
        self._done = before + len(seeds) * self._per_head

    def _train(
        self, option: Option, folds: Sequence[Fold], seeds: range, job: Job
    ) -> list[list[HeadEnd]]:
        """The ends of each fold's heads that trained to their end; some in the first round."""
        heads = [
            HeadSettings(
                hyperparameters=option.setting,
                seed=_FIRST_SEED + seed,
                fold=fold,
                epochs=option.setting.epochs,
            )
            for fold in range(len(folds))
            for seed in seeds
        ]
        ends: list[list[HeadEnd]] = [[] for _ in folds]

        def counted(_: object) -> None:
            self._done += 1
            total = self._heads * self._per_head
            job.progress("averaging", self._done, total, "epochs of heads")

        engine = study_engine(self._engine, self._schedule.workers)
        for end, _ in train_bank(engine, heads, folds, rule="last", on_epoch=counted, job=job):
            if end.status == "done":
                ends[heads[end.head].fold].append(end)
        job.check("the fit")
        if not all(ends) and seeds[0] == 0:
            raise RunError(
                "heads that train to their end", f"all of {len(seeds)} diverged in a fold",
                "look for extreme values among the features, or take another backbone",
            )  # fmt: skip
        # They end in an order of chance, and a sum in float32 depends on its order.
        return [sorted(each, key=lambda end: end.head) for each in ends]

    def _mean(self, trained: _Trained) -> Answers:
        """What the mean of an option's heads says of each image, by the fold that left it out."""
        fold_of = self._found.fold_of
        mean = np.empty((len(fold_of), trained.folds[0].classes), np.float32)
        for fold, each in enumerate(trained.said):
            mean[fold_of == fold] = np.mean(each, axis=0, dtype=np.float64)
        return mean


def _folds(option: Option) -> list[Fold]:
    finished = option.finished
    return divided_features(finished.settings, finished.dataset, finished.features).folds
