"""A Keras model as a file for another program; called where Keras is imported.

Whatever the runtime, the input is called `images`, and the output `outputs`. What goes with the
model (`about`: the classes and the side file, as texts) lies where the format has a place for it.
"""

from __future__ import annotations

import json
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.backbones.onnx_graph import UnwrittenLayer
from manyheads.backbones.onnx_writer import write_onnx
from manyheads.core import openvino_runtime
from manyheads.core.places import full_disk, lacks_room
from manyheads.errors import ModelError
from manyheads.models.export.formats import CARD, EXTRAS, FORMATS, INPUT, LABELS, OUTPUT

if TYPE_CHECKING:
    import keras


def write(model: keras.Model, format_: str, target: Path, about: dict[str, str]) -> str:
    """Write `model` as `target`; raises `ModelError` with the converter's reason if it cannot.

    Returns "", or the layer of `model` that our own writer of ONNX does not know: TensorFlow's
    converter may, on that backend of Keras.
    """
    if format_ in ("keras", "h5"):
        save(model, target)
        return ""
    try:
        _WRITERS[format_](model, target, about)
    except UnwrittenLayer as error:
        return str(error)
    except OSError:
        raise
    except Exception as error:  # a converter may raise anything
        if lacks_room(str(error), target.parent):
            raise full_disk(target) from error
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"a network that can become one of {FORMATS[format_].opens}",
            f"{type(error).__name__}: {reason[:200]}",
            "export it in another format",
        ) from error
    return ""


def save(model: keras.Model, target: Path) -> None:
    """Write `model` as `target` (.keras or .h5)."""
    with warnings.catch_warnings():
        # Keras advises against .h5, which the user has asked for.
        warnings.simplefilter("ignore")
        model.save(target)


def _openvino(model: Any, target: Path, about: dict[str, str]) -> None:
    """For any number of images, or for one where the network cannot do that."""
    import openvino

    draft = target.with_name(f"draft-{target.name}")
    _export(model, "openvino", draft)
    if not _takes_two(draft, model):
        # Some networks reshape by their batch size, which the export has then fixed at 1.
        _export(model, "openvino", draft, images=1)
    program = openvino_runtime.core().read_model(draft)
    program.input().get_tensor().set_names({INPUT})
    program.output().get_tensor().set_names({OUTPUT})
    for name, text in about.items():
        program.set_rt_info(text, ["manyheads", name])
    openvino.serialize(program, target)
    for file in (draft, draft.with_suffix(".bin")):
        file.unlink()


def _takes_two(program: Path, model: Any) -> bool:
    two = np.zeros((2, *model.input_shape[1:]), model.input.dtype)
    try:
        openvino_runtime.core().compile_model(program, "CPU")(two)
    except RuntimeError:
        return False
    return True


def _onnx(model: Any, target: Path, about: dict[str, str]) -> None:
    import keras
    import onnx

    if keras.config.backend() != FORMATS["onnx"].fallback:
        write_onnx(model, target, about, INPUT, OUTPUT)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about what the converter calls
        _export(model, "onnx", target)
    graph = onnx.load(target)
    _name_output(graph.graph, OUTPUT)
    onnx.helper.set_model_props(graph, about)
    onnx.checker.check_model(graph)
    onnx.save(graph, target)


def _name_output(graph: Any, name: str) -> None:
    (output,) = graph.output
    for node in graph.node:
        node.output[:] = [name if one == output.name else one for one in node.output]
        node.input[:] = [name if one == output.name else one for one in node.input]
    output.name = name
    for value in (graph.input[0], output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"


def _litert(model: Any, target: Path, about: dict[str, str]) -> None:
    _export(_named(model), "litert", target)
    _add_labels(target, about)


def write_quantised_litert(
    model: keras.Model, target: Path, about: dict[str, str], images: np.ndarray | None
) -> None:
    """Write `model` as `target` (.tflite): int8, calibrated on `images`, or f16 without any.

    In int8 the softmax stays in float32.
    """
    import tensorflow

    tf: Any = tensorflow
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        _write_saved_model(model, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        # As Keras sets it, which writes what is not quantised.
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS
        ]  # fmt: skip
        converter.experimental_enable_resource_variables = True
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if images is None:
            converter.target_spec.supported_types = [tf.float16]
            content = converter.convert()
        else:
            converter.representative_dataset = lambda: (
                {INPUT: np.asarray(image)[np.newaxis]} for image in images
            )
            # The only way to leave a layer out of TensorFlow's quantiser.
            options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=["SOFTMAX"])
            content = tf.lite.experimental.QuantizationDebugger(
                converter=converter, debug_options=options
            ).get_nondebug_quantized_model()
    target.write_bytes(content)
    _add_labels(target, about)


def _add_labels(target: Path, about: dict[str, str]) -> None:
    """Add the classes to a converted model `target` (.tflite), inside it and beside it."""
    with zipfile.ZipFile(target, "a") as archive:  # an archive behind the model, as is usual there
        archive.writestr(LABELS, _labels(about))
        archive.writestr(CARD, about["card"])
    target.with_name(f"{target.stem}.{LABELS}").write_text(_labels(about), encoding="utf-8")


def _saved_model(model: Any, target: Path, about: dict[str, str]) -> None:
    _write_saved_model(model, target)
    extras = target / EXTRAS
    extras.mkdir()
    (extras / CARD).write_text(about["card"], encoding="utf-8")
    (extras / LABELS).write_text(_labels(about), encoding="utf-8")


def _write_saved_model(model: Any, target: Path) -> None:
    import tensorflow

    tf: Any = tensorflow
    image = tf.TensorSpec((None, *model.input_shape[1:]), model.input.dtype, name=INPUT)
    answer = tf.function(
        lambda images: {OUTPUT: model(images, training=False)}, input_signature=[image]
    )
    # Keras's own export keeps its variables beside those of the function, all weights twice.
    module = tf.Module()
    module.kept, module.serve = [variable.value for variable in model.variables], answer
    tf.saved_model.save(module, str(target), signatures={"serving_default": answer})


def _named(model: Any) -> Any:
    """The same network with a name for its output, which TensorFlow would else call output_0."""
    import keras

    return keras.Model(model.input, {OUTPUT: model.output})


def _export(model: Any, format_: str, target: Path, images: int | None = None) -> None:
    """Export by Keras, for any number of images or for so many."""
    import keras

    shape = (images, *model.input_shape[1:])
    signature = [keras.InputSpec(dtype=model.input.dtype, shape=shape, name=INPUT)]
    model.export(str(target), format=format_, verbose=False, input_signature=signature)


def _labels(about: dict[str, str]) -> str:
    """A line for each class, in the order of the outputs."""
    names = [" ".join(name.split()) for name in json.loads(about["classes"])]
    return "".join(f"{name}\n" for name in names)


_WRITERS = {
    "openvino": _openvino,
    "onnx": _onnx,
    "litert": _litert,
    "saved_model": _saved_model,
}
