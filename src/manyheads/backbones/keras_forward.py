"""A Keras network in one call per batch, on the processor or a card, in a stated precision."""

from __future__ import annotations

import importlib
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.backbones import keras_builds
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core import accelerators, keras_backend, openvino_runtime
from manyheads.core.places import cache_dir
from manyheads.errors import MissingExtraError

if TYPE_CHECKING:
    import keras

_POLICIES = {"f32": "float32", "bf16": "mixed_bfloat16", "f16": "mixed_float16"}
# Pixels need more than eight bits, and so does a mean over cells.
_EXACT = ("Normalization", "Rescaling", "GlobalAveragePooling2D")


class KerasForward:
    """Pixels to features by Keras on its backend: `uint8 [n, size, size, 3]` → float32.

    It may be called from several threads, with any number of images. `device` is cpu or cuda. In
    f32, products are of whole float32 numbers; cards would otherwise round them to TF32.
    """

    def __init__(
        self,
        spec: BackboneSpec,
        weights: Weights,
        size: int,
        *,
        device: str,
        precision: str = "f32",
        pooling: str = "avg",
    ) -> None:
        openvino_runtime.silence()
        accelerators.share_card()
        module = keras_backend.import_keras()
        backend = module.config.backend()
        if backend not in _CALLS:
            raise MissingExtraError(
                f"Keras on {', '.join(_CALLS)} for the device {device}", f"Keras on {backend}",
                "install one of these, and unset KERAS_BACKEND",
            )  # fmt: skip
        with module.device("cpu:0" if device == "cpu" else "gpu:0"):
            kept = None if pooling == "grid" else pooling
            inner = keras_builds.with_weights(
                spec, weights.path, weights.digest, size, CHANNELS_LAST, kept
            )
            inner.trainable = False
            compute_in(inner, precision)
            model = keras_builds.with_preprocessing(spec, inner, CHANNELS_LAST)
        self.features = int(inner.output_shape[-1])
        self._call = _CALLS[backend](model, device, exact=precision == "f32")

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return np.asarray(self._call(pixels), np.float32)


def compute_in(model: keras.Model, precision: str) -> None:
    """Let the layers of a network compute in a precision; their weights stay float32."""
    import keras

    if precision == "f32":
        return
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            compute_in(layer, precision)
        elif type(layer).__name__ not in _EXACT and isinstance(layer, keras.layers.Layer):
            layer.dtype_policy = keras.DTypePolicy(_POLICIES[precision])


class _Jax:
    """The network as one compiled program, with its arrays on the device."""

    def __init__(self, model: Any, device: str, *, exact: bool) -> None:
        import jax

        self._jax, self._exact = jax, exact
        config: Any = jax.config
        if device == "cuda" and config.jax_compilation_cache_dir is None:
            # Trying out kernels for a card takes longer than most extractions.
            config.update("jax_compilation_cache_dir", str(cache_dir() / "jax"))
        self._place = jax.devices("cpu" if device == "cpu" else "gpu")[0]
        variables = model.trainable_variables, model.non_trainable_variables
        arrays = [[variable.value for variable in group] for group in variables]
        self._state = jax.device_put(arrays, self._place)

        def features(state: Any, pixels: Any) -> Any:
            found, _ = model.stateless_call(*state, pixels.astype("float32"), training=False)
            return found.astype("float32")

        self._features = jax.jit(features)

    def __call__(self, pixels: np.ndarray) -> Any:
        jax = self._jax
        with jax.default_matmul_precision("float32") if self._exact else nullcontext():
            return np.asarray(self._features(self._state, jax.device_put(pixels, self._place)))


class _Torch:
    """The network layer by layer, without gradients."""

    def __init__(self, model: Any, device: str, *, exact: bool) -> None:
        torch: Any = importlib.import_module("torch")
        self._torch = torch
        self._exact, self._place = exact, torch.device("cuda" if device == "cuda" else "cpu")
        self._model = model.to(self._place)

    def __call__(self, pixels: np.ndarray) -> Any:
        import keras

        torch = self._torch
        name = "gpu:0" if self._place.type == "cuda" else "cpu:0"
        rounding = torch.backends.cudnn.flags(enabled=True, allow_tf32=not self._exact)
        with keras.device(name), torch.inference_mode(), rounding:
            images = torch.from_numpy(pixels).to(self._place).float()
            return self._model(images, training=False).float().cpu().numpy()


class _TensorFlow:
    """The network as one graph."""

    def __init__(self, model: Any, device: str, *, exact: bool) -> None:
        import tensorflow

        tf: Any = tensorflow
        tf.config.experimental.enable_tensor_float_32_execution(not exact)
        images = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
        self._features = tf.function(
            lambda pixels: tf.cast(model(tf.cast(pixels, tf.float32), training=False), tf.float32),
            input_signature=[images],
        )
        self._tf, self._place = tf, "/CPU:0" if device == "cpu" else "/GPU:0"

    def __call__(self, pixels: np.ndarray) -> Any:
        with self._tf.device(self._place):
            return self._features(self._tf.constant(pixels)).numpy()


_CALLS: dict[str, Any] = {"jax": _Jax, "torch": _Torch, "tensorflow": _TensorFlow}
