"""How sure a difference is whose variance has two sources, one of them known from few draws.

A mean difference has variance `images + heads`. The first part is known from hundreds of images,
the second from a handful of seeds. Treating the sum as one estimate with "effective" degrees of
freedom (Satterthwaite 1946) declares far too much with 2 to 5 seeds; the distribution of Behrens
(1929) and Fisher (1935), `√images · N(0, 1) + √heads · t`, keeps its level whatever the parts are
(see docs/decisions/0013). Its tail is a mean over the chi distribution of the heads' part:

    p = E_χ [ 2 Φ(−|difference| / √(images + heads · df / χ²)) ]
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

Array = Float64[np.ndarray, "*shape"]

_NODES = 160
_STEPS = 12


def p_value(difference: Array, images: Array, heads: Array, df_images: Array, df: Array) -> Array:
    """Two-sided p of `difference` ≠ 0, of which `images + heads` is the estimated variance.

    `df` ≥ 1 are the degrees of freedom of `heads`. With few images the t distribution with
    `df_images` ≥ 1 is the wider one, and decides. Without any variance, p is 1 for a difference
    of 0 and 0 otherwise. All arguments broadcast.
    """
    from scipy.special import ndtr

    arrays = np.broadcast_arrays(difference, images, heads, df_images, df)
    size, images, heads, df_images, df = (np.asarray(each, np.float64) for each in arrays)
    size, certain = np.abs(size), images + heads <= 0
    variance = np.where(certain, 1.0, images + heads)
    # Given χ² the difference is normal: the heads' true variance would be heads · df / χ². So p is
    # a mean of normal tails over what χ² may have been, here a weighted sum over a grid of it.
    weights, chi2 = _chi(df)
    spread = np.sqrt(
        np.where(certain, 1.0, images)[..., None] + heads[..., None] * df[..., None] / chi2
    )
    mixed = 2 * (weights * ndtr(-size[..., None] / spread)).sum(axis=-1)
    plain = student_p(size, np.sqrt(variance), df_images)
    return np.where(certain, size == 0, np.clip(np.maximum(mixed, plain), 0, 1))


def student_p(difference: Array, error: Array, df: Array) -> Array:
    """Two-sided p of Student's t; without any error, 1 for a difference of 0 and 0 otherwise."""
    from scipy.special import stdtr

    certain = np.asarray(error) <= 0
    p = 2 * stdtr(df, -np.abs(difference) / np.where(certain, 1.0, error))
    return np.where(certain, np.asarray(difference) == 0, p)


def half_width(
    images: Array, heads: Array, df_images: Array, df: Array, level: Array | float
) -> Array:
    """Half the width of the interval in which `level` of the probability lies."""
    from scipy.special import ndtri, stdtrit

    arrays = np.broadcast_arrays(images, heads, df_images, df, level)
    images, heads, df_images, df, level = (np.asarray(each, np.float64) for each in arrays)
    scale, tail = np.sqrt(images + heads), (1 + level) / 2

    def excess(logarithm: Array) -> Array:
        p = p_value(scale * np.exp(logarithm), images, heads, df_images, df)
        return np.log(np.maximum(p, 1e-300) / (1 - level))

    # Between the normal quantile and that of the t with the fewer degrees of freedom.
    low = np.log(ndtri(tail)) - 0.1
    high = np.log(stdtrit(np.minimum(df, df_images), tail)) + 0.1
    above, below = excess(low), excess(high)
    for _ in range(_STEPS):  # false position, which halves what stays on one side (Illinois)
        middle = low + (high - low) * np.clip(above / np.maximum(above - below, 1e-300), 0, 1)
        value = excess(middle)
        over = value > 0
        low, high = np.where(over, middle, low), np.where(over, high, middle)
        above, below = np.where(over, value, above / 2), np.where(over, below / 2, value)
    return scale * np.exp(high)


def _chi(df: Array) -> tuple[Array, Array]:
    """Weights that sum to 1, and values of χ²: the trapezoid rule over log χ, which is smooth."""
    distinct, index = np.unique(df, return_inverse=True)  # most comparisons share theirs
    # log χ has a standard deviation of about 1 / √(2 df): nine of them on either side. With few
    # degrees of freedom the left tail is long (density ~ χ^df), and it is what makes p large:
    # e^(−35) of the density is cut off there.
    width = 9 / np.sqrt(2 * distinct)
    low, high = -35 / distinct - width, 0.5 * np.log1p(100 / distinct) + width
    log_chi = np.linspace(low, high, _NODES, axis=-1)  # of χ / √df
    density = distinct[:, None] * (log_chi - np.expm1(2 * log_chi) / 2)
    weights = np.exp(density - density.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    chi2 = distinct[:, None] * np.exp(2 * log_chi)
    return weights[index], chi2[index]
