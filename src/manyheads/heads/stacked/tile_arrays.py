"""What the programs of a tile take, change and tell, with the axes `[slots, lanes, …]`."""

from __future__ import annotations

from typing import Any, NamedTuple

Array = Any
"""A JAX array, or one of NumPy that becomes one."""


class DenseArrays(NamedTuple):
    """A layer's kernel and bias; the moments of Adam have the same form."""

    kernel: Array
    bias: Array


class TrainedLayer(NamedTuple):
    """A layer in training; SGD has its velocity in `first` and no `second`.

    The layer that takes the features has a bias `[slots, lanes · columns]`, another
    `[slots, lanes, units]`.
    """

    weights: DenseArrays
    first: DenseArrays
    second: DenseArrays | None


class Choice(NamedTuple):
    """The epoch that the rule chooses so far `[slots, lanes]`, its scores and its parameters."""

    epoch: Array
    hits: Array
    loss: Array
    score: Array
    weights: tuple[DenseArrays, ...]


class TileState(NamedTuple):
    """All that a tile's training changes.

    `finite` says whether all losses of this epoch were; `ended`, whether a head trains no more.
    """

    layers: tuple[TrainedLayer, ...]
    finite: Array
    ended: Array
    choice: Choice


class HeadNumbers(NamedTuple):
    """The numbers of each head `[slots, lanes]` that do not change from step to step."""

    smoothing: Array
    twice_l2: Array
    decay: Array
    momentum: Array
    max_norm: Array
    epochs: Array
    patience: Array


class Steps(NamedTuple):
    """What a run of steps is given.

    Samples `[steps, inputs, batch]` belong to `inputs`, of which several slots may share one; the
    masks' numbers are `[steps, inputs, batch, units]`. `counts` `[steps, inputs]` are the samples
    that are real, 0 in a step that is to change nothing. Rates are `[steps, slots, lanes]`: `sizes`
    are the optimiser's step sizes.
    """

    rows: Array
    labels: Array
    partners: Array
    shares: Array
    weights: Array
    uniforms: Array
    counts: Array
    sizes: Array
    learning_rates: Array


class Outcomes(NamedTuple):
    """What the steps of a run tell of each head, `[steps, slots, lanes]`."""

    losses: Array
    hits: Array


class EpochScores(NamedTuple):
    """What a validation tells of each head, `[slots, lanes]`; `finite` of all its numbers.

    `score` is the metric of a rule that needs one, else 0.
    """

    loss: Array
    hits: Array
    score: Array
    finite: Array


class ValidationSums(NamedTuple):
    """What validation samples tell: sums `[slots, lanes]`, and what each head says of each sample.

    `by_class` `[slots, lanes, 3, classes]` counts the samples of each class that are right, that
    have it as their label, and as their answer; None where nothing needs them.
    `predictions` are float16 `[slots, lanes, samples, classes]`, as `head.compact_predictions`
    makes them.
    """

    loss: Array
    hits: Array
    by_class: Array
    predictions: Array
