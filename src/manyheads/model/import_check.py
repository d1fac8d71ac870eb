"""Whether an imported model says what its file says, as Keras itself understands that file."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.backbones import keras_builds, registry, untrusted
from manyheads.backbones.compiled import OpenVinoBackbone, batch_size
from manyheads.backbones.exported import Program
from manyheads.backbones.keras_parts import check_file
from manyheads.backbones.registry import CHANNELS_LAST
from manyheads.data.images import load_pixels
from manyheads.errors import Interrupted, ManyheadsError, ModelError
from manyheads.heads.head import softmax
from manyheads.model.card import ModelCard
from manyheads.model.classifier import load

TOLERANCE = 1e-3
_TO_PROGRAM = "manyheads.model.import_check:to_program"
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
        wanted = _as_keras(source, card, pixels, stop)
    except Interrupted:
        raise
    except ManyheadsError as error:  # Keras 3 cannot open all that Keras 2 has written
        return Check(count, given, None, error.found)
    wanted = wanted if ends_in_softmax else softmax(wanted)
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


def to_program(file: str, backbone: str, target: str) -> dict[str, Any]:
    """Write `file`, as Keras opens it, behind its preprocessing as OpenVINO's `target` (.xml).

    Called in a child process.
    """
    import keras

    path = Path(file)
    check_file(path)
    try:
        model: Any = keras.saving.load_model(file, compile=False, safe_mode=True)
        keras_builds.write_program(registry.get(backbone), model, CHANNELS_LAST, Path(target))
    except Exception as error:  # whatever Keras meets in a file that it did not write
        raise ModelError(f"Keras to open {file}", _in_short(error), "import it") from error
    return {"features": int(model.output_shape[-1])}


def _as_keras(
    source: Path,
    card: ModelCard,
    pixels: UInt8[np.ndarray, "images size size 3"],
    stop: threading.Event | None,
) -> Float32[np.ndarray, "images outputs"]:
    """What the network that Keras finds in `source` gives; on float32, whatever the processor."""
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        target = Path(folder) / "network.xml"
        arguments = {"file": str(source), "backbone": card.backbone, "target": str(target)}
        answer = untrusted.call(
            _TO_PROGRAM, arguments, lambda found: ModelError("a model", found, "import it"), stop
        )
        size = card.image.size
        program = Program(target, answer["features"])
        with OpenVinoBackbone(program, size, batch_size(size)) as network:
            batches = [(n, pixels[n : n + 1]) for n in range(len(pixels))]
            found = dict(network.run(batches, stop=stop))
    if len(found) < len(pixels):
        raise Interrupted("comparing the model", "repeat the same command")
    return np.concatenate([found[n] for n in range(len(pixels))])


def _pixels(card: ModelCard, images: Sequence[Path]) -> UInt8[np.ndarray, "images size size 3"]:
    if images:
        return np.stack([load_pixels(image, card.image) for image in images])
    shape = (_GENERATED, card.image.size, card.image.size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _in_short(error: Exception) -> str:
    """What Keras says, without the whole configuration that it repeats."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = lines[-1].removeprefix("Exception encountered: ") if len(lines) > 1 else ""
    first = (lines or [type(error).__name__])[0]
    first = first.partition(" using config=")[0].partition(" Full object config")[0]
    return f"{first[:200]}: {cause[:200]}" if cause else first[:200]
