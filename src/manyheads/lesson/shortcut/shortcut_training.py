"""Training the heads of every arm, and asking each what it makes of the images."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.core.threads import check_stop
from manyheads.heads.bank import Fold, HeadSettings, engine_named, train_bank
from manyheads.heads.head import Parameters, forward, inner_output
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import SeededStreams
from manyheads.lesson.shortcut.arrangement import Arrangement
from manyheads.lesson.shortcut.condition_folds import Learnt
from manyheads.lesson.shortcut.shortcut_settings import LAST_LAYER, ShortcutSettings, last_layer_of
from manyheads.stats.shortcut_effects import FAILED, MARKED, PredictedClasses
from manyheads.study.space import setting_words

Progress = Callable[[int, int], None]
Asked = Float32[np.ndarray, "asked features"]


@dataclass
class Training:
    """Trains the heads of all arms; `answers` of each arm, a row a seed for each candidate.

    Heads of one seed share first weights, orders and masks in every arm, so that arms are paired.
    """

    settings: ShortcutSettings
    arrangement: Arrangement
    learnt: Learnt
    progress: Progress
    note: Callable[[str], None]
    stop: threading.Event | None
    answers: dict[str, list[PredictedClasses]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked: Asked = self.learnt.matrix[self.learnt.asked(self.arrangement)]
        self._clean: Asked = self.learnt.matrix[self.learnt.plain[self.arrangement.clean]]
        self._inner: dict[tuple[int, int], tuple[Asked, Asked]] = {}
        study = self.settings.study
        settings = [arm.setting(each) for arm in self.settings.arms for each in study.grid]
        settings += [last_layer_of(each) for each in study.grid] if self.settings.clean else []
        self._total = study.seeds * sum(each.epochs for each in settings)
        self._epochs = count(1)

    def arms(self, folds: Sequence[Fold]) -> None:
        """Train every candidate with every seed in the fold of every arm."""
        study, owners, heads = self.settings.study, [], []
        for place, arm in enumerate(self.settings.arms):
            self.answers[arm.name] = [self._nothing() for _ in study.grid]
            for number, candidate in enumerate(study.grid):
                for seed in range(study.seeds):
                    setting = arm.setting(candidate)
                    heads.append(_head(setting, seed, place))
                    owners.append((arm.name, number, seed))

        def heard(owner: tuple[str, int, int], parameters: Parameters) -> None:
            name, number, seed = owner
            self._answer(owner, forward(parameters, self._asked))
            if name == MARKED and self.settings.clean:
                self._inner[number, seed] = (
                    inner_output(parameters, self._clean),
                    inner_output(parameters, self._asked),
                )

        self._train(heads, folds, owners, heard)

    def last_layers(self) -> None:
        """Train a last layer anew, on the clean images, for each head of the marked arm."""
        study, labels = self.settings.study, self.arrangement.dataset.labels
        self.answers[LAST_LAYER] = [self._nothing() for _ in study.grid]
        owners, heads, folds = [], [], []
        images = len(self.arrangement.validation)
        for (number, seed), (clean, asked) in sorted(self._inner.items()):
            setting = last_layer_of(study.grid[number])
            heads.append(_head(setting, seed, len(folds)))
            owners.append((LAST_LAYER, number, seed))
            rows = np.arange(len(clean) + images)
            folds.append(
                Fold(
                    np.concatenate([clean, asked[:images]]),
                    rows[: len(clean)], labels[self.arrangement.clean],
                    rows[len(clean) :], labels[self.arrangement.validation],
                    len(self.arrangement.dataset.classes),
                )
            )  # fmt: skip

        def heard(owner: tuple[str, int, int], parameters: Parameters) -> None:
            self._answer(owner, forward(parameters, self._inner[owner[1:]][1]))

        self._train(heads, folds, owners, heard)

    def _train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        owners: Sequence[tuple[str, int, int]],
        heard: Callable[[tuple[str, int, int], Parameters], None],
    ) -> None:
        study = self.settings.study
        for end, _ in train_bank(
            engine_named(study.engine), heads, folds, rule=study.select,
            on_epoch=lambda _: self.progress(next(self._epochs), self._total),
            streams=lambda seed, _: SeededStreams(seed), stop=self.stop,
        ):  # fmt: skip
            if end.status == "done" and end.parameters is not None:
                heard(owners[end.head], end.parameters)
            else:
                name, number, seed = owners[end.head]
                setting = setting_words(study.grid[number], study.grid.varying)
                self.note(f"{name}, {setting}, seed {seed}: {end.note}")
        check_stop("the check for shortcuts", self.stop)

    def _answer(
        self, owner: tuple[str, int, int], logits: Float32[np.ndarray, "asked classes"]
    ) -> None:
        name, number, seed = owner
        said, images = logits.argmax(axis=1), len(self.arrangement.validation)
        self.answers[name][number].plain[seed] = said[:images]
        self.answers[name][number].marked[seed] = said[images:]

    def _nothing(self) -> PredictedClasses:
        def empty(images: Int64[np.ndarray, "images"]) -> Int64[np.ndarray, "seeds images"]:
            return np.full((self.settings.study.seeds, len(images)), FAILED)

        return PredictedClasses(empty(self.arrangement.validation), empty(self.arrangement.into))


def _head(setting: Hyperparameters, seed: int, fold: int) -> HeadSettings:
    return HeadSettings(hyperparameters=setting, seed=seed, fold=fold, epochs=setting.epochs)
