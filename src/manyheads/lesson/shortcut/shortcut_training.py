"""Train the heads of every condition, and predict the evaluated images with each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.core.job import Job
from manyheads.heads.bank import Fold, HeadSettings, engine_named, train_bank
from manyheads.heads.head import Parameters, forward, inner_output
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import SeededStreams
from manyheads.lesson.shortcut.arrangement import Arrangement
from manyheads.lesson.shortcut.condition_folds import Learnt
from manyheads.lesson.shortcut.shortcut_settings import LAST_LAYER, ShortcutSettings, last_layer_of
from manyheads.stats.shortcut_effects import FAILED, MARKED, PredictedClasses
from manyheads.study.space import setting_words

Inputs = Float32[np.ndarray, "images features"]


@dataclass
class Training:
    """Trains the heads of all conditions; `predicted` has the classes that each candidate predicts.

    Heads of one seed share first weights, orders and masks in every condition, which pairs them.
    """

    settings: ShortcutSettings
    arrangement: Arrangement
    learnt: Learnt
    job: Job
    predicted: dict[str, list[PredictedClasses]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._evaluated: Inputs = self.learnt.matrix[self.learnt.evaluated(self.arrangement)]
        self._clean: Inputs = self.learnt.matrix[self.learnt.plain[self.arrangement.clean]]
        self._inner: dict[tuple[int, int], tuple[Inputs, Inputs]] = {}
        study = self.settings.study
        settings = [one.setting(each) for one in self.settings.conditions for each in study.grid]
        settings += [last_layer_of(each) for each in study.grid] if self.settings.clean else []
        self._total = study.seeds * sum(each.epochs for each in settings)
        self._epochs = count(1)

    def train_conditions(self, folds: Sequence[Fold]) -> None:
        """Train every candidate with every seed in the fold of every condition."""
        study, owners, heads = self.settings.study, [], []
        for place, condition in enumerate(self.settings.conditions):
            self.predicted[condition.name] = [self._failed() for _ in study.grid]
            for number, candidate in enumerate(study.grid):
                for seed in range(study.seeds):
                    setting = condition.setting(candidate)
                    heads.append(_head(setting, seed, place))
                    owners.append((condition.name, number, seed))

        def on_end(owner: tuple[str, int, int], parameters: Parameters) -> None:
            name, number, seed = owner
            self._predict(owner, forward(parameters, self._evaluated))
            if name == MARKED and self.settings.clean:
                self._inner[number, seed] = (
                    inner_output(parameters, self._clean),
                    inner_output(parameters, self._evaluated),
                )

        self._train(heads, folds, owners, on_end)

    def train_last_layers(self) -> None:
        """Train a last layer anew, on the clean images, for each head of the marked condition."""
        study, labels = self.settings.study, self.arrangement.dataset.labels
        self.predicted[LAST_LAYER] = [self._failed() for _ in study.grid]
        owners, heads, folds = [], [], []
        images = len(self.arrangement.validation)
        for (number, seed), (clean, evaluated) in sorted(self._inner.items()):
            setting = last_layer_of(study.grid[number])
            heads.append(_head(setting, seed, len(folds)))
            owners.append((LAST_LAYER, number, seed))
            rows = np.arange(len(clean) + images)
            folds.append(
                Fold(
                    np.concatenate([clean, evaluated[:images]]),
                    rows[: len(clean)], labels[self.arrangement.clean],
                    rows[len(clean) :], labels[self.arrangement.validation],
                    len(self.arrangement.dataset.classes),
                    class_names=tuple(self.arrangement.dataset.classes),
                )
            )  # fmt: skip

        def on_end(owner: tuple[str, int, int], parameters: Parameters) -> None:
            self._predict(owner, forward(parameters, self._inner[owner[1:]][1]))

        self._train(heads, folds, owners, on_end)

    def _train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        owners: Sequence[tuple[str, int, int]],
        on_end: Callable[[tuple[str, int, int], Parameters], None],
    ) -> None:
        study = self.settings.study
        for end, _ in train_bank(
            engine_named(study.engine), heads, folds, rule=study.select,
            on_epoch=lambda _: self._tell(),
            streams=lambda seed, _: SeededStreams(seed), job=self.job,
        ):  # fmt: skip
            if end.status == "done" and end.parameters is not None:
                on_end(owners[end.head], end.parameters)
            else:
                name, number, seed = owners[end.head]
                setting = setting_words(study.grid[number], study.grid.varying)
                self.job.note(f"{name}, {setting}, seed {seed}: {end.note}")
        self.job.check("the check for shortcuts")

    def _tell(self) -> None:
        self.job.progress("training", next(self._epochs), self._total, "epochs of heads")

    def _predict(
        self, owner: tuple[str, int, int], logits: Float32[np.ndarray, "images classes"]
    ) -> None:
        name, number, seed = owner
        classes, images = logits.argmax(axis=1), len(self.arrangement.validation)
        self.predicted[name][number].plain[seed] = classes[:images]
        self.predicted[name][number].marked[seed] = classes[images:]

    def _failed(self) -> PredictedClasses:
        def empty(images: Int64[np.ndarray, "images"]) -> Int64[np.ndarray, "seeds images"]:
            return np.full((self.settings.study.seeds, len(images)), FAILED)

        return PredictedClasses(empty(self.arrangement.validation), empty(self.arrangement.into))


def _head(setting: Hyperparameters, seed: int, fold: int) -> HeadSettings:
    return HeadSettings(hyperparameters=setting, seed=seed, fold=fold, epochs=setting.epochs)
