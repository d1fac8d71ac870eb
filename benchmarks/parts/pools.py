"""Disjoint pools of real images: five-fold studies that share nothing, so that truth is known.

All images are dealt to pools, and a study of the same candidates is trained in folds on each pool.
Studies of one deal have no image in common, neither to train on nor to validate, so how much their
differences vary is how much a difference varies by chance, whatever its causes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from manyheads.findings.selection import Curves, luck
from manyheads.heads.bank import EpochEnd, Fold, HeadEnd, HeadSettings, engine_named
from manyheads.heads.head import forward
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.stats.validation_predictions import OtherEpochs, Validated

BASE = Hyperparameters(learning_rate=0.001, size_inner=100, droprate=0.2)
KINDS = {
    "droprate": ({"droprate": 0.0}, {}, {"droprate": 0.5}, {"droprate": 0.8}),
    "learning rate": ({"learning_rate": 0.0003}, {}, {"learning_rate": 0.003}),
    "size_inner": ({"size_inner": 25}, {}, {"size_inner": 200}),
    "label smoothing": ({}, {"label_smoothing": 0.1}),
}
CANDIDATES = tuple(
    dict.fromkeys(dataclasses.replace(BASE, **change) for kind in KINDS.values() for change in kind)
)
FOLDS, SEEDS, EPOCHS, POOLS = 5, 4, 10, 5
_ELSEWHERE = 1000  # images outside of the pool that every head is scored on
RULE = "best_accuracy"


def members(kind: str) -> list[int]:
    """The candidates of one kind, numbered from 1."""
    changed = [dataclasses.replace(BASE, **change) for change in KINDS[kind]]
    return [CANDIDATES.index(each) + 1 for each in changed]


@dataclass(frozen=True)
class Pool:
    """A study in folds on one pool; arrays are `[candidates, seeds, …]`.

    `predicted` are log-probabilities of the pool's images at the epochs of each metric's rule and
    after the last epoch, `training` the loss of the last epoch by fold, and `elsewhere` the mean
    accuracy and log loss, at the epochs of `RULE`, on images outside of the pool.
    """

    labels: np.ndarray
    units: np.ndarray
    fold_of: np.ndarray
    predicted: dict[str, np.ndarray]
    training: np.ndarray
    elsewhere: np.ndarray
    curves: np.ndarray


def deal(
    random: np.random.Generator, groups: np.ndarray, parts: int, within: np.ndarray
) -> np.ndarray:
    """The part of each image of `within`: whole groups, the largest first, to the least part."""
    names, place, sizes = np.unique(groups[within], return_inverse=True, return_counts=True)
    order = np.argsort(-(sizes + random.random(len(names))), kind="stable")
    held, dealt = np.zeros(parts), np.empty(len(names), np.int64)
    for group in order:
        least = np.flatnonzero(held == held.min())
        dealt[group] = random.choice(least)
        held[dealt[group]] += sizes[group]
    return dealt[place]


def alike(random: np.random.Generator, matrix: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Groups of unequal size of images that are alike: each joins one of its nearest of its class.

    Group sizes are drawn from 1 to about a hundred, most of them small, as the photographs of one
    sender are; a group's images are the nearest to its first, which is drawn at random.
    """
    normed = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    groups, number = np.full(len(labels), -1), 0
    for label in np.unique(labels):
        left = random.permutation(np.flatnonzero(labels == label))
        while len(left):
            size = min(len(left), int(1 + random.pareto(1.2)), 100)
            near = np.argsort(-(normed[left] @ normed[left[0]]), kind="stable")[:size]
            groups[left[near]] = number
            left, number = np.delete(left, near), number + 1
    return groups


@dataclass(frozen=True)
class Design:
    """What is trained on each pool: candidates, numbered from 1, and seeds."""

    candidates: tuple[int, ...] = tuple(range(1, len(CANDIDATES) + 1))
    seeds: int = SEEDS


def studied(
    random: np.random.Generator,
    matrix: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    design: Design,
) -> Iterator[Pool]:
    """A deal of all images to pools, each with its study."""
    everything = np.arange(len(labels))
    pool_of = deal(random, groups, POOLS, everything)
    for number in range(POOLS):
        inside, outside = np.flatnonzero(pool_of == number), np.flatnonzero(pool_of != number)
        fold_of = deal(random, groups, FOLDS, inside)
        elsewhere = random.choice(outside, min(_ELSEWHERE, len(outside)), replace=False)
        yield _trained(random, matrix, labels, groups, inside, fold_of, elsewhere, design)


