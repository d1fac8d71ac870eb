"""The compiled programs of a tile: its training steps, its validation, the end of an epoch.

Arrays have the axes `[slots, lanes, …]`. The kernel that takes the features is stored as
`[slots, features, lanes · columns]`, for then the product of a slot's samples with the kernels of
all its heads is a single matrix product, and its gradient too. The formulas are those of
`heads/head.py` and `fused/kernels.py`, in float32 throughout.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from manyheads.core import accelerators
from manyheads.heads.epoch_rules import chooses_epoch, fixed_epoch, scored_by
from manyheads.heads.stacked.tile_arrays import (
    Array,
    Choice,
    DenseArrays,
    EpochScores,
    HeadNumbers,
    Outcomes,
    Steps,
    TileState,
    TrainedLayer,
    ValidationSums,
)

accelerators.share_card()  # before JAX's first computation, which takes the memory

_GAIN_1, _GAIN_2, _EPSILON = 1 - 0.9, 1 - 0.999, 1e-7
# A kernel that is chosen by timing may be another one in the next process, with other bits.
_OPTIONS = {"xla_gpu_deterministic_ops": True, "xla_gpu_enable_triton_gemm": False}
_compiled = partial(jax.jit, compiler_options=_OPTIONS)
_product = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


@partial(_compiled, static_argnames=("lanes", "sgd"))
def begin(starts: tuple[DenseArrays, ...], inputs: Array, *, lanes: int, sgd: bool) -> TileState:
    """The state before the first step; slot s begins with the parameters `inputs[s]` of `starts`.

    The first layer's kernel in `starts` is `[starts, features, columns]`.
    """

    def spread(number: int, start: DenseArrays) -> DenseArrays:
        kernel, bias = start.kernel[inputs], start.bias[inputs]
        if number == 0:
            return DenseArrays(jnp.tile(kernel, (1, 1, lanes)), jnp.tile(bias, (1, lanes)))
        return DenseArrays(*(jnp.repeat(each[:, None], lanes, axis=1) for each in (kernel, bias)))

    weights = tuple(spread(number, start) for number, start in enumerate(starts))
    places = (len(inputs), lanes)
    nothing = jnp.zeros(places, jnp.int32)
    return TileState(
        layers=tuple(
            TrainedLayer(each, _zeros(each), None if sgd else _zeros(each)) for each in weights
        ),
        finite=jnp.ones(places, bool),
        ended=jnp.zeros(places, bool),
        choice=Choice(
            nothing, nothing, jnp.zeros(places), jnp.zeros(places), tuple(map(_zeros, weights))
        ),
    )


def _zeros(weights: DenseArrays) -> DenseArrays:
    return DenseArrays(*map(jnp.zeros_like, weights))


@partial(_compiled, static_argnames=("classes", "bounded"), donate_argnames=("state",))
def train_steps(
    state: TileState,
    matrix: Array,
    inputs: Array,
    rates: Array,
    settings: HeadNumbers,
    steps: Steps,
    *,
    classes: int,
    bounded: bool,
) -> tuple[TileState, Outcomes]:
    """A run of training steps; `rates` `[slots, lanes]` are the droprates."""

    def step(
        carried: tuple[tuple[TrainedLayer, ...], Array], now: Steps
    ) -> tuple[tuple[tuple[TrainedLayer, ...], Array], Outcomes]:
        layers, finite = carried
        ours = jax.tree.map(lambda each: each[inputs], now._replace(sizes=(), learning_rates=()))
        vectors = matrix[ours.rows]
        hidden, logits = _forward(layers, vectors, classes, rates, ours.uniforms)
        losses, hits, delta = _loss(logits, ours, settings.smoothing)
        gradients = _gradients(layers, vectors, hidden, delta, rates)
        is_step = now.counts.sum() > 0
        new = tuple(
            _descend(layer, gradient, now, settings)
            for layer, gradient in zip(layers, gradients, strict=True)
        )
        if bounded:
            new = (_with_bounded_norms(new[0], settings.max_norm), *new[1:])
        new = jax.tree.map(lambda after, before: jnp.where(is_step, after, before), new, layers)
        return (new, finite & (jnp.isfinite(losses) | ~is_step)), Outcomes(losses, hits)

    (layers, finite), outcomes = jax.lax.scan(step, (state.layers, state.finite), steps)
    return state._replace(layers=layers, finite=finite), outcomes


def _forward(
    layers: tuple[TrainedLayer, ...],
    vectors: Array,
    classes: int,
    rates: Array | None = None,
    uniforms: Array | None = None,
) -> tuple[Array | None, Array]:
    """The inner layer's output after dropout, and the logits, both `[slots, samples, lanes, …]`.

    `vectors` are `[slots, samples, features]`. Without `rates`, nothing is hidden.
    """
    first = layers[0].weights
    wide = _product("gbf,gfn->gbn", vectors, first.kernel) + first.bias[:, None]
    slots, samples, columns = wide.shape
    if len(layers) == 1:
        lanes = columns // (-(-classes // 4) * 4)
        return None, wide.reshape(slots, samples, lanes, -1)[..., :classes]
    second = layers[1].weights
    lanes, units = second.kernel.shape[1:3]
    # A comparison with zero would make a zero of a NaN, which must end the head.
    hidden = jnp.maximum(wide, 0).reshape(slots, samples, lanes, units)
    if rates is not None and uniforms is not None:
        keep = uniforms[:, :, None] >= rates[:, None, :, None]
        hidden = jnp.where(keep, hidden * _scale(rates), 0)
    logits = _product("gbku,gkuc->gbkc", hidden, second.kernel) + second.bias[:, None]
    return hidden, logits


def _scale(rates: Array) -> Array:
    return (1 / (1 - rates))[:, None, :, None]


def _loss(logits: Array, samples: Steps, smoothing: Array) -> tuple[Array, Array, Array]:
    """Each head's mean weighted loss and hits `[slots, lanes]`, and the loss's gradient.

    The target is `shares · (1 − smoothing)` for the label, `(1 − shares) · (1 − smoothing)` for the
    partner's, and an equal part of `smoothing` for each class.
    """
    classes = logits.shape[-1]
    of_class = jnp.arange(classes)
    label, partner, share, weight = (
        each[:, :, None, None]
        for each in (samples.labels, samples.partners, samples.shares, samples.weights)
    )
    smooth = smoothing[:, None, :, None]
    count = samples.counts[:, None, None, None]
    is_real = jnp.arange(logits.shape[1])[None, :, None, None] < count
    below = logits.max(axis=-1, keepdims=True) - logits
    powers = jnp.exp(-below)
    total = powers.sum(axis=-1, keepdims=True)
    of_label, of_partner = of_class == label, of_class == partner
    own, other = (
        jnp.where(each, below, 0).sum(axis=-1, keepdims=True) for each in (of_label, of_partner)
    )
    target = jnp.where(share < 1, share * own + (1 - share) * other, own)
    spread = jnp.where(smooth > 0, smooth / classes * below.sum(axis=-1, keepdims=True), 0)
    each = jnp.where(is_real, weight * (jnp.log(total) + (1 - smooth) * target + spread), 0)
    samples_in = jnp.maximum(samples.counts, 1)[:, None].astype(jnp.float32)
    wanted = share * of_label + (1 - share) * of_partner
    wanted = (1 - smooth) * wanted + smooth / classes
    delta = weight * ((powers / total - wanted) / samples_in[:, :, None, None])
    is_hit = (logits.argmax(axis=-1) == samples.labels[:, :, None]) & is_real[..., 0]
    losses = each.sum(axis=(1, 3)) / samples_in
    return losses, is_hit.sum(axis=1), jnp.where(is_real, delta, 0)


def _gradients(
    layers: tuple[TrainedLayer, ...],
    vectors: Array,
    hidden: Array | None,
    delta: Array,
    rates: Array,
) -> tuple[DenseArrays, ...]:
    slots, samples = delta.shape[:2]
    if hidden is None:
        columns = layers[0].weights.bias.shape[-1] // delta.shape[2]
        delta = jnp.pad(delta, ((0, 0), (0, 0), (0, 0), (0, columns - delta.shape[-1])))
        return (_wide_gradient(vectors, delta.reshape(slots, samples, -1)),)
    kernel = layers[1].weights.kernel
    back = _product("gbkc,gkuc->gbku", delta, kernel)
    back = jnp.where(hidden > 0, back * _scale(rates), 0).reshape(slots, samples, -1)
    outer = DenseArrays(_product("gbku,gbkc->gkuc", hidden, delta), delta.sum(axis=1))
    return _wide_gradient(vectors, back), outer


def _wide_gradient(vectors: Array, delta: Array) -> DenseArrays:
    return DenseArrays(_product("gbf,gbn->gfn", vectors, delta), delta.sum(axis=1))


def _descend(
    layer: TrainedLayer, gradient: DenseArrays, steps: Steps, settings: HeadNumbers
) -> TrainedLayer:
    """A step of Adam, or of SGD with momentum, with ε where Keras puts it.

    `m += (g − m)(1 − β₁);  v += (g² − v)(1 − β₂);  w −= α m / (√v + ε)`, or `m = momentum · m −
    learning_rate · g;  w += m` (Kingma and Ba 2015, section 2). L2 adds to the gradient of a
    kernel; the decoupled decay takes its share of `w` first.
    """
    is_wide = layer.weights.bias.ndim == 2
    moments = layer.second or (None, None)
    updated = []
    for name, w, g, m, v in zip(
        DenseArrays._fields, layer.weights, gradient, layer.first, moments, strict=True
    ):
        size, rate, decay, momentum, twice_l2 = (
            _spread(each, w, is_wide)
            for each in (
                steps.sizes, steps.learning_rates, settings.decay, settings.momentum,
                settings.twice_l2,
            )
        )  # fmt: skip
        if name == "kernel":
            g = g + twice_l2 * w
        w = w - w * decay * rate
        if v is None:
            m = m * momentum - g * size
            w = w + m
        else:
            m = m + (g - m) * jnp.float32(_GAIN_1)
            v = v + (g * g - v) * jnp.float32(_GAIN_2)
            w = w - m * size / (jnp.sqrt(v) + jnp.float32(_EPSILON))
        updated.append((w, m, v))
    weights, first, second = (DenseArrays(*each) for each in zip(*updated, strict=True))
    return TrainedLayer(weights, first, None if layer.second is None else second)


def _spread(of_head: Array, array: Array, is_wide: bool) -> Array:
    """Numbers of the heads `[slots, lanes]` in the form that multiplies `array` of a layer."""
    if not is_wide:
        return of_head.reshape(*of_head.shape, *(1,) * (array.ndim - 2))
    each = jnp.repeat(of_head, array.shape[-1] // of_head.shape[1], axis=1)
    return each if array.ndim == 2 else each[:, None]


def _with_bounded_norms(layer: TrainedLayer, bounds: Array) -> TrainedLayer:
    """Scale each unit's incoming weights as Keras's `MaxNorm`: by `min(norm, bound) / (ε + norm)`.

    (Srivastava et al. 2014, section 5.1.)
    """
    kernel = layer.weights.kernel
    norms = jnp.sqrt((kernel * kernel).sum(axis=1, keepdims=True))
    bound = _spread(bounds, kernel, is_wide=True)
    bounded = kernel * (jnp.minimum(norms, bound) / (jnp.float32(_EPSILON) + norms))
    return layer._replace(weights=layer.weights._replace(kernel=bounded))


@partial(_compiled, static_argnames=("classes", "scored"))
def validate(
    layers: tuple[TrainedLayer, ...],
    matrix: Array,
    folds: Array,
    rows: Array,
    labels: Array,
    is_real: Array,
    *,
    classes: int,
    scored: bool,
) -> ValidationSums:
    """Evaluate all heads on validation samples `[folds, samples]`; slot s has the fold `folds[s]`.

    The loss is `log Σⱼ exp zⱼ − z_label`. Samples are counted by class if the rule is `scored`.
    """
    label, counted = labels[folds][..., None], is_real[folds][..., None]
    _, logits = _forward(layers, matrix[rows[folds]], classes)
    below = logits.max(axis=-1, keepdims=True) - logits
    total = jnp.log(jnp.exp(-below).sum(axis=-1, keepdims=True))
    own = jnp.where(jnp.arange(classes) == label[..., None], below, 0).sum(axis=-1)
    losses = jnp.where(counted, total[..., 0] + own, 0)
    answers = logits.argmax(axis=-1)
    hits = (answers == label) & counted
    predictions = compact(-below - total, answers)
    by_class = _by_class(hits, label, answers, counted, classes) if scored else None
    return ValidationSums(
        losses.sum(axis=1), hits.sum(axis=1), by_class, predictions.swapaxes(1, 2)
    )


def _by_class(hits: Array, label: Array, answers: Array, counted: Array, classes: int) -> Array:
    of_class = jnp.arange(classes)
    is_label = (label[..., None] == of_class) & counted[..., None]
    is_answer = (answers[..., None] == of_class) & counted[..., None]
    right = is_label & hits[..., None]
    is_label = jnp.broadcast_to(is_label, right.shape)
    return jnp.stack([each.sum(axis=1) for each in (right, is_label, is_answer)], axis=2)


def _score(metric: str | None, by_class: Array | None, nothing: Array) -> Array:
    """The metric of `epoch_scores.epoch_score` of each head, in float32; 0 without one."""
    if metric is None or by_class is None:
        return nothing
    right, of_label, of_answer = (by_class[:, :, place] for place in range(3))
    whole = of_label if metric == "balanced_accuracy" else of_label + of_answer
    part = right if metric == "balanced_accuracy" else 2 * right
    shares = jnp.where(whole > 0, part / jnp.maximum(whole, 1), 0)
    return shares.sum(axis=-1) / (whole > 0).sum(axis=-1)


def compact(exact: Array, greatest: Array) -> Array:
    """Log-probabilities in half precision, with the same class the greatest."""
    rounded = jnp.maximum(exact, jnp.finfo(jnp.float16).min).astype(jnp.float16)
    is_lost = rounded.argmax(axis=-1) != greatest
    above = jnp.nextafter(rounded.max(axis=-1), jnp.float16(jnp.inf))
    is_raised = is_lost[..., None] & (jnp.arange(exact.shape[-1]) == greatest[..., None])
    return jnp.where(is_raised, above[..., None], rounded)


@partial(_compiled, static_argnames=("rule",), donate_argnames=("state",))
def end_epoch(
    state: TileState,
    loss: Array,
    hits: Array,
    by_class: Array | None,
    samples: Array,
    epoch: Array,
    limits: HeadNumbers,
    *,
    rule: str,
) -> tuple[TileState, EpochScores]:
    """Score the heads, and keep the parameters of those for which `rule` chooses this epoch.

    `loss`, `hits` and `by_class` are sums over the validation `samples` `[slots]`. The choice is
    that of `bank.HeadProgress`, which decides by the same numbers: so parameters need not leave the
    device until the last epoch.
    """
    loss = loss / samples[:, None].astype(jnp.float32)
    score = _score(scored_by(rule), by_class, jnp.zeros_like(loss))
    weights = tuple(layer.weights for layer in state.layers)
    finite = state.finite & jnp.isfinite(loss)
    for layer in weights:
        for array in layer:
            finite &= _each_finite(array, finite.shape[1], layer.bias.ndim == 2)
    before = state.choice
    better = _is_better(rule, epoch, before, hits, loss, score) & finite & ~state.ended
    chosen = jnp.where(better, epoch, before.epoch)
    kept = tuple(
        DenseArrays(*(
            jnp.where(_spread(better, new, new_layer.bias.ndim == 2), new, old)
            for new, old in zip(new_layer, old_layer, strict=True)
        ))
        for new_layer, old_layer in zip(weights, before.weights, strict=True)
    )  # fmt: skip
    choice = Choice(
        chosen, jnp.where(better, hits, before.hits), jnp.where(better, loss, before.loss),
        jnp.where(better, score, before.score), kept,
    )  # fmt: skip
    is_last = (epoch >= limits.epochs) | (epoch - chosen >= limits.patience)
    state = TileState(state.layers, jnp.ones_like(finite), state.ended | is_last | ~finite, choice)
    return state, EpochScores(loss, hits, score, finite)


def _each_finite(array: Array, lanes: int, is_wide: bool) -> Array:
    finite = jnp.isfinite(array)
    if not is_wide:
        return finite.all(axis=tuple(range(2, array.ndim)))
    if array.ndim == 3:
        finite = finite.all(axis=1)
    return finite.reshape(len(array), lanes, -1).all(axis=2)


def _is_better(
    rule: str, epoch: Array, before: Choice, hits: Array, loss: Array, score: Array
) -> Array:
    """`epoch_rules.rank_epoch` greater than that of the epoch chosen before."""
    if rule == "best_accuracy":
        better = (hits > before.hits) | ((hits == before.hits) & (loss < before.loss))
    elif rule == "best_loss":
        better = loss < before.loss
    elif chooses_epoch(rule):
        better = (score > before.score) | ((score == before.score) & (loss < before.loss))
    else:
        last = fixed_epoch(rule)
        better = jnp.full(hits.shape, True) if last is None else epoch <= last
    return better | (before.epoch == 0)


@_compiled
def chosen_parameters(choice: Choice) -> tuple[Array, tuple[DenseArrays, ...]]:
    """The chosen epoch of each head, and its parameters, all with the axes `[slots, lanes, …]`."""
    first, *others = choice.weights
    slots, lanes = choice.epoch.shape
    kernel = first.kernel.reshape(slots, -1, lanes, first.kernel.shape[-1] // lanes)
    bias = first.bias.reshape(slots, lanes, -1)
    return choice.epoch, (DenseArrays(kernel.swapaxes(1, 2), bias), *others)
