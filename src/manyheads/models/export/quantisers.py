"""A converted model in smaller numbers, by each format's own quantiser; called in a child process.

int8: weights and activations of 8 bits, whose ranges are calibrated on images; the softmax stays in
float32, because a probability of 8 bits is 0 below 1/512. f16: weights of 16 bits, which a
processor widens again when the model is loaded, so that it computes in float32.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.core import openvino_runtime
from manyheads.core.places import disk_errors, full_disk, lacks_room
from manyheads.errors import ModelError
from manyheads.models.export.formats import FORMATS, INPUT
from manyheads.models.quantised_record import INT8

if TYPE_CHECKING:
    from onnxruntime.quantization import CalibrationDataReader

_SMALL = 256  # numbers; arrays of fewer stay float32: they weigh nothing, and biases decide


def quantise(
    format_: str,
    kind: str,
    file: str,
    target: str,
    about: dict[str, str],
    pixels: str = "",
    count: int = 0,
    keras: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the model in `file`, of pixels and in a format, as `target` in the numbers of `kind`.

    int8 is calibrated on the first `count` images in `pixels` (.npy), uint8. LiteRT is converted
    anew, from the model that `keras` says, as `keras_models.pixel_model` takes it. `about` goes
    into its metadata. Raises `ModelError` with the quantiser's reason if it cannot.
    """
    images = np.load(pixels, mmap_mode="r")[:count] if pixels else np.zeros((0,), np.uint8)
    place = Path(target)
    try:
        if keras is not None:
            _litert(keras, kind, images, place, about)
        else:
            _QUANTISERS[format_, kind](Path(file), images, place, about)
    except ModelError:
        raise
    except Exception as error:  # a quantiser may raise anything
        if lacks_room(str(error), place.parent):
            raise full_disk(place) from error
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"a network that {FORMATS[format_].opens}'s quantiser can write as {kind}",
            f"{type(error).__name__}: {reason[:200]}", "export it in another format, or as float32",
        ) from error  # fmt: skip
    return {}


def _onnx_int8(file: Path, images: np.ndarray, target: Path, about: dict[str, str]) -> None:
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = target.with_name(f"prepared-{target.name}")
    # Folds batch normalisation into the convolutions before these are quantised.
    quant_pre_process(file, prepared, skip_symbolic_shape=True)
    nodes = onnx.load(prepared, load_external_data=False).graph.node
    quantization.quantize_static(
        prepared,
        target,
        _reader(images),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        # Weights of 7 bits: with 8, processors without VNNI overflow, and give other answers.
        reduce_range=True,
        nodes_to_exclude=[node.name for node in nodes if node.op_type == "Softmax"],
    )
    prepared.unlink()
    model = onnx.load(target)
    onnx.helper.set_model_props(model, about)
    onnx.save(model, target)


def _reader(images: np.ndarray) -> CalibrationDataReader:
    """What ONNX Runtime's calibration draws its images from, one at a time."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> Any:  # None after the last, which the class's annotation lacks
            image = next(self._images, None)
            return None if image is None else {INPUT: np.asarray(image)[np.newaxis]}

    return Reader()


def _onnx_f16(file: Path, images: np.ndarray, target: Path, about: dict[str, str]) -> None:
    """Weights of 16 bits, each behind a cast to float32, which runtimes compute once, at loading.

    ONNX Runtime's own converter makes the arithmetic of 16 bits too, for which its kernels for
    processors lack most layers: it casts to and fro in front of each, and takes longer.
    """
    del images
    import onnx

    model = onnx.load(file)
    graph = model.graph
    casts = []
    for array in graph.initializer:
        if array.data_type != onnx.TensorProto.FLOAT or int(np.prod(array.dims)) < _SMALL:
            continue
        values, name = onnx.numpy_helper.to_array(array), array.name
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():  # beyond 65,504
            continue
        array.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}/f16"))
        casts.append(onnx.helper.make_node(
            "Cast", [f"{name}/f16"], [name], f"{name}/cast", to=onnx.TensorProto.FLOAT
        ))  # fmt: skip
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _openvino_int8(file: Path, images: np.ndarray, target: Path, about: dict[str, str]) -> None:
    openvino_runtime.silence()  # before NNCF, which would send events as OpenVINO does
    nncf: Any = importlib.import_module("nncf")
    model = openvino_runtime.core().read_model(file)
    # Keras writes weights in front of transposes, behind which NNCF would leave them float32.
    passes = importlib.import_module("openvino.passes")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)
    data = nncf.Dataset(images, lambda image: {INPUT: np.asarray(image)[np.newaxis]})
    quantised = nncf.quantize(model, data, subset_size=len(images))
    _save_openvino(quantised, target, about, f16=False)


def _openvino_f16(file: Path, images: np.ndarray, target: Path, about: dict[str, str]) -> None:
    del images
    _save_openvino(openvino_runtime.core().read_model(file), target, about, f16=True)


def _save_openvino(model: Any, target: Path, about: dict[str, str], *, f16: bool) -> None:
    for name, text in about.items():
        model.set_rt_info(text, ["manyheads", name])
    with disk_errors(target):
        openvino_runtime.openvino().save_model(model, target, compress_to_fp16=f16)


def _litert(
    source: dict[str, Any], kind: str, images: np.ndarray, target: Path, about: dict[str, str]
) -> None:
    from manyheads.models import keras_models
    from manyheads.models.export import converters

    model = keras_models.pixel_model(**source)
    converters.write_quantised_litert(model, target, about, images if kind == INT8 else None)


_QUANTISERS = {
    ("onnx", "int8"): _onnx_int8,
    ("onnx", "f16"): _onnx_f16,
    ("openvino", "int8"): _openvino_int8,
    ("openvino", "f16"): _openvino_f16,
}
