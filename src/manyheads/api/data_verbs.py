"""The verbs on data, as functions with the command line's defaults.

`progress`: True shows a bar in a notebook or a terminal and nothing elsewhere, False nothing; a
function is called with (step, done, total), often; a `Job` hears every event, and stops the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manyheads.api.progress_bars import ShowProgress, reported
from manyheads.core.job import SILENT, Job
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.given_data import Data, given_data
from manyheads.data.manifest_writer import check_manifest_path, write_manifest
from manyheads.data.shares import count_classes
from manyheads.data.unreadable_images import require_readable, share_of
from manyheads.findings.similar import NEARER
from manyheads.run.data_check import (
    CheckSettings,
    DataCheck,
    ExtractionSettings,
    check_data,
    extracted,
)


@dataclass(frozen=True, kw_only=True)
class ExtractedFeatures:
    """The features of the readable images of a data set, in its order.

    `features` is float32 `[images, features]`; `names`, `labels` (classes) and `splits` are of the
    same images. `unreadable` has the reason by name. This call took `passes` and `seconds`.
    """

    features: Float32[np.ndarray, "images features"]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    unreadable: dict[str, str]
    passes: int
    seconds: float


def check(
    data: Data,
    *,
    similar: bool = False,
    nearer: float = NEARER,
    labels: bool = False,
    split: SplitSettings | None = None,
    table: TableSettings | None = None,
    backbone: str | Path = "xception",
    preprocessing: str | None = None,
    weights: str | Path | None = None,
    image_size: int | None = None,
    interpolation: str | None = None,
    resize: str | None = None,
    exif: bool = True,
    depth: int | None = None,
    decode: str = "full",
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "f32",
    workers: int | str | None = None,
    progress: ShowProgress = True,
) -> DataCheck:
    """Decode every image and say what may spoil a study; nothing is changed.

    `data` may be all that `Study` takes. With a backbone's features, `similar` finds nearly
    identical images, at most `nearer` times as far from each other as from the tenth-nearest image,
    and `labels` finds labels that heads trained on all other images do not believe, among training
    and validation images. `workers` are those of `extract`, for the features. The other parameters
    are `Study`'s. Raises `DataError` for data that cannot be used, `MissingExtraError` for `labels`
    without cleanlab.
    """
    asked = CheckSettings(
        image=ImageSettings(exif=exif, depth=depth), similar=similar, nearer=nearer, labels=labels
    )
    extraction = None
    if similar or labels:
        extraction = ExtractionSettings.of(
            backbone, preprocessing, weights, image_size, interpolation, exif, depth,
            resize=resize, decode=decode, runtime=runtime, device=device, precision=precision,
        )  # fmt: skip
    with reported(progress) as job:
        dataset = _opened(data, split, table, job, reread=True)
        return check_data(dataset, asked, extraction, job, workers)


def extract(
    data: Data,
    *,
    split: SplitSettings | None = None,
    table: TableSettings | None = None,
    backbone: str | Path = "xception",
    preprocessing: str | None = None,
    weights: str | Path | None = None,
    image_size: int | None = None,
    interpolation: str | None = None,
    resize: str | None = None,
    exif: bool = True,
    depth: int | None = None,
    decode: str = "full",
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "f32",
    strict: bool = False,
    max_unreadable: float | str | None = None,
    workers: int | str | None = None,
    progress: ShowProgress = True,
) -> ExtractedFeatures:
    """Run the backbone once per image, keep the features in the cache, and return them.

    `data` may be all that `Study` takes. The features are a copy in memory: 8 kB an image with
    Xception. Unreadable images are left out, or, if `strict`, a `DataError`, as is a share of them
    above `max_unreadable` (0.01 or "1%"). `workers` compute, a number of processes of this machine,
    "ray" or the address of a Ray cluster, with the same results. Other parameters are `Study`'s.
    """
    extraction = ExtractionSettings.of(
        backbone, preprocessing, weights, image_size, interpolation, exif, depth,
        resize=resize, decode=decode, runtime=runtime, device=device, precision=precision,
    )  # fmt: skip
    most = share_of("max_unreadable", max_unreadable)
    with reported(progress) as job:
        dataset = _opened(data, split, table, job)
        found = extracted(dataset, extraction, job, workers)
    unreadable = {dataset.name_of(index): reason for index, reason in found.unreadable.items()}
    require_readable(unreadable, len(dataset), strict=strict, most=most)
    readable = np.flatnonzero(found.rows >= 0).tolist()
    return ExtractedFeatures(
        features=found.matrix[found.rows[readable]],
        names=tuple(dataset.name_of(index) for index in readable),
        labels=tuple(dataset.classes[dataset.labels[index]] for index in readable),
        splits=tuple(dataset.splits[index] for index in readable),
        unreadable=unreadable,
        passes=found.passes,
        seconds=found.seconds,
    )


def split(
    data: Data,
    out: str | Path,
    *,
    split: SplitSettings | None = None,
    table: TableSettings | None = None,
) -> dict[str, dict[str, int]]:
    """Write which images train, validate and test to the manifest `out` (.csv), a new file.

    `data` may be all that `Study` takes. Splits that the data set gives stay as they are; others
    are divided by class and group, as every verb does it. Returns the images of each class in each
    split. Raises `DataError` for data that cannot be used, `RunError` or `DiskError` for a file
    that is there or cannot be written.
    """
    target = Path(out).expanduser()
    check_manifest_path(target)
    dataset = _opened(data, split, table, SILENT)
    write_manifest(target, dataset, divided=True)
    return {name: dict(counts) for name, counts in count_classes(dataset).items()}


def _opened(
    data: Data,
    split: SplitSettings | None,
    table: TableSettings | None,
    job: Job,
    *,
    reread: bool = False,
) -> Dataset:
    source, table = given_data(data, table)
    return open_dataset(source, split=split or SplitSettings(), table=table, reread=reread, job=job)