def _trained(
    random: np.random.Generator,
    matrix: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    inside: np.ndarray,
    fold_of: np.ndarray,
    elsewhere: np.ndarray,
    design: Design,
) -> Pool:
    classes = int(labels.max()) + 1
    folds = [
        Fold(
            matrix, inside[fold_of != fold], labels[inside[fold_of != fold]],
            inside[fold_of == fold], labels[inside[fold_of == fold]], classes,
        )
        for fold in range(FOLDS)
    ]  # fmt: skip
    first = int(random.integers(2**30))
    settings = [CANDIDATES[number - 1] for number in design.candidates]
    shape = len(settings), design.seeds
    places = list(np.ndindex(*shape, FOLDS))
    heads = [
        HeadSettings(hyperparameters=settings[c], seed=first + s, fold=f, epochs=EPOCHS)
        for c, s, f in places
    ]
    predicted = {
        name: np.empty((*shape, len(inside), classes), np.float16)
        for name in ("accuracy", "log_loss", "final")
    }
    curves = np.empty((*shape, FOLDS, EPOCHS, 4))
    scores = np.empty((*shape, FOLDS, 2))
    for event in engine_named("fused").train(heads, folds, rule=RULE):
        c, s, f = places[event.head]
        if isinstance(event, EpochEnd):
            curves[c, s, f, event.epoch - 1] = event.metrics
        elif isinstance(event, HeadEnd):
            assert event.parameters is not None, event.note
            best_loss = 1 + int(curves[c, s, f, :, 3].argmin())
            where = fold_of == f
            for name, epoch in (
                ("accuracy", event.epoch), ("log_loss", best_loss), ("final", EPOCHS),
            ):  # fmt: skip
                predicted[name][c, s, where] = event.predictions[epoch]
            logits = forward(event.parameters, matrix[elsewhere]).astype(np.float64)
            logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
            of_label = logits[np.arange(len(elsewhere)), labels[elsewhere]]
            hits = (logits.argmax(axis=1) == labels[elsewhere]).mean()
            scores[c, s, f] = hits, -of_label.mean()
    return Pool(
        labels[inside], groups[inside], fold_of, predicted, curves[..., -1, 1], scores, curves
    )


def components(predicted: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Standard deviations of margins of the right class, in nats, as `chance.World` names them.

    `predicted` are log-probabilities `[candidates, seeds, images, classes]`. By analysis of
    variance: what images, candidate × image, candidate × seed and the rest bring. Margins are
    log-odds, cut at ±30.
    """
    candidates, seeds, images, _ = predicted.shape
    predictions = np.maximum(predicted.astype(np.float64), -100)
    places = np.broadcast_to(labels[None, None, :, None], (candidates, seeds, images, 1))
    right = np.take_along_axis(predictions, places, -1)[..., 0]
    np.put_along_axis(predictions, places, -np.inf, -1)
    margin = np.clip(right - np.logaddexp.reduce(predictions, -1), -30, 30)
    centred = margin - margin.mean(axis=(1, 2), keepdims=True)
    by_candidate = centred.mean(axis=1)
    by_image = by_candidate.mean(axis=0)
    within = (centred - by_candidate[:, None]).var(axis=1, ddof=1).mean()
    heads = (centred - by_candidate[:, None]).mean(axis=2).var(axis=1, ddof=1).mean()
    seed = max(heads - within / images, 0.0)
    liking = (by_candidate - by_image).var(axis=1).mean() * candidates / (candidates - 1)
    liking = max(liking - within / seeds, 0.0)
    image = by_image.var(ddof=1) - liking / candidates - within / seeds / candidates
    found = {"image": image, "liking": liking, "seed": seed, "rest": within - seed}
    return {"mean": float(margin.mean())} | {k: float(np.sqrt(v)) for k, v in found.items()}


def validated(pool: Pool, design: Design) -> Validated:
    """A pool's study, as the evidence reads one."""
    accuracy, loss = pool.curves[..., 2], pool.curves[..., 3]
    curves = Curves(accuracy[:, :, None], loss[:, :, None])
    lucky = {metric: luck(curves, metric, RULE) for metric in ("accuracy", "log_loss")}
    numbers = design.candidates

    def at(candidate: int, moment: str) -> np.ndarray:
        return pool.predicted[moment][numbers.index(candidate), :, None].astype(np.float32)

    return Validated(
        candidates=numbers,
        names=tuple(f"setting {number}" for number in numbers),
        labels=pool.labels,
        classes=tuple(map(str, range(pool.predicted["final"].shape[-1]))),
        units=pool.units,
        fold_of=pool.fold_of[None],
        folds=FOLDS,
        log_probabilities=lambda candidate: at(candidate, "accuracy"),
        other_epochs=OtherEpochs(
            at=at,
            training=lambda candidate: pool.training[numbers.index(candidate)][:, None],
            luck=lambda candidate, metric: lucky[metric][numbers.index(candidate)],
        ),
    )
