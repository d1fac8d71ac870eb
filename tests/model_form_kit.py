"""Keras's layers for `model_forms`, and the parts that most forms share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SIZE, CLASSES = 64, 3
Made = Callable[["Kit"], Any]
FORMS: dict[str, Made] = {}


class Kit:
    """Keras's layers, and the parts that most forms share."""

    def __init__(self, keras: Any, tiny: bool = False) -> None:
        self.keras, self.k, self.tiny = keras, keras.layers, tiny
        self.base: Any = None
        self.mobile = keras.applications.mobilenet_v2

    def backbone(self, size: int | None = SIZE, **given: Any) -> Any:
        """The smallest network of keras.applications, frozen."""
        given = {"alpha": 0.35, "weights": None, "include_top": False, **given}
        if "input_tensor" not in given:
            given["input_shape"] = (size, size, 3)
        self.base = self._small(**given) if self.tiny else self.mobile.MobileNetV2(**given)
        self.base.trainable = False
        return self.base

    def _small(
        self, input_shape: Any = None, input_tensor: Any = None, pooling: Any = None, **_: Any
    ) -> Any:
        """Blocks like those of a backbone: what is added, what multiplies, what pools inside."""
        image = self.keras.Input(input_shape) if input_tensor is None else input_tensor
        value = self.k.Conv2D(8, 3, strides=16, name="first")(image)
        value = self.k.ReLU()(self.k.BatchNormalization()(value))
        kept = value
        value = self.k.Activation("relu")(self.k.Conv2D(8, 1, name="second")(value))
        squeezed = self.k.Reshape((1, 1, 8))(self.pool()(value))
        squeezed = self.k.Conv2D(8, 1, activation="sigmoid", name="squeezed")(squeezed)
        value = self.k.Add()([kept, self.k.Multiply()([value, squeezed])])
        value = self.k.Conv2D(8, 1, name="narrowed")(self.k.AveragePooling2D(2)(value))
        value = self.k.Conv2D(1280, 1, name="block_13_expand_relu")(value)
        value = self.k.ReLU(6.0)(self.k.BatchNormalization()(value))
        if pooling:
            value = self.pool()(value)
        inputs = image if input_tensor is None else self.keras.utils.get_source_inputs(image)[0]
        return self.keras.Model(inputs, value, name="mobilenetv2_0.35_64")

    def image(self) -> Any:
        """An input."""
        return self.keras.Input((SIZE, SIZE, 3))

    def pool(self, **given: Any) -> Any:
        """The usual pooling."""
        return self.k.GlobalAveragePooling2D(**given)

    def dense(self, *given: Any, **more: Any) -> Any:
        """The last layer."""
        return self.k.Dense(*(given or (CLASSES,)), **more)

    def inner(self, **given: Any) -> Any:
        """An inner layer."""
        return self.k.Dense(6, activation="relu", **given)

    def sequential(self, *layers: Any) -> Any:
        """Layers one behind the other, built."""
        return self.keras.Sequential([self.image(), *layers])

    def functional(self, *layers: Any) -> Any:
        """The same as a functional model."""
        image = value = self.image()
        for layer in layers:
            value = layer(value)
        return self.keras.Model(image, value)


def form(made: Made) -> Made:
    """Add a form under its function's name."""
    FORMS[made.__name__] = made
    return made


def add(name: str, made: Made) -> None:
    FORMS[name] = made
