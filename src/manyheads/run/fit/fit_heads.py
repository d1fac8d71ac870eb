"""The heads that a fit averages: trained in every fold for what to expect, and on all images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from jaxtyping import Float32

from manyheads.core.job import Job
from manyheads.errors import RunError
from manyheads.heads.bank import Fold, HeadEnd, HeadSettings, engine_named, train_bank
from manyheads.heads.head import Parameters
from manyheads.run.fit.fit_search import Found, Option
from manyheads.run.pipeline import divided_features
from manyheads.study.refit import undivided

_FIRST_SEED = 1  # the search's own heads have seed 0


@dataclass(frozen=True)
class Averaging:
    """Trains `heads` heads of an option; `progress` counts epochs of all that is still to come."""

    found: Found
    heads: int
    engine: str
    job: Job

    def answers(self) -> dict[int, Float32[np.ndarray, "images classes"]]:
        """What the mean of the heads says of each image, left out of training, by option.

        Means of logits, up to a number for each image, of the options that answer for some image.
        """
        chosen = self.found.ranked.chosen
        settings = [self.found.options[place].setting for place in chosen]
        epochs = sum(setting.epochs for setting in settings)
        total = epochs * self.heads * self.found.validated.folds
        done, answers = 0, {}
        for place, setting in zip(chosen, settings, strict=True):
            option = self.found.options[place]
            folds = self._folds(option)
            ends = self._train(option, folds, done, total)
            answers[place] = self._joined(folds, ends)
            done += setting.epochs * self.heads * len(folds)
        return answers

    def final(self) -> list[Parameters]:
        """The heads of the best option, trained on all images."""
        option = self.found.best
        total = option.setting.epochs * self.heads
        ends = self._train(option, [undivided(self._folds(option))], 0, total)
        return [end.parameters for end in ends[0] if end.parameters is not None]

    def _folds(self, option: Option) -> list[Fold]:
        finished = option.finished
        return divided_features(finished.settings, finished.dataset, finished.features).folds

    def _train(
        self, option: Option, folds: Sequence[Fold], before: int, total: int
    ) -> list[list[HeadEnd]]:
        """The ends of the heads in each fold that trained to their end, at least one."""
        heads = [
            HeadSettings(
                hyperparameters=option.setting,
                seed=_FIRST_SEED + seed,
                fold=fold,
                epochs=option.setting.epochs,
            )
            for fold in range(len(folds))
            for seed in range(self.heads)
        ]
        done = count(before + 1)
        ends: list[list[HeadEnd]] = [[] for _ in folds]
        for end, _ in train_bank(
            engine_named(self.engine), heads, folds, rule="last",
            on_epoch=lambda _: self.job.progress("averaging", next(done), total, "epochs of heads"),
            job=self.job,
        ):  # fmt: skip
            if end.status == "done":
                ends[heads[end.head].fold].append(end)
        self.job.check("the fit")
        if not all(ends):
            raise RunError(
                "heads that train to their end", f"all of {self.heads} diverged in a fold",
                "look for extreme values among the features, or take another backbone",
            )  # fmt: skip
        # They end in an order of chance, and a sum in float32 depends on its order.
        return [sorted(each, key=lambda end: end.head) for each in ends]

    def _joined(
        self, folds: Sequence[Fold], ends: Sequence[Sequence[HeadEnd]]
    ) -> Float32[np.ndarray, "images classes"]:
        fold_of = self.found.fold_of
        said = np.empty((len(fold_of), folds[0].classes), np.float32)
        for fold, members in enumerate(ends):
            each = [end.chosen for end in members if end.chosen is not None]
            said[fold_of == fold] = np.mean(each, axis=0, dtype=np.float64)
        return said
