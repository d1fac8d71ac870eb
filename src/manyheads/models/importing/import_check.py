"""Whether an imported model says what its file says, as Keras itself understands that file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.compiled import OpenVinoBackbone
from manyheads.backbones.exported import Program
from manyheads.backbones.registry import CHANNELS_LAST, batch_size
from manyheads.core.job import SILENT, Job
from manyheads.data.images import load_pixels
from manyheads.data.remote_path import FilePath
from manyheads.errors import Interrupted, ManyheadsError, ModelError
from manyheads.heads.head import softmax
from manyheads.modelfiles import untrusted
from manyheads.modelfiles.keras_parts import check_file
from manyheads.models.card import ModelCard
from manyheads.models.classifier import load
from manyheads.models.importing.foreign import plain_copy
from manyheads.models.importing.head_configs import LOG_ODDS, LOGITS, SIGMOID

TOLERANCE = 1e-3
_GENERATED = 4


@dataclass(frozen=True)
class ImportCheck:
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
    output: str,
    inside: bool,
    images: Sequence[FilePath] = (),
    job: Job = SILENT,
) -> ImportCheck:
    """Compare `model` with what Keras makes of `source`, on `images` or on generated ones.

    `output` is what the head of the source gives, as `head_configs` names it; `inside`: the source
    prepares images by layers of its own. Raises `ModelError` if they differ by more than
    `TOLERANCE`, and `ImageError`.
    """
    pixels = _pixels(card, images)
    count, given = len(pixels), bool(images)
    try:
        wanted = _probabilities(output, _as_keras(source, card, inside, pixels, job))
    except Interrupted:
        raise
    except ManyheadsError as error:  # Keras 3 cannot open all that Keras 2 has written
        return ImportCheck(count, given, None, error.found)
    found = load(model).predict(list(pixels), job=job).probabilities
    difference = float(np.abs(found - wanted).max())
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the probabilities that Keras finds with {source}, within {TOLERANCE:g}",
            f"a difference of {difference:.3g}",
            "name the backbone that it was trained on (`backbone`); if that is right, its "
            "layers are not those of keras.applications",
        )
    return ImportCheck(count, given, difference)


def to_program(
    file: str, backbone: str, preprocessing: str, size: int, target: str
) -> dict[str, Any]:
    """Write `file`, as Keras opens it, behind its preprocessing as OpenVINO's `target` (.xml).

    Of the file the parts go to Keras that predicting takes: without how it was trained, and in
    float32. Called in a child process.
    """
    import keras

    path = Path(file)
    spec = registry.from_card(backbone, preprocessing)
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        plain = plain_copy(path, Path(folder) / f"plain{path.suffix.lower()}")
        check_file(plain)
        try:
            found: Any = keras.saving.load_model(plain, compile=False, safe_mode=True)
            images = keras.Input((size, size, 3))
            model = keras.Model(images, found(images, training=False))
            keras_builds.write_program(spec, model, CHANNELS_LAST, Path(target))
        except Exception as error:  # whatever Keras meets in a file that it did not write
            raise ModelError(f"Keras to open {file}", _in_short(error), "import it") from error
    return {"features": int(model.output_shape[-1])}


def _probabilities(
    output: str, found: Float32[np.ndarray, "images outputs"]
) -> Float32[np.ndarray, "images classes"]:
    """What a network gives, as the probability of each class."""
    if output == LOG_ODDS:
        found = 1 / (1 + np.exp(-found))
    if output in (LOG_ODDS, SIGMOID):
        return np.hstack([1 - found, found])
    return softmax(found) if output == LOGITS else found


def _as_keras(
    source: Path,
    card: ModelCard,
    inside: bool,
    pixels: UInt8[np.ndarray, "images size size 3"],
    job: Job,
) -> Float32[np.ndarray, "images outputs"]:
    """What the network that Keras finds in `source` gives; on float32, whatever the processor."""
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        target = Path(folder) / "network.xml"
        size = card.image.size
        arguments = {
            "file": str(source), "backbone": card.backbone, "size": size, "target": str(target),
            "preprocessing": "none" if inside else card.preprocessing,
        }  # fmt: skip
        answer = untrusted.call(
            to_program, arguments, lambda found: ModelError("a model", found, "import it"), job
        )
        program = Program(target, answer["features"])
        with OpenVinoBackbone(program, size, batch_size(size)) as network:
            batches = [(n, pixels[n : n + 1]) for n in range(len(pixels))]
            found = dict(network.run(batches, job=job))
    if len(found) < len(pixels):
        raise Interrupted("comparing the model", "repeat the same command")
    return np.concatenate([found[n] for n in range(len(pixels))])


def _pixels(card: ModelCard, images: Sequence[FilePath]) -> UInt8[np.ndarray, "images size size 3"]:
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
