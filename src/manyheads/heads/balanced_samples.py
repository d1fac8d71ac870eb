"""What a class weighs, or how often it comes, for the labels of training samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64

from manyheads.heads.class_weights import BALANCED, NO_WEIGHTS, given_weights, require_known_classes


def class_weights(
    value: str, labels: Int64[np.ndarray, "train"], classes: int, names: Sequence[str]
) -> Float32[np.ndarray, "classes"] | None:
    """The weight of each class for training samples with these `labels`; None: one each.

    `balanced` is `n / (k · n_c)`, with n samples of k classes that have any, n_c of class c: as in
    scikit-learn, so that each class has the same total and the mean over samples is 1. Of weights
    by class, one that is not named has 1. `names` are the classes by number. Raises `SettingError`
    for a name that is none of them.
    """
    if value == NO_WEIGHTS:
        return None
    if value == BALANCED:
        counts = np.bincount(labels, minlength=classes)
        return balanced_weights(counts).astype(np.float32)
    weights = np.ones(classes, np.float32)
    require_known_classes([value], names)
    for name, weight in (given_weights(value) or {}).items():
        weights[list(names).index(name)] = weight
    return weights


def balanced_weights(counts: Int64[np.ndarray, "classes"]) -> Float64[np.ndarray, "classes"]:
    """`n / (k · n_c)` for each class of `counts` n_c; 0 of a class without samples."""
    present = counts > 0
    shares = counts.sum() / (max(1, int(present.sum())) * np.maximum(counts, 1))
    return np.where(present, shares, 0.0)


def balanced_order(
    labels: Int64[np.ndarray, "train"],
    order: Int64[np.ndarray, "train"],
    random: np.random.Generator,
) -> Int64[np.ndarray, "train"]:
    """Training samples in the places of `order`, each class with the same expected share.

    Of n places each of the k classes has ⌊n / k⌋ or one more, chosen by chance, and fills them with
    all its samples in turn, each as often as the others or once more: no sample comes twice before
    all of its class have come. A list for each class, gone through in a random order and shuffled
    anew at its end, is the class-aware sampling of Shen et al. 2016 (Relay backpropagation, section
    3.2), here within an epoch.
    """
    present = np.unique(labels)
    places, classes = len(labels), len(present)
    counts = np.full(classes, places // classes)
    counts[random.permutation(classes)[: places % classes]] += 1
    chosen = []
    for label, count in zip(present, counts, strict=True):
        samples = np.flatnonzero(labels == label)
        rounds = -(-int(count) // len(samples))
        turns = [random.permutation(samples) for _ in range(rounds)]
        chosen.append(np.concatenate([*turns, samples[:0]])[:count])
    return np.concatenate(chosen)[order]
