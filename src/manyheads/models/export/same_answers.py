"""Whether an exported model says of real images what the study's own model says."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.backbones.registry import NO_BACKBONE
from manyheads.core import keras_process
from manyheads.core.job import SILENT, Job
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.images import load_pixels
from manyheads.errors import ImageError, Interrupted, ManyheadsError, ModelError
from manyheads.heads.head import sigmoid, softmax
from manyheads.models.card import LOGITS, PIXELS, ModelCard
from manyheads.models.export import runtimes
from manyheads.models.export.export_images import study_data
from manyheads.models.export.formats import Format
from manyheads.study.folder import RunFolder
from manyheads.study.reopened import require_same_data
from manyheads.study.sources import array_weights, open_data, plain_features
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import lasting

TOLERANCE = 1e-4  # of a probability

_ABSENT = ", for the study's own are not where they were"
_IMAGES = 32
_PIXELS = 32 * 400 * 400  # more in all, of large images, would take memory and minutes


@dataclass(frozen=True)
class Images:
    """What to compare by: `names`, where they come from, and pixels, or rows of features."""

    source: str
    names: tuple[str, ...]
    given: UInt8[np.ndarray, "images size size 3"] | Float32[np.ndarray, "images features"]


@dataclass(frozen=True)
class ExportCheck:
    """An export that answers as the study's model does.

    All labels were equal; `difference` is the largest between two probabilities, met on the image
    `worst`. `source` says which the `images` are, and `any_batch` whether it takes more than
    one at a time.
    """

    runtime: str
    images: int
    source: str
    difference: float
    worst: str
    any_batch: bool


def images_of(folder: RunFolder, image: ImageSettings, job: Job, data: str | None = None) -> Images:
    """Validation images of the study, spread over its classes, or generated ones for want of any.

    They are at most 32, and fewer of large ones. `data` says where the images lie now, or, of a
    model without its study, which to take; then what opening them raises is raised.
    """
    count = max(4, min(_IMAGES, _PIXELS // image.size**2))
    try:
        found = study_data(folder, data, job)
    except Interrupted:
        raise
    except ManyheadsError:
        if data is not None:
            raise
        return _generated(count, image.size)
    if found is None and data is None:
        return _generated(count, image.size)
    dataset = open_dataset(lasting(str(data)), job=job) if found is None else found[0]
    return _readable(dataset, image, count) or _generated(count, image.size)


def rows_of(folder: RunFolder, features: int, job: Job) -> Images:
    """Validation rows of a study of features, or generated ones for want of any."""
    try:
        settings, resolved = read_study(folder.document())
        dataset = open_data(settings, job)
        require_same_data(dataset, resolved, folder, settings.data)
        rows = _spread(dataset)[:_IMAGES]
        assert settings.features is not None
        weights = array_weights(settings.features, dataset)
        found = plain_features(settings, dataset, weights).matrix[rows]
        names = tuple(f"row {row}" for row in rows)
        return Images("validation rows", names, np.asarray(found, np.float32))
    except Interrupted:
        raise
    except ManyheadsError:
        given = np.random.default_rng(0).normal(size=(_IMAGES, features)).astype(np.float32)
        names = tuple(f"generated row {number}" for number in range(1, _IMAGES + 1))
        return Images(f"generated rows{_ABSENT}", names, given)


def check_answers(
    format_: Format,
    draft: Path,
    card: ModelCard,
    images: Images,
    expected: Float32[np.ndarray, "images classes"],
    scratch: Path,
    job: Job = SILENT,
) -> ExportCheck:
    """Run `draft`, which `card` describes, in its own runtime and hold it to `expected`.

    Those are the probabilities that the study's model gives. Raises `ModelError` if a label is
    another one, or a probability differs by more than 1e-4.
    """
    pixels, target = scratch / "pixels.npy", scratch / "answers.npy"
    np.save(pixels, images.given)
    as_they_are = card.input == PIXELS or card.backbone == NO_BACKBONE.name
    arguments = {
        "format_": format_.name, "file": str(draft), "pixels": str(pixels), "target": str(target),
        "backbone": None if as_they_are else card.backbone,
        "preprocessing": card.preprocessing,
    }  # fmt: skip
    answer = keras_process.call(runtimes.answer, arguments, what="checking the export", job=job)
    found = np.load(target)
    if card.output == LOGITS and found.shape == expected.shape:
        found = sigmoid(found) if card.several_labels else softmax(found)
    difference, worst = _compared(
        found, expected, images.names, answer["runtime"], several_labels=card.several_labels
    )
    return ExportCheck(
        answer["runtime"], len(images.names), images.source, difference, worst,
        bool(answer["any_batch"]),
    )  # fmt: skip


def _compared(
    found: Float32[np.ndarray, "images classes"],
    expected: Float32[np.ndarray, "images classes"],
    names: tuple[str, ...],
    runtime: str,
    *,
    several_labels: bool,
) -> tuple[float, str]:
    if found.shape != expected.shape:
        raise _refusal(runtime, f"an output {list(found.shape)} for {list(expected.shape)}")
    gaps = abs(found - expected).max(axis=1)
    gaps = np.where(np.isfinite(gaps), gaps, np.inf)
    worst = int(gaps.argmax())
    if gaps[worst] > TOLERANCE:
        raise _refusal(runtime, f"probabilities {gaps[worst]:.2g} apart for {names[worst]}")
    if several_labels:  # each is said by its own threshold, from which all are as far as before
        return float(gaps[worst]), names[worst]
    others = np.flatnonzero(found.argmax(axis=1) != expected.argmax(axis=1))
    if len(others):
        raise _refusal(runtime, f"another label for {names[others[0]]}")
    return float(gaps[worst]), names[worst]


def _refusal(runtime: str, found: str) -> ModelError:
    return ModelError(
        f"{runtime} to say what the study's model says, to {TOLERANCE:g} in each probability",
        found,
        "nothing was written; export it in another format",
    )


def _readable(dataset: Dataset, image: ImageSettings, count: int) -> Images | None:
    names, pixels = [], []
    for row in _spread(dataset):
        try:
            pixels.append(load_pixels(dataset.paths[row], image))
        except ImageError:
            continue
        names.append(dataset.name_of(row))
        if len(names) == count:
            break
    return Images("validation images", tuple(names), np.stack(pixels)) if names else None


def _spread(dataset: Dataset) -> list[int]:
    """The rows of the validation images: one of each class, then another of each, and so on."""
    rows = dataset.rows("validation")
    labels = dataset.labels[rows]
    by_class = [rows[labels == label].tolist() for label in range(len(dataset.classes))]
    rounds = itertools.zip_longest(*by_class)
    return [row for one in rounds for row in one if row is not None]


def _generated(count: int, size: int) -> Images:
    """Patches of colours, the same on every machine."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 8, 8, 3), np.uint8)
    places = np.arange(size) * 8 // size
    names = tuple(f"generated image {number}" for number in range(1, count + 1))
    source = f"generated images{_ABSENT}"
    return Images(source, names, coarse[:, places][:, :, places])
