"""The subnetworks of a head with dropout, and what averages of them answer.

A mask hides inner units for all images alike: what is left is a smaller network of its own. Of
`units` inner units there are 2^units, and dropout trains them all, a few at a time. Three ways to
ask them together:

- a Monte-Carlo average: the mean of the probabilities of k random ones (Gal and Ghahramani 2016);
- weight scaling: no mask at all, which is ordinary inference (Srivastava et al. 2014). Of one
  hidden layer into a softmax it is, exactly, the normalised geometric mean of all subnetworks,
  each weighted by its mask's probability (Hinton et al. 2012);
- one of them alone.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from manyheads.heads.head import Parameters, softmax

# What a probability of 0 counts as: the least positive float32.
_LEAST = np.float32(1.4e-45)
# What the draw is for, beside the purposes of `heads.streams`.
_PURPOSE = int.from_bytes(b"subnetworks")

Masks = Bool[np.ndarray, "masks units"]
Probabilities = Float32[np.ndarray, "networks images classes"]


def random_masks(seed: int, fold: int, count: int, units: int, droprate: float) -> Masks:
    """`count` masks for the head of a seed and fold: a unit is kept with chance `1 − droprate`.

    Drawn from a counter-based generator for this purpose alone; the first masks are the same
    whatever the `count`.
    """
    entropy = np.random.SeedSequence((seed, fold, _PURPOSE))
    random = np.random.Generator(np.random.Philox(entropy))
    return random.random((count, units), np.float32) >= droprate


def subnetwork_probabilities(
    parameters: Parameters,
    features: Float32[np.ndarray, "images features"],
    keep: Masks,
    droprate: float,
) -> Float32[np.ndarray, "masks images classes"]:
    """What each subnetwork answers: `softmax(relu(x·W₁ + b₁) ⊙ mask / (1 − droprate) · W₂ + b₂)`.

    A mask holds for all images. The precision is that of the parameters.
    """
    hidden = np.maximum(features @ parameters.inner_kernel + parameters.inner_bias, 0)
    scale = hidden.dtype.type(1 / (1 - droprate))
    # Hiding a unit is leaving its row of the kernel out, which is less than hiding it in images.
    kernels = np.where(keep[:, :, None], parameters.kernel * scale, hidden.dtype.type(0))
    logits = hidden @ kernels + parameters.bias
    return softmax(logits.reshape(-1, logits.shape[-1])).reshape(logits.shape)


def group_means(
    probabilities: Probabilities, size: int
) -> Float32[np.ndarray, "groups images classes"]:
    """Means of the probabilities of disjoint groups of `size` networks; the rest is left out."""
    groups = len(probabilities) // size
    parts = probabilities[: groups * size].reshape(groups, size, *probabilities.shape[1:])
    return parts.mean(axis=1)


def log_probabilities(probabilities: Probabilities) -> Probabilities:
    """Logarithms of probabilities; one of 0 counts as the least positive number."""
    return np.log(np.maximum(probabilities, _LEAST))


def disagreement(
    answers: Int64[np.ndarray, "networks images"], classes: int
) -> Float64[np.ndarray, "images"]:
    """For each image, the share of pairs of different networks that answer differently.

    `1 − Σ_c n_c (n_c − 1) / (M (M − 1))`, with n_c of M networks answering c; M is at least 2.
    """
    networks, images = answers.shape
    place = answers + classes * np.arange(images)
    counts = np.bincount(place.ravel(), minlength=classes * images).reshape(images, classes)
    return 1 - (counts * (counts - 1.0)).sum(axis=1) / (networks * (networks - 1))
