"""What each factor of a set of candidates has in how they differ: shares of variance.

The functional analysis of variance (Hutter, Hoos and Leyton-Brown 2014; Hoeffding 1948), first
order: a candidate's mean score is `m = mean + Σ_j e_j + rest`, and the share of a factor is
`var(e_j) / var(m)`. The main effects e are fitted together by least squares, each in a design of
its own; in a complete grid with a column for each level they are the means of the levels.

Means are noisy, and noise has variance too. What it brings is subtracted, and intervals are
inverted tests: a share cannot be negative, so that near 0 its estimate is far from normal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from manyheads.stats.intervals import LEVEL, Estimate

DRAWS = 1000
_TAIL = (1 - LEVEL) / 2
_BISECTIONS = 50
_POWERS = -8.0, 8.0  # of ten: the multiples of a measured effect among which ends are looked for

Means = Float64[np.ndarray, "candidates"]
Noise = Float64[np.ndarray, "draws candidates"]
Design = Float64[np.ndarray, "candidates columns"]
Draws = Float64[np.ndarray, "draws"]


@dataclass(frozen=True)
class VarianceShares:
    """The share of each factor in the variance between candidates, in [0, 1], with its interval.

    `deviation` is the standard deviation of the candidates' true means; where they do not differ
    beyond noise it is 0, and there are no `shares`. `rest` is the share that no main effect
    explains: interactions, and what the designs cannot follow.
    """

    shares: tuple[Estimate, ...]
    rest: float
    deviation: float


@dataclass(frozen=True)
class MeanNoise:
    """Draws of by how much the means would differ on other `images`, and with other `seeds`.

    `df` are the degrees of freedom that the part of seeds is known with; 0: it is not known.
    """

    images: Noise
    seeds: Noise
    df: int

    @property
    def both(self) -> Noise:
        """Images and seeds drawn anew together, less what all candidates have in common."""
        both = self.images + self.seeds
        return both - both.mean(axis=1, keepdims=True)


def variance_shares(
    means: Means, noise: MeanNoise, designs: Sequence[Design], *, drawn: bool
) -> VarianceShares:
    """The shares of factors with these `designs` in the variance of `means`.

        var(e_j) = mean(e_j²) − E[mean((S_j ε)²)]          e_j = S_j m, the main effect as fitted
        var(m)   = mean((m − mean)²) − E[mean(η²)]         η: noise

    The interval ends where `t e_j + others + ε` shows a share of at least, or at most, what m
    shows, in 2.5 % of the draws of ε. In a grid, ε is η; where candidates are `drawn`, it is η and
    the rest of each candidate with a random sign, for other candidates would have another rest.
    There are no intervals for a grid with one seed. A design is zero for candidates in which its
    factor has no effect.
    """
    eta, m = noise.both, means - means.mean()
    size, of_noise = float((m**2).mean()), (eta**2).mean(axis=1)
    known = drawn or noise.df > 0
    variance = size - float(of_noise.mean())
    if variance <= 0 or (known and np.mean(of_noise >= size) >= _TAIL):
        return VarianceShares((), 0.0, 0.0)
    fit = _Fit(designs)
    effects = [fit.effect(place, m) for place in range(len(designs))]
    rest = m - sum(effects, np.zeros_like(m))
    rest *= _without_noise(float((rest**2).mean()), float((of_noise - fit.explained(eta)).mean()))
    epsilon = eta
    if drawn:
        signs = np.random.default_rng(1).choice([-1.0, 1.0], size=eta.shape)
        epsilon = eta + signs * rest * np.sqrt(len(m) / max(1, len(m) - fit.rank))
    brought = [float(fit.sizes(place, epsilon).mean()) for place in range(len(designs))]
    sizes = [float((effect**2).mean()) for effect in effects]
    own = [max(0.0, each - more) for each, more in zip(sizes, brought, strict=True)]
    clean = [
        effect * _without_noise(each, more)
        for effect, each, more in zip(effects, sizes, brought, strict=True)
    ]
    shares = []
    for place, effect in enumerate(effects):
        value = min(1.0, own[place] / variance)
        if not known or not sizes[place]:
            shares.append(Estimate(value, None, None))
            continue
        others = sum((each for at, each in enumerate(clean) if at != place), np.zeros_like(m))
        scaled = _Scaled(
            effect,
            fixed=others if drawn else others + rest,
            beyond=float((rest**2).mean()) if drawn else 0.0,
            epsilon=epsilon,
            coefficients=fit.coefficients(place, epsilon) + fit.heavier(place, noise),
            design=fit.designs[place],
        )
        low, high = scaled.ends(sizes[place] / size)
        shares.append(Estimate(value, min(low, value), max(high, value)))
    return VarianceShares(
        tuple(shares), max(0.0, 1 - sum(own) / variance), float(np.sqrt(variance))
    )


def _without_noise(size: float, of_noise: float) -> float:
    """The factor that takes from something what noise has added to its mean square."""
    return float(np.sqrt(max(0.0, 1 - of_noise / size))) if size > 0 else 0.0


class _Fit:
    """The joint least squares of all designs: coefficients and effects of any means."""

    def __init__(self, designs: Sequence[Design]) -> None:
        self.designs = [design - design.mean(axis=0) for design in designs]
        whole = np.hstack([np.ones((len(designs[0]), 1)), *self.designs])
        inverse = np.linalg.pinv(whole, rcond=1e-10)
        ends = np.cumsum([1, *(design.shape[1] for design in designs)])
        self._parts = [inverse[a:b].T for a, b in pairwise(ends)]
        self._basis = np.linalg.qr(whole[:, 1:])[0] if len(ends) > 1 else whole[:, :0]
        self.rank = int(np.linalg.matrix_rank(whole))

    def coefficients(self, place: int, values: np.ndarray) -> np.ndarray:
        """Those of one design, for means or for draws of them."""
        return values @ self._parts[place]

    def effect(self, place: int, means: Means) -> Means:
        """The main effect of one factor."""
        return self.designs[place] @ self.coefficients(place, means)

    def sizes(self, place: int, draws: Noise) -> Draws:
        """The mean square of the main effect that each draw has."""
        return _mean_squares(self.designs[place], self.coefficients(place, draws))

    def explained(self, draws: Noise) -> Draws:
        """The mean square of what all main effects together explain of each draw."""
        return ((draws @ self._basis) ** 2).sum(axis=1) / draws.shape[1]

    def heavier(self, place: int, noise: MeanNoise) -> np.ndarray:
        """What makes the coefficients of the seeds' noise those of Student's t, not of a normal.

        The variance over seeds is known with `df` degrees of freedom in each dimension of the
        effect.
        """
        if noise.df <= 0:
            return np.zeros((1, self.designs[place].shape[1]))
        df = noise.df * max(1, int(np.linalg.matrix_rank(self.designs[place])))
        factor = np.sqrt(df / np.random.default_rng(2).chisquare(df, len(noise.seeds)))
        return (factor - 1)[:, None] * self.coefficients(place, noise.seeds)


def _mean_squares(design: Design, coefficients: np.ndarray) -> Draws:
    gram = design.T @ design / len(design)
    return np.einsum("dk,kl,dl->d", coefficients, gram, coefficients)


class _Scaled:
    """The shares that are measured where the true effect is t times what was measured."""

    def __init__(
        self, effect: Means, *, fixed: Means, beyond: float, epsilon: Noise,
        coefficients: np.ndarray, design: Design,
    ) -> None:  # fmt: skip
        count = len(effect)
        self._size = float((effect**2).mean())
        self._moved = _mean_squares(design, coefficients)
        self._with_moved = coefficients @ (design.T @ effect) / count
        self._across = float(fixed @ effect) / count
        self._with_whole = self._across + epsilon @ effect / count
        self._fixed = float((fixed**2).mean())
        self._noise = float((epsilon**2).mean())
        self._whole = self._fixed + (2 * epsilon @ fixed / count) + (epsilon**2).mean(axis=1)
        self._beyond = beyond

    def ends(self, seen: float) -> tuple[float, float]:
        """The least and the greatest share with which what was `seen` is no surprise.

        What is smaller than most of what no effect would show bounds an effect no better than the
        median of that does (a power-constrained limit, Cowan and others 2011).
        """
        least = max(seen, float(np.median(self._measured(0.0))))
        high = _first(lambda t: np.mean(self._measured(t) <= least) < _TAIL)
        if np.mean(self._moved >= self._size) >= _TAIL:
            return 0.0, self._true(high)
        if np.mean(self._measured(0.0) >= seen) < _TAIL:
            low = _first(lambda t: np.mean(self._measured(t) >= seen) >= _TAIL)
            return self._true(low), self._true(high)
        # All else is noise, of which any share may be large by chance: the size of the effect tells
        # that there is one, beside as much as the noise may hide.
        low = _first(lambda t: np.mean(self._own(t) >= self._size) >= _TAIL)
        return self._true(low, hidden=2 * self._noise), self._true(high)

    def _own(self, t: float) -> Draws:
        return t * t * self._size + 2 * t * self._with_moved + self._moved

    def _measured(self, t: float) -> Draws:
        return self._own(t) / (t * t * self._size + 2 * t * self._with_whole + self._whole)

    def _true(self, t: float, hidden: float = 0.0) -> float:
        own = t * t * self._size
        whole = own + 2 * t * self._across + self._fixed + self._beyond + hidden
        return min(1.0, own / whole) if whole > 0 else 0.0


def _first(is_so: Callable[[float], object]) -> float:
    """The least t from which on something is so, by bisection of its logarithm."""
    low, high = _POWERS
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_so(10**middle) else (middle, high)
    return 10**high
