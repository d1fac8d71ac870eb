"""What a head is: its parameters, its forward pass and its loss.

Everything here is plain NumPy and reads like the maths. The engines are faster ways to do the
same; this module is what they are held to, and what evaluates a head once it is trained.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int64


class Parameters(NamedTuple):
    """The trained arrays of a head, named as in Keras; no inner layer has zero units."""

    inner_kernel: Float32[np.ndarray, "features units"]
    inner_bias: Float32[np.ndarray, "units"]
    kernel: Float32[np.ndarray, "inputs classes"]
    bias: Float32[np.ndarray, "classes"]

    @property
    def has_inner(self) -> bool:
        """Whether there is an inner layer."""
        return self.inner_bias.size > 0

    @property
    def features(self) -> int:
        """How many features the head takes."""
        return len(self.inner_kernel)

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Kernel and bias of each dense layer, the inner one first."""
        inner = [(self.inner_kernel, self.inner_bias)] if self.has_inner else []
        return [*inner, (self.kernel, self.bias)]

    def copy(self) -> Parameters:
        """The same numbers in memory of their own."""
        return Parameters(*(array.copy() for array in self))


def glorot_parameters(
    features: int, size_inner: int, classes: int, random: np.random.Generator
) -> Parameters:
    """Initial parameters as Keras draws them: Glorot uniform kernels, zero biases.

    A kernel is uniform on ±√(6 / (inputs + outputs)) (Glorot and Bengio 2010, equation 16).
    """

    def kernel(inputs: int, outputs: int) -> Float32[np.ndarray, "inputs outputs"]:
        limit = np.sqrt(6.0 / (inputs + outputs)) if inputs + outputs else 0.0
        return random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)

    return Parameters(
        inner_kernel=kernel(features, size_inner),
        inner_bias=np.zeros(size_inner, np.float32),
        kernel=kernel(size_inner or features, classes),
        bias=np.zeros(classes, np.float32),
    )


def forward(
    parameters: Parameters,
    features: Float32[np.ndarray, "samples features"],
    *,
    keep: Bool[np.ndarray, "samples units"] | None = None,
    droprate: float = 0.0,
) -> Float32[np.ndarray, "samples classes"]:
    """Logits: `relu(x·W₁ + b₁) ⊙ keep / (1 − droprate) · W₂ + b₂`.

    Without `keep`, nothing is hidden and nothing scaled: inference. With it, the mask of one
    training step is applied as inverted dropout (Srivastava et al. 2014, section 10).
    """
    hidden = inner_output(parameters, features)
    if parameters.has_inner and keep is not None:
        hidden = np.where(keep, hidden * np.float32(1 / (1 - droprate)), np.float32(0))
    return hidden @ parameters.kernel + parameters.bias


def inner_output(
    parameters: Parameters, features: Float32[np.ndarray, "samples features"]
) -> Float32[np.ndarray, "samples inputs"]:
    """What the last layer sees: `relu(x·W₁ + b₁)`, or `x` itself without an inner layer."""
    if not parameters.has_inner:
        return features
    return np.maximum(features @ parameters.inner_kernel + parameters.inner_bias, 0)


def cross_entropy(
    logits: Float32[np.ndarray, "samples classes"], labels: Int64[np.ndarray, "samples"]
) -> Float32[np.ndarray, "samples"]:
    """Each sample's loss in nats, `log Σⱼ exp zⱼ − z_label`, without overflow for any logits."""
    below = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(below).sum(axis=1)) - below[np.arange(len(labels)), labels]


def softmax(
    logits: Float32[np.ndarray, "samples classes"],
) -> Float32[np.ndarray, "samples classes"]:
    """Probabilities, `exp zⱼ / Σₖ exp zₖ`, each row summing to one."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def binary_cross_entropy(
    logits: Float32[np.ndarray, "samples labels"], targets: Bool[np.ndarray, "samples labels"]
) -> Float32[np.ndarray, "samples"]:
    """Each sample's loss in nats, the mean over labels of `max(z, 0) − z·t + log(1 + exp(−|z|))`.

    As Keras's `BinaryCrossentropy(from_logits=True)` has it, without overflow for any logits.
    """
    each = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    return each.mean(axis=1)


def sigmoid(logits: Float32[np.ndarray, "*stack"]) -> Float32[np.ndarray, "*stack"]:
    """Probabilities, `1 / (1 + exp(−z))`, each by itself; without overflow for any logits."""
    below = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + below), below / (1 + below)).astype(logits.dtype)


def compact_log_odds(
    logits: Float32[np.ndarray, "samples labels"],
) -> Float16[np.ndarray, "samples labels"]:
    """Logits in half precision: relative errors up to 2⁻¹¹, and positive where they were.

    What is beyond ±65,504, the greatest number that half precision has, becomes that.
    """
    bound = np.finfo(np.float16).max
    rounded = np.clip(logits, -bound, bound).astype(np.float16)
    return np.where((logits > 0) & (rounded <= 0), np.nextafter(np.float16(0), bound), rounded)


def compact_predictions(
    logits: Float32[np.ndarray, "samples classes"],
) -> Float16[np.ndarray, "samples classes"]:
    """Log-probabilities in half precision: relative errors up to 2⁻¹¹, the same predicted classes.

    Where rounding would make another class the (first) greatest, the greatest is rounded up; what
    is below the least number that half precision has, −65,504, becomes that.
    """
    below = logits - logits.max(axis=1, keepdims=True)
    exact = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    rounded = np.maximum(exact, np.finfo(np.float16).min).astype(np.float16)
    greatest = logits.argmax(axis=1)
    lost = np.flatnonzero(rounded.argmax(axis=1) != greatest)
    above = np.nextafter(rounded[lost].max(axis=1), np.float16(np.inf))
    rounded[lost, greatest[lost]] = above
    return rounded
