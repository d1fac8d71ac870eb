"""A model that plain Keras trains further: which can be one, and how its layers are set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.errors import SettingError
from manyheads.models.export.formats import Format

if TYPE_CHECKING:
    import keras


def require_trainable(kind: Format, best: Path) -> None:
    """Raise `SettingError` unless a model can be written for further training."""
    if kind.name != "keras":
        raise SettingError(
            "the format keras, for `trainable`", kind.name,
            "give that one: the other formats hold no layers that can be trained",
        )  # fmt: skip
    if best.suffix not in (".keras", ".h5"):
        raise SettingError(
            "a backbone of Keras layers, for `trainable`",
            f"{best.name}, on a backbone that Keras does not build",
            "run the study on a backbone of Keras, such as xception, or on a .keras file",
        )  # fmt: skip


def unfrozen(model: keras.Model) -> keras.Model:
    """`model` with all its layers trainable, but batch normalisation; not compiled.

    Frozen, batch normalisation keeps its means and variances and runs in inference mode, on every
    backend. What it multiplies and adds stays as well: a few hundred images say less of that than
    ImageNet did.
    """
    import keras

    _unfreeze(model)
    return keras.Model(model.input, model.output)


def _unfreeze(model: Any) -> None:
    model.trainable = True
    for layer in model.layers:
        if hasattr(layer, "layers"):
            _unfreeze(layer)
        elif type(layer).__name__ == "BatchNormalization":
            layer.trainable = False
