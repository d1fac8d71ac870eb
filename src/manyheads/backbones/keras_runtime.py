"""A backbone on Keras itself, on the processor, in this process: on whatever backend there is."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import numpy as np

from manyheads.backbones import keras_builds
from manyheads.backbones.compiled import Batch, Computed, Key
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core import keras_backend, openvino_runtime
from manyheads.core.accelerators import has_nvidia_card
from manyheads.core.job import SILENT, Job


class KerasBackbone:
    """A `CompiledBackbone` as Keras itself computes it: a check of the other ones."""

    def __init__(
        self, spec: BackboneSpec, weights: Weights, size: int, batch: int, pooling: str = "avg"
    ) -> None:
        openvino_runtime.silence()
        self._keras: Any = keras_backend.import_keras()
        kept = None if pooling == "grid" else pooling
        with self._processor():
            inner = keras_builds.with_weights(
                spec, weights.path, weights.digest, size, CHANNELS_LAST, kept
            )
            inner.trainable = False
            self._model = keras_builds.with_preprocessing(spec, inner, CHANNELS_LAST)
        self.features = int(inner.output_shape[-1])
        self.batch = batch

    def run(
        self, batches: Iterable[tuple[Key, Batch]], *, job: Job = SILENT
    ) -> Generator[tuple[Key, Computed]]:
        for key, pixels in batches:
            if job.stopped:
                return
            # Always a full batch: one traced program, and one computation for every image.
            whole = np.zeros((self.batch, *pixels.shape[1:]), np.float32)
            whole[: len(pixels)] = pixels
            with self._processor():
                features = self._model.predict_on_batch(whole)
            yield key, np.array(features[: len(pixels)], np.float32)

    def _processor(self) -> AbstractContextManager[Any]:
        # A framework would take a card by itself, and these features are said to be without one.
        return self._keras.device("cpu:0") if has_nvidia_card() else nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        del self._model
