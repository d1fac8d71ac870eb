"""Networks of Keras Hub, which Keras runs on OpenVINO; imported in a child process alone."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones.framework_members import (
    OUTPUTS,
    Facts,
    interpolation,
    normalisation,
    square,
    unknown,
    unprepared,
)
from manyheads.backbones.processors import Preparation
from manyheads.core import openvino_runtime

_EXAMPLE = 2  # images for which a network is exported that takes any number of them


class KerasHubMember:
    """A backbone of Keras Hub as a `Member`: its feature map or its tokens, or pooled features."""

    is_last = True

    def __init__(self, network: Any, facts: Facts) -> None:
        self._network = network
        self.facts = facts

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        model = self.converted(len(images), images.shape[1])
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        answer = openvino_runtime.core().compile_model(model, "CPU", exact)(images)
        return {name: answer[name] for name in model.output().get_names()}

    def converted(self, batch: int | None, size: int | None) -> Any:
        import keras

        # An export fixes a batch that is open at 1; opened behind it, it is compared.
        shape = (batch or _EXAMPLE, size, size, 3)
        signature = keras.InputSpec(dtype="float32", shape=shape, name="images")
        with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
            file = Path(folder) / "network.xml"
            self._network.export(
                str(file), format="openvino", verbose=False, input_signature=[signature]
            )
            # A model that is read maps its file, which is about to go.
            core = openvino_runtime.core()
            model = core.read_model(file.read_text(encoding="utf-8"), _tensor(file))
        if batch is None:
            model.reshape([-1, size or -1, size or -1, 3])
        rank = len(model.output().get_partial_shape())
        model.output().get_tensor().set_names({OUTPUTS[rank == 2]})
        return model


class KerasHub:
    """The presets of Keras Hub's backbones."""

    def __init__(self) -> None:
        import keras

        # Keras as it comes, whatever the user's own keras.json asks for.
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")
        self._hub: Any = importlib.import_module("keras_hub")
        self.version = str(self._hub.__version__)

    def whole_name(self, member: str) -> str:
        known = self._hub.models.Backbone.presets
        if member not in known:
            raise unknown("keras_hub", member, known)
        return member

    def opened(self, member: str, *, trained: bool, seed: int = 0) -> KerasHubMember:
        import keras

        keras.utils.set_random_seed(seed)
        network = self._hub.models.Backbone.from_preset(member, load_weights=trained)
        inputs = network.inputs
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            shapes = " and ".join(f"{each.name} {list(each.shape)}" for each in inputs)
            raise TypeError(f"inputs {shapes}")
        if not hasattr(network.output, "shape"):
            raise TypeError(f"{len(network.outputs)} outputs")
        _, height, width, channels = inputs[0].shape
        converter = self._hub.layers.ImageConverter.from_preset(member)
        facts = Facts(
            preparation=_preparation(f"keras_hub:{member}", converter, (height, width, channels)),
            licence="",
            parameters=int(network.count_params()),
            fixed=height is not None,
            trained=True,
        )
        return KerasHubMember(network, facts)


def _preparation(shown: str, converter: Any, shape: tuple[Any, Any, Any]) -> Preparation:
    height, width = converter.image_size or shape[:2]
    if None in (height, width):
        raise unprepared(shown, "no size")
    if shape[0] not in (None, height):
        raise unprepared(shown, f"images of {height} pixels for a network of {shape[0]}")
    resize = None
    if converter.crop_to_aspect_ratio:
        resize = "crop"
    elif converter.pad_to_aspect_ratio:
        resize = "pad"
    scale = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3) * 255.0
    offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3)
    return Preparation(
        square(shown, shape[2], height, width), resize,
        interpolation(shown, str(converter.interpolation).replace("lanczos3", "lanczos")),
        normalisation(-offset / scale, 1 / scale),
    )  # fmt: skip


def _tensor(file: Path) -> Any:
    content = np.fromfile(file.with_suffix(".bin"), np.uint8)
    return openvino_runtime.openvino().Tensor(content)
