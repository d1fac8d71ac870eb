"""The randomness of a head: its first weights, its batch orders, and what each step hides or mixes.

Every draw comes from a counter-based generator (Philox; Salmon et al. 2011) keyed by what the
draw is for, so a head's numbers depend on its seed, its fold and the epoch alone. Candidates of
one seed and fold share orders, masks and, where shapes allow, first weights: common random
numbers, which turn a comparison of candidates into a paired one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int64

from manyheads.heads.head import Parameters, glorot_parameters

_INITIAL, _ORDER, _UNIFORMS = range(3)


class Purpose(IntEnum):
    """What a head's inputs draw numbers for; each purpose has a stream of its own."""

    VIEWS = 3
    CELLS = 4
    FEATURES = 5
    MIXING = 6
    BALANCING = 7


class UniformSource(Protocol):
    """Consecutive numbers uniform on [0, 1); a NumPy `Generator` is one."""

    def random(self, size: Any, dtype: Any) -> Any:
        """The next `size` numbers, as `numpy.random.Generator.random` gives them."""
        ...


class Streams(Protocol):
    """Where a head's randomness comes from; tests put recorded draws in its place."""

    def initial_parameters(self, features: int, size_inner: int, classes: int) -> Parameters:
        """The parameters before the first step."""
        ...

    def order(self, epoch: int, samples: int) -> Int64[np.ndarray, "samples"]:
        """The order in which `epoch` (from 1) visits the training samples."""
        ...

    def uniforms(self, epoch: int) -> UniformSource:
        """Numbers for the masks of `epoch`: in a step, a unit is kept where its draw ≥ droprate.

        They are consumed step by step as `[samples of the step, units]`.
        """
        ...

    def draws(self, purpose: Purpose, epoch: int) -> np.random.Generator:
        """Numbers for what `inputs` does in `epoch`, consumed sample by sample."""
        ...


StreamsOf = Callable[[int, int], Streams]
"""Makes the streams of a head from its seed and its fold."""


class SeededStreams:
    """The streams of one seed and fold."""

    def __init__(self, seed: int, fold: int = 0) -> None:
        self.seed = seed
        self.fold = fold

    def initial_parameters(self, features: int, size_inner: int, classes: int) -> Parameters:
        """Glorot uniform kernels and zero biases; equal for every candidate of the same shape."""
        random = self._generator(_INITIAL, features, size_inner, classes)
        return glorot_parameters(features, size_inner, classes, random)

    def order(self, epoch: int, samples: int) -> Int64[np.ndarray, "samples"]:
        """A fresh permutation for each epoch."""
        return self._generator(_ORDER, epoch).permutation(samples)

    def uniforms(self, epoch: int) -> np.random.Generator:
        """A generator that begins anew with each epoch."""
        return self._generator(_UNIFORMS, epoch)

    def draws(self, purpose: Purpose, epoch: int) -> np.random.Generator:
        """A generator that begins anew with each epoch."""
        return self._generator(purpose, epoch)

    def _generator(self, *purpose: int) -> np.random.Generator:
        entropy = np.random.SeedSequence((self.seed, self.fold, *purpose))
        return np.random.Generator(np.random.Philox(entropy))
