"""Studies whose truth is known: made up, or real heads that differ by their seeds alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from manyheads.heads.bank import Fold, HeadEnd, HeadSettings, engine_named
from manyheads.heads.head import forward
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import SeededStreams
from manyheads.stats.validation_predictions import Validated

Random = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class World:
    """What a head's margin for the right class is made of: standard deviations, in nats.

    `image`: how hard an image is, to all alike; `liking`: candidate × image; `seed`: candidate ×
    head, over all its images; `training`: candidate × fold, over all seeds; `rest`: everything
    at once; `mean` is the mean of all. An image is right where the margin is above 0, and its loss
    is `log(1 + e^−margin)`.
    """

    mean: float = 1.5
    image: float = 2.0
    liking: float = 0.5
    seed: float = 0.05
    training: float = 0.05
    rest: float = 0.8


# From real heads, Xception 150²: `pools.components` of the pools' studies and of the lesson's
# sweep. `mean` makes the share of right answers theirs, 0.75 and 0.84.
POOLED = World(mean=2.3, image=3.1, liking=0.9, seed=0.3, training=0.13, rest=0.9)
LESSON = World(mean=4.5, image=4.2, liking=1.4, seed=0.34, training=0.0, rest=1.0)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large a study is; one fold is a given split."""

    candidates: int
    seeds: int
    images: int
    folds: int = 1
    repeats: int = 1


def made_up(random: Random, world: World, shape: Shape, shift: float = 0.0) -> Validated:
    """A study of alike candidates, the first of which has all its margins shifted."""
    seeds, repeats, images = shape.seeds, shape.repeats, shape.images
    rows = [random.permutation(np.arange(images) % shape.folds) for _ in range(repeats)]
    fold_of = np.stack(rows)
    cells = fold_of + shape.folds * np.arange(repeats)[:, None]
    image = random.normal(world.mean, world.image, images)
    said: dict[int, np.ndarray] = {}
    for candidate in range(1, shape.candidates + 1):
        by_head = random.normal(0, world.seed, (seeds, shape.folds * repeats))
        if shape.folds > 1:
            by_head += random.normal(0, world.training, shape.folds * repeats)
        margin = (
            image
            + random.normal(0, world.liking, images)
            + by_head[:, cells]
            + random.normal(0, world.rest, (seeds, repeats, images))
            + shift * (candidate == 1)
        )
        said[candidate] = -np.logaddexp(0, np.stack([-margin, margin], -1)).astype(np.float32)
    return _study(said, np.zeros(images, np.int64), fold_of, shape.folds, 2)


def true_differences(world: World, shift: float) -> dict[str, float]:
    """What a shift of the first candidate's margins comes to, by metric, over 4 million draws."""
    spread = np.sqrt(world.image**2 + world.liking**2 + world.seed**2 + world.rest**2)
    margin = np.random.default_rng(0).normal(world.mean, spread, 4_000_000)
    return {
        "accuracy": float((margin + shift > 0).mean() - (margin > 0).mean()),
        "log_loss": float(
            np.logaddexp(0, -margin - shift).mean() - np.logaddexp(0, -margin).mean()
        ),
    }


@dataclass(frozen=True)
class Heads:
    """What heads that differ by their seeds alone say: log probabilities and the images' labels."""

    said: np.ndarray  # heads, images, classes
    labels: np.ndarray


def trained(
    random: Random, matrix: np.ndarray, labels: np.ndarray, count: int, epochs: int
) -> Heads:
    """Heads of one setting on a third of the images, at random, trained on the other two."""
    order = random.permutation(len(labels))
    held, train = np.sort(order[: len(order) // 3]), np.sort(order[len(order) // 3 :])
    classes = int(labels.max()) + 1
    fold = Fold(matrix, train, labels[train], held, labels[held], classes)
    heads = [
        HeadSettings(
            hyperparameters=Hyperparameters(learning_rate=0.001, size_inner=100, droprate=0.2),
            seed=seed,
            fold=0,
            epochs=epochs,
        )
        for seed in random.choice(2**31, count, replace=False).tolist()
    ]
    said = np.empty((count, len(held), classes), np.float32)
    for event in engine_named("fused").train(heads, [fold], rule="last", streams=SeededStreams):
        if isinstance(event, HeadEnd):
            assert event.parameters is not None, event.note
            logits = forward(event.parameters, matrix[held])
            said[event.head] = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return Heads(said, labels[held])


def studies(
    random: Random, heads: Heads, candidates: int, seeds: int, images: int, count: int
) -> Iterator[Validated]:
    """Studies of heads dealt at random to candidates, each on images drawn anew without return."""
    for _ in range(count):
        dealt = random.permutation(len(heads.said))[: candidates * seeds]
        drawn = np.sort(random.permutation(len(heads.labels))[:images])
        said = {
            candidate + 1: heads.said[each][:, None, drawn]
            for candidate, each in enumerate(dealt.reshape(candidates, seeds))
        }
        labels = heads.labels[drawn]
        yield _study(said, labels, np.zeros((1, images), np.int64), 1, heads.said.shape[-1])


def _study(
    said: dict[int, np.ndarray],
    labels: np.ndarray,
    fold_of: np.ndarray,
    folds: int,
    classes: int,
) -> Validated:
    return Validated(
        candidates=tuple(said),
        names=tuple(f"setting {candidate}" for candidate in said),
        labels=labels,
        classes=tuple(map(str, range(classes))),
        units=np.arange(len(labels)),
        fold_of=fold_of,
        folds=folds,
        log_probabilities=said.__getitem__,
    )
