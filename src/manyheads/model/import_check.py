"""Whether an imported model says what its file says, as Keras itself understands that file."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from manyheads.backbones import arrays, keras_process, registry
from manyheads.data.images import load_pixels
from manyheads.errors import Interrupted, ManyheadsError, ModelError
from manyheads.heads.head import softmax
from manyheads.model.card import ModelCard
from manyheads.model.classifier import load
from manyheads.model.safety import check_parts

TOLERANCE = 1e-3
_PROBABILITIES = "manyheads.model.import_check:probabilities"
_GENERATED = 4


@dataclass(frozen=True)
class Check:
    """How far two readings of a file are apart: the largest difference between probabilities.

    Where Keras cannot open the file, `difference` is None and `reason` says why.
    """

    images: int
    given: bool
    difference: float | None
    reason: str = ""


def check_import(
    source: Path,
    model: Path,
    card: ModelCard,
    ends_in_softmax: bool,
    images: Sequence[Path] = (),
    stop: threading.Event | None = None,
) -> Check:
    """Compare `model` with what Keras makes of `source`, on `images` or on generated ones.

    Raises `ModelError` if they differ by more than `TOLERANCE`, and `ImageError`.
    """
    pixels = _pixels(card, images)
    count, given = len(pixels), bool(images)
    try:
        wanted = _as_keras(source, card, ends_in_softmax, pixels, stop)
    except Interrupted:
        raise
    except ManyheadsError as error:  # Keras 3 cannot open all that Keras 2 has written
        return Check(count, given, None, error.found)
    found = load(model).predict(list(pixels), stop=stop).probabilities
    difference = float(np.abs(found - wanted).max())
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the probabilities that Keras finds with {source}, within {TOLERANCE:g}",
            f"a difference of {difference:.3g}",
            "name the backbone that it was trained on (--backbone NAME); if that is right, its "
            "layers are not those of keras.applications",
        )
    return Check(count, given, difference)


def probabilities(
    file: str, backbone: str, pixels: str, ends_in_softmax: bool, target: str
) -> dict[str, Any]:
    """Write what Keras finds for stored `pixels` to `target`; called in a child process."""
    import keras

    check_parts(Path(file))
    spec = registry.get(backbone)
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
        images = np.load(pixels).astype(np.float32)
        preprocess = getattr(keras.applications, spec.module).preprocess_input
        found = np.asarray(model.predict(preprocess(images), batch_size=4, verbose=0))
    except Exception as error:  # whatever Keras meets in a file that it did not write
        raise ModelError(f"Keras to open {file}", _first_line(error), "import it") from error
    arrays.save(Path(target), [found if ends_in_softmax else softmax(found)], {})
    return {}


def _as_keras(
    source: Path,
    card: ModelCard,
    ends_in_softmax: bool,
    pixels: UInt8[np.ndarray, "images size size 3"],
    stop: threading.Event | None,
) -> np.ndarray[Any, Any]:
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        stored, target = Path(folder) / "pixels.npy", Path(folder) / "found.safetensors"
        np.save(stored, pixels)
        arguments = {
            "file": str(source),
            "backbone": card.backbone,
            "pixels": str(stored),
            "ends_in_softmax": ends_in_softmax,
            "target": str(target),
        }
        keras_process.call(_PROBABILITIES, arguments, stop=stop)
        return arrays.load(target)[0]


def _pixels(card: ModelCard, images: Sequence[Path]) -> UInt8[np.ndarray, "images size size 3"]:
    if images:
        return np.stack([load_pixels(image, card.image) for image in images])
    shape = (_GENERATED, card.image.size, card.image.size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200]
