"""The features of a data set, or of a study's images, as a pack in one file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from manyheads.core.destinations import file_for, require_room
from manyheads.core.job import SILENT, Job
from manyheads.core.settings import choice
from manyheads.data.columns import Categorical
from manyheads.data.dataset import Dataset
from manyheads.data.feature_packs import PACK_SUFFIX, FeaturePack, read_pack
from manyheads.data.left_out import LeftOut
from manyheads.data.listing import Listing
from manyheads.data.paths import Paths
from manyheads.data.unreadable_images import require_readable
from manyheads.errors import DataError, SettingError
from manyheads.features.extraction import Features
from manyheads.features.packing import write_pack
from manyheads.features.rows import STORAGES, type_of
from manyheads.run.data_check import ExtractionSettings, extracted
from manyheads.study.folder import RunFolder
from manyheads.study.reopened import perhaps_moved, require_same_data, same_weights
from manyheads.study.sources import open_data, plain_features
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import lasting


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """What goes into a pack beside features, recipe and contents.

    Features are kept as `storage` says, f32 or f16. Without `labels` there are no names, labels,
    splits and groups either, and images are in the order of their contents, which tells nothing.
    Test images go in with `test` alone. `licence` is a note for people. Raises `SettingError`.
    """

    storage: str = "f32"
    labels: bool = True
    test: bool = False
    licence: str = ""

    def __post_init__(self) -> None:
        choice("storage", self.storage, STORAGES)
        if not str(self.licence).isprintable():
            raise SettingError("a licence note in one line", repr(self.licence), "shorten it")


@dataclass(frozen=True)
class Packed:
    """A `pack` that was written to `path`, and the images that are in it.

    `test` counts the test images that were left out; `unreadable` has the reason by name. It took
    `passes` of the backbone.
    """

    path: Path
    pack: FeaturePack
    dataset: Dataset
    test: int
    unreadable: dict[str, str]
    passes: int


def pack_data(
    dataset: Dataset,
    extraction: ExtractionSettings,
    out: Path,
    settings: PackSettings,
    *,
    strict: bool = False,
    job: Job = SILENT,
) -> Packed:
    """Pack the features of a data set in the file `out`, from the cache or computed now.

    Images that cannot be read are left out, or, if `strict`, a `DataError`. Raises what `extracted`
    and `write_pack` raise, and what `pack_target` does.
    """
    pack_target(out)
    used = _used(dataset, settings)
    features = extracted(used, extraction, job)
    return _packed(dataset, used, features, out, settings, strict)


def pack_study(
    run: str | Path,
    out: Path,
    settings: PackSettings,
    *,
    data: str | Path | None = None,
    strict: bool = False,
    job: Job = SILENT,
) -> Packed:
    """Pack the features of the images of the study in `run`, by its recipe and its division.

    `data` is where the data set lies, if it was moved; `strict` is as for `pack_data`. Raises
    `RunError` for a folder without a study, `DataError` for a data set that has changed, and for a
    study on features.
    """
    folder = RunFolder(run)
    study, resolved = read_study(folder.document())
    if study.features is not None:
        raise DataError(
            f"a study of images in {folder.path}", "one of features that were computed elsewhere",
            f"pass on {Path(study.data).name} itself",
        )  # fmt: skip
    pack_target(out)
    source = study.data if data is None else data
    with perhaps_moved():
        dataset = open_data(replace(study, data=lasting(source)), job)
    require_same_data(dataset, resolved, folder, source)
    used = _used(dataset, settings)
    features = plain_features(study, used, same_weights(study, resolved, job), job=job)
    return _packed(dataset, used, features, out, settings, strict)


def is_study(source: str | Path) -> bool:
    """Whether `source` is the run folder of a study, and no data set."""
    return RunFolder(Path(source).expanduser()).settings.is_file()


def pack_target(out: Path) -> Path:
    """`out` if a new pack may be written there; raises `SettingError`, `DataError` or `DiskError`.

    What is there is not replaced, for a pack may be all that is left of its images.
    """
    file_for(out, suffixes=(PACK_SUFFIX,))
    if out.exists():
        raise DataError(
            f"no file at {out}, for nothing is overwritten", "one", "move it, or name another"
        )
    return out


def _used(dataset: Dataset, settings: PackSettings) -> Dataset:
    return dataset if settings.test else dataset.without(dataset.rows("test").tolist())


def _packed(
    dataset: Dataset,
    used: Dataset,
    features: Features,
    out: Path,
    settings: PackSettings,
    strict: bool,
) -> Packed:
    unreadable = {used.name_of(index): why for index, why in features.unreadable.items()}
    require_readable(unreadable, len(used), strict=strict)
    readable = np.flatnonzero(features.rows >= 0)
    if not len(readable):
        raise DataError("images that can be read", "none", "mend the files")
    if not settings.labels:
        values = used.digests.values[readable]
        readable = readable[np.lexsort(values.T[::-1])]
    packed = used.taken(readable)
    kept = FeaturePack(
        features=features.matrix,
        contents=packed.digests,
        recipe=features.recipe.described,
        listing=_listing(packed) if settings.labels else None,
        licence=settings.licence,
    )
    size = type_of(settings.storage).itemsize * features.matrix.shape[1] * len(readable)
    require_room(out, size)
    write_pack(out, kept, features.rows[readable], settings.storage)
    test = len(dataset) - len(used)
    return Packed(out, read_pack(out), packed, test, unreadable, features.passes)


def _listing(dataset: Dataset) -> Listing:
    return Listing(
        layout="features",
        paths=Paths.of(dataset.name_of(index) for index in range(len(dataset))),
        labels=Categorical(dataset.classes, dataset.labels.astype(np.int32)),
        splits=dataset.splits,
        groups=dataset.groups,
        ignored=LeftOut.none(),
        label_names=dataset.label_names,
    )
