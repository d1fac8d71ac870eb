"""Images with labels for an export: some to calibrate by, others to measure on.

The rule. Images to calibrate by are those that the model was trained on, one of each class, then
another of each, and so on, each class in the order of its images' digests: names, dates and the
order of the files have no part in it. Images to measure on are the validation images, at most
`MEASURED` in the order of their digests. With folds every image has trained the model: then no
image is in both, and the words say so. Test images are in neither.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from manyheads.core.job import Job
from manyheads.core.text import counted
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.folds import pool_of
from manyheads.data.images import load_pixels
from manyheads.data.label_names import strangers_words
from manyheads.errors import DataError, ImageError, SettingError
from manyheads.study.folder import RunFolder
from manyheads.study.reopened import perhaps_moved, require_same_data
from manyheads.study.sources import open_data
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import lasting

MEASURED = 2_000  # images at most; more would take minutes, and tell hardly more
_STEP = 16

Rows = Sequence[int]


@dataclass(frozen=True)
class LabelledImages:
    """The data of an export: rows to `calibrate` by and rows to `measure` on, with their words."""

    dataset: Dataset
    calibrate: Rows
    measure: Rows
    calibrated: str
    measured: str


@dataclass(frozen=True)
class WrittenImages:
    """Images in a file of NumPy, uint8 `[n, size, size, 3]`: the rows in it that could be read."""

    file: Path
    rows: Rows


def study_data(folder: RunFolder, data: str | None, job: Job) -> tuple[Dataset, bool] | None:
    """The data set of the study in `folder`, and whether it has folds; None where there is none.

    `data` says where its images lie now. Raises what opening it raises, and `DataError` for images
    that have changed since.
    """
    study = folder.study
    if not study.settings.is_file():
        return None
    settings, resolved = read_study(study.document())
    if data is not None:
        settings = replace(settings, data=lasting(data))
    with perhaps_moved():
        dataset = open_data(settings, job)
    require_same_data(dataset, resolved, study, settings.data)
    return dataset, settings.folds is not None


def labelled_images(
    folder: RunFolder,
    classes: Sequence[str],
    data: str | None,
    calibration: int,
    job: Job,
    *,
    several_labels: bool = False,
) -> LabelledImages:
    """The images of the study in `folder`, or, of a model without its study, those of `data`.

    `calibration` is how many to calibrate by; 0 for none. Raises `SettingError` for a model without
    its study and without `data`, `DataError` for labels that are no `classes` of the model, and
    what `study_data` raises.
    """
    found = study_data(folder, data, job)
    if found is None:
        if data is None:
            raise SettingError(
                "`data`, labelled images to calibrate by and to measure on",
                f"none, and no study beside the model in {folder.path}",
                "name a folder with a subfolder for each class, or give the run folder",
            )  # fmt: skip
        found = open_dataset(lasting(data), job=job), False
    dataset, has_folds = found
    if bool(dataset.label_names) != several_labels:
        one, several = "one class per image", "several labels per image"
        raise DataError(
            f"{several if several_labels else one} in {dataset.root}, as the model has",
            one if several_labels else several, "name other images",
        )  # fmt: skip
    if why := strangers_words(dataset.outputs, classes):
        raise DataError(
            f"labels that are classes of the model in {dataset.root}", why, "name other images"
        )
    known = folder.study.settings.is_file()
    return _divided(dataset, calibration, has_folds=has_folds, known=known)


def _divided(dataset: Dataset, calibration: int, *, has_folds: bool, known: bool) -> LabelledImages:
    digests = dataset.digests
    if has_folds:
        pool = pool_of(dataset).tolist()
        calibrate = _spread(dataset, pool)[: min(calibration, len(pool) // 2)]
        chosen = set(calibrate)
        measure = [row for row in pool if row not in chosen]
    else:
        calibrate = _spread(dataset, dataset.rows("train").tolist())[:calibration]
        measure = dataset.rows("validation").tolist()
    measure = sorted(measure, key=lambda row: digests[row])[:MEASURED]
    if not measure or (calibration and not calibrate):
        raise DataError(
            f"training images and validation images in {dataset.root}",
            f"{len(calibrate):,} and {len(measure):,}", "name other images with `data`",
        )  # fmt: skip
    of = "" if known else f" of {dataset.name}"
    own = "images that the model was trained on" if has_folds else f"validation images{of}"
    calibrated = f"{counted(len(calibrate), 'training image')}{of}" if calibrate else ""
    return LabelledImages(dataset, calibrate, measure, calibrated, own)


def _spread(dataset: Dataset, rows: Rows) -> list[int]:
    """One row of each class, then another of each, and so on, in the order of their digests.

    Where an image may have several labels, a class is a set of them.
    """
    digests, labels = dataset.digests, dataset.labels
    by_class: dict[int, list[int]] = {}
    for row in sorted(rows, key=lambda row: digests[row]):
        by_class.setdefault(int(labels[row]), []).append(row)
    rounds = itertools.zip_longest(*(by_class[label] for label in sorted(by_class)))
    return [row for one in rounds for row in one if row is not None]


def write_images(
    dataset: Dataset, rows: Rows, image: ImageSettings, file: Path, what: str, job: Job
) -> WrittenImages:
    """Write the images at `rows`, prepared as `image` says, as `file` (.npy).

    One that cannot be read is left out. Raises `ImageError` if none can be read, and `Interrupted`.
    """
    shape = (len(rows), image.size, image.size, 3)
    pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    read: list[int] = []
    reason: ImageError | None = None
    for place, row in enumerate(rows):
        if place % _STEP == 0:
            job.progress(what, place, len(rows), "images")
            job.check(what)
        try:
            pixels[len(read)] = load_pixels(dataset.paths[row], image)
        except ImageError as error:
            reason = error
            continue
        read.append(row)
    job.progress(what, len(rows), len(rows), "images")
    pixels.flush()
    if not read and reason is not None:
        raise reason
    return WrittenImages(file, read)


def labels_of(dataset: Dataset, rows: Rows, classes: Sequence[str]) -> Int64[np.ndarray, "rows"]:
    """The numbers that the labels of `rows` have among the `classes` of a model."""
    number = {name: place for place, name in enumerate(classes)}
    own = np.array([number[name] for name in dataset.classes], np.int64)
    return own[dataset.labels[np.asarray(rows, np.int64)]]
