"""A backbone's ONNX program, made once by our own writer, and run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.exported import program_recipe
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core import artifacts
from manyheads.core.job import SILENT, Job
from manyheads.core.machine import library_threads
from manyheads.errors import BackboneError, DeviceError, MissingExtraError

if TYPE_CHECKING:
    import keras

_AREA = "onnx"
_FILE = "backbone.onnx"
_GIVEN, _OUTPUT = "images", "features"


class OnnxForward:
    """Preprocessed images to features by ONNX Runtime, behind the backbone's own preprocessing.

    Takes `uint8 [n, size, size, 3]` and yields float32, from several threads. `device` is cpu or
    cuda. In f32, products are of whole float32 numbers; cards would otherwise round them to TF32.
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
        job: Job = SILENT,
    ) -> None:
        _require()
        recipe = program_recipe(spec, weights.digest, size, pooling) | {"precision": precision}
        arguments = {
            "backbone": str(spec.file or spec.name), "preprocessing": spec.preprocessing,
            "weights": str(weights.path), "digest": weights.digest, "size": size,
            "precision": precision, "pooling": pooling,
        }  # fmt: skip
        if spec.file is None:
            del arguments["preprocessing"]
        made = artifacts.made(
            _AREA, recipe, export, arguments, _FILE, what=f"preparing {spec.name}", job=job
        )
        self.features = int(made.answer["features"])
        self._session = session(made.folder / _FILE, device)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        (found,) = self._session.run([_OUTPUT], {_GIVEN: pixels})
        return np.asarray(found, np.float32)


def session(file: Path, device: str) -> Any:
    """The program in `file`, ready to run; raises `DeviceError` if the card cannot be used."""
    import onnxruntime

    library: Any = onnxruntime
    settings = library.SessionOptions()
    settings.log_severity_level = 3  # errors alone, which are raised as well
    settings.intra_op_num_threads = library_threads()
    if device == "cpu":
        return library.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    if hasattr(library, "preload_dlls"):
        library.preload_dlls()  # CUDA's libraries, where they were installed as packages
    provider = ("CUDAExecutionProvider", {"device_id": 0, "use_tf32": 0})
    made = library.InferenceSession(file, settings, providers=[provider])
    # It falls back to the processor without a word.
    if made.get_providers()[0] != "CUDAExecutionProvider":
        raise DeviceError(
            "ONNX Runtime on CUDA", "its CUDA libraries or the driver missing",
            "install those that this version of onnxruntime-gpu needs, or set `device` to cpu",
        )  # fmt: skip
    return made


def export(
    backbone: str,
    weights: str,
    digest: str,
    size: int,
    precision: str,
    pooling: str,
    target: str,
    preprocessing: str | None = None,
) -> dict[str, Any]:
    """Write a backbone behind its preprocessing as ONNX; called in a child where Keras is.

    Raises `BackboneError` for a layer that the writer does not know.
    """
    import onnx

    from manyheads.backbones.onnx_graph import UnwrittenLayer
    from manyheads.backbones.onnx_writer import write_onnx

    spec = registry.get(backbone, preprocessing)
    kept = None if pooling == "grid" else pooling
    inner = keras_builds.with_weights(spec, Path(weights), digest, size, CHANNELS_LAST, kept)
    model = _with_pixels(spec, inner)
    try:
        write_onnx(model, Path(target), {}, _GIVEN, _OUTPUT)
    except UnwrittenLayer as error:
        raise BackboneError(
            f"layers of {spec.name} that can be written as ONNX", str(error),
            "set `runtime` to keras",
        ) from error  # fmt: skip
    if precision == "f16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        onnx.save(convert_float_to_float16(onnx.load(target), keep_io_types=True), target)
    return {"features": int(inner.output_shape[-1])}


def _with_pixels(spec: BackboneSpec, inner: keras.Model) -> keras.Model:
    import keras

    from manyheads.backbones.preprocessing_layers import preprocessing_layers

    raw = keras.Input(inner.input_shape[1:], dtype="uint8", name=_GIVEN)
    images: Any = raw
    for layer in preprocessing_layers(spec):
        images = layer(images)
    return keras.Model(raw, inner(images))


def _require() -> None:
    import importlib.util

    absent = [each for each in ("onnx", "onnxruntime") if importlib.util.find_spec(each) is None]
    if absent:
        raise MissingExtraError(
            "onnx and onnxruntime for the runtime onnxruntime", f"no {' and no '.join(absent)}",
            "run: pip install 'manyheads[onnx]' (on a card: onnx and onnxruntime-gpu)",
        )  # fmt: skip
