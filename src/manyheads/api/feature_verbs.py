"""Features in one file, as functions with the command line's defaults.

`progress` is as in `data_verbs`.
"""

from __future__ import annotations

from pathlib import Path

from manyheads.api.progress_bars import ShowProgress, reported
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.feature_packs import FeaturePack, read_pack
from manyheads.data.given_data import Data, given_data
from manyheads.features.packing import Unpacked, unpack
from manyheads.run.data_check import ExtractionSettings
from manyheads.run.packs import Packed, PackSettings, is_study, pack_data, pack_study


def pack_features(
    source: Data,
    out: str | Path,
    *,
    storage: str = "f32",
    labels: bool = True,
    test: bool = False,
    licence: str = "",
    data: str | Path | None = None,
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
    progress: ShowProgress = True,
) -> Packed:
    """Write the features of images to the new file `out` (.safetensors), a data set of its own.

    `source` is the run folder of a study, whose backbone, labels and splits it then is (`data` is
    where its data set lies, if it was moved, and the parameters from `split` to `precision` do not
    count), or all that `Study` takes. Features that are not in the cache are computed. `storage`
    f16 halves the file, and rounds. Without `labels` names, labels, splits and groups are left out,
    and so are test images without `test`. `licence` is a note for people. `.pack` is what was
    written, `.test` how many test images were left out. The other parameters are `Study`'s. Raises
    `DataError` for data that cannot be used and for a file that is there.
    """
    settings = PackSettings(storage=storage, labels=labels, test=test, licence=licence)
    target = Path(out).expanduser()
    if isinstance(source, str | Path) and is_study(source):
        with reported(progress) as job:
            return pack_study(source, target, settings, data=data, strict=strict, job=job)
    extraction = ExtractionSettings.of(
        backbone, preprocessing, weights, image_size, interpolation, exif, depth,
        resize=resize, decode=decode, runtime=runtime, device=device, precision=precision,
    )  # fmt: skip
    place, table = given_data(source, table)
    with reported(progress) as job:
        dataset = open_dataset(place, split=split or SplitSettings(), table=table, job=job)
        return pack_data(dataset, extraction, target, settings, strict=strict, job=job)


def unpack_features(file: str | Path, *, progress: ShowProgress = True) -> Unpacked:
    """Put the features of a pack into the cache, where studies of the same images find them.

    What is in the cache stays: `.added` and `.known` count the images. Raises `DataError` for what
    is no pack or was damaged, for features in half precision, and for such that differ from those
    in the cache.
    """
    with reported(progress) as job:
        return unpack(Path(file).expanduser(), job)


def read_features(file: str | Path) -> FeaturePack:
    """The pack in `file`: `.features` `[images, features]`, mapped, with `.names` and `.labels`.

    Raises `DataError` for what is no pack, or was damaged.
    """
    return read_pack(Path(file).expanduser())
