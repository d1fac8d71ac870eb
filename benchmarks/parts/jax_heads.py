"""JAX with stacked heads: a jitted epoch, buffers donated.

All heads visit the samples in one order, so a step's features are one array for all of them:
that is what suits JAX best.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.machine import answer
from benchmarks.parts.shapes import (
    BATCH,
    CLASSES,
    DROPRATE,
    FEATURES,
    LEARNING_RATE,
    UNITS,
    samples,
    timed,
)


def heads(count: int, epochs: int, layout: str, loop: str) -> dict[str, float]:
    """Milliseconds of a head's epoch in a stack of `count`, after a first one.

    `layout`: the inner kernels are `[heads, features, units]`, under `vmap`, or stand side by side
    in one matrix `[features, heads · units]`, which XLA multiplies as one (and far faster);
    `loop`: an epoch is one `lax.scan` over its steps, or (`steps`) each step is a call.
    """
    x, y, val_x, val_y = (jnp.asarray(array) for array in samples())
    epoch = _scanned if loop == "scan" else _stepped
    # Its generator costs less than JAX's default; masks need no more.
    random = jax.random.key(0, impl="unsafe_rbg")
    state = _start(count, layout)

    def one() -> None:
        nonlocal state, random
        random, order_key, mask_key = jax.random.split(random, 3)
        order = jax.random.permutation(order_key, len(x))
        state, losses = epoch(state, x, y, order, mask_key)
        jax.block_until_ready((losses, _validate(state[0], val_x, val_y)))

    return timed(one, epochs, count)


def _start(count: int, layout: str) -> Any:
    random = np.random.default_rng(0)

    def kernel(inputs: int, outputs: int) -> Any:
        limit = np.sqrt(6 / (inputs + outputs))
        return jnp.asarray(random.uniform(-limit, limit, (inputs, outputs)), jnp.float32)

    inner = [kernel(FEATURES, UNITS) for _ in range(count)]
    parameters = {
        "inner_kernel": jnp.stack(inner) if layout == "vmap" else jnp.concatenate(inner, axis=1),
        "inner_bias": jnp.zeros(count * UNITS),
        "kernel": jnp.stack([kernel(UNITS, CLASSES) for _ in range(count)]),
        "bias": jnp.zeros((count, 1, CLASSES)),
    }
    moments = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    return parameters, *moments, jnp.zeros(())


def _logits(parameters: Any, x: Any, keep: Any = None) -> Any:
    """Every head's logits, `[heads, samples, classes]`."""
    kernels = parameters["inner_kernel"]
    if kernels.ndim == 2:
        products = x @ kernels
    else:
        products = jax.vmap(lambda kernel: x @ kernel, out_axes=1)(kernels).reshape(len(x), -1)
    hidden = jax.nn.relu(products + parameters["inner_bias"])
    if keep is not None:
        hidden = jnp.where(keep, hidden / (1 - DROPRATE), 0)
    hidden = hidden.reshape(len(x), -1, UNITS).transpose(1, 0, 2)
    return jax.vmap(jnp.matmul)(hidden, parameters["kernel"]) + parameters["bias"]


def _mean_loss(logits: Any, y: Any) -> Any:
    picked = jnp.take_along_axis(logits, y[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - picked)


def _step(state: Any, x: Any, y: Any, key: Any) -> Any:
    parameters, first, second, step = state
    keep = jax.random.bernoulli(key, 1 - DROPRATE, (len(x), parameters["inner_bias"].size))

    def total(parameters: Any) -> Any:
        losses = jax.vmap(lambda each: _mean_loss(each, y))(_logits(parameters, x, keep))
        return losses.sum(), losses

    gradient, losses = jax.grad(total, has_aux=True)(parameters)
    step = step + 1
    alpha = LEARNING_RATE * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    first = jax.tree.map(lambda m, g: m + (g - m) * 0.1, first, gradient)
    second = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, second, gradient)
    parameters = jax.tree.map(
        lambda w, m, v: w - alpha * m / (jnp.sqrt(v) + 1e-7), parameters, first, second
    )
    return (parameters, first, second, step), losses


@partial(jax.jit, donate_argnums=0)
def _scanned(state: Any, x: Any, y: Any, order: Any, key: Any) -> Any:
    whole = len(x) // BATCH
    keys = jax.random.split(key, whole + 1)
    rows = order[: whole * BATCH].reshape(whole, BATCH)
    state, losses = jax.lax.scan(
        lambda state, each: _step(state, x[each[0]], y[each[0]], each[1]), state, (rows, keys[1:])
    )
    rest = order[whole * BATCH :]
    if len(rest):
        state, _ = _step(state, x[rest], y[rest], keys[0])
    return state, losses


@partial(jax.jit, donate_argnums=0)
def _called(state: Any, x: Any, y: Any, rows: Any, key: Any) -> Any:
    return _step(state, x[rows], y[rows], key)


def _stepped(state: Any, x: Any, y: Any, order: Any, key: Any) -> Any:
    starts = range(0, len(x), BATCH)
    losses = None
    for start, mine in zip(starts, jax.random.split(key, len(starts)), strict=True):
        state, losses = _called(state, x, y, order[start : start + BATCH], mine)
    return state, losses


@jax.jit
def _validate(parameters: Any, x: Any, y: Any) -> Any:
    logits = _logits(parameters, x)
    return jax.vmap(lambda each: (_mean_loss(each, y), jnp.mean(each.argmax(1) == y)))(logits)


if __name__ == "__main__":
    answer(globals())
