"""`Study`: a question on a data set, with its settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict, Unpack

from manyheads.api.opened_studies import OpenedStudy
from manyheads.backbones import registry
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.data.given_data import Data, given_data
from manyheads.errors import SettingError
from manyheads.study.folder import RunFolder
from manyheads.study.space import HYPERPARAMETERS, Grid
from manyheads.study.study_settings import StudySettings, lasting

Values = float | Iterable[float]
Words = str | Iterable[str]


class Regularisers(TypedDict, total=False):
    """The hyperparameters that a study may list beside the lesson's; see `Hyperparameters`."""

    droprate_schedule: Words
    input_droprate: Values
    dropblock: Values
    dropblock_size: int | Iterable[int]
    random_erasing: Values
    augmented_copies: int | Iterable[int]
    mixup: Values
    label_smoothing: Values
    l2: Values
    weight_decay: Values
    max_norm: Values
    optimizer: Words
    momentum: Values
    learning_rate_schedule: Words


class Study(OpenedStudy):
    """All trials of one question on one data set, in one run folder.

    `data` is a folder, a manifest or a name of the catalog; or a data frame with the columns path
    and label (and split and group), a list of pairs (image, label), a pair (images, labels), a data
    set of PyTorch, Keras or Hugging Face, or a dictionary of these by split. These are written to
    the cache, images in memory (uint8 or uint16, the channels last) as PNG. `learning_rate`,
    `size_inner`, `droprate`, `epochs`, `batch_size` and any other of the `Hyperparameters` (`l2=[0,
    0.001]`) are values or lists of them, and every combination is a candidate. `image_size` is in
    pixels (None: the backbone's own), and `depth` is of images with more than 8 bits a channel:
    white is 2^depth - 1. `folds` divides the images for training and validation into so many parts,
    `repeats` times anew, each validated by heads that train on the others; None: the given
    validation images validate. `patience` ends a trial after so many epochs without a better one,
    `prune` trains only the best `1 / prune` of the candidates on from rung to rung. `augmentation`
    is what makes the `augmented_copies`, and `grid_storage` (f32 or f16) how the feature maps of
    `dropblock` are kept. A `backbone` may be a file (.keras, .onnx, OpenVINO's .xml) with a stated
    `preprocessing`; `features` that were computed elsewhere, an array's file (.npy) or columns of
    the Parquet table `data`, take its place. `table` says how a manifest is read, or a data frame.
    A bad value raises `SettingError` at once, and data of another type `DataError`.
    """

    def __init__(
        self,
        data: Data,
        *,
        droprate: Values = (0.0, 0.2, 0.5, 0.8),
        learning_rate: Values = 0.001,
        size_inner: int | Iterable[int] = 100,
        epochs: int | Iterable[int] = 30,
        batch_size: int | Iterable[int] = 32,
        seeds: int = 10,
        folds: int | None = None,
        repeats: int | None = None,
        backbone: str | Path = "xception",
        preprocessing: str | None = None,
        features: str | Path | Sequence[str] | None = None,
        weights: str | Path | None = None,
        image_size: int | None = None,
        interpolation: str = ImageSettings.interpolation,
        exif: bool = True,
        depth: int | None = None,
        split: SplitSettings | None = None,
        table: TableSettings | None = None,
        select: str = "best_accuracy",
        patience: int | None = None,
        prune: int | None = None,
        engine: str = "fused",
        runtime: str = "openvino",
        precision: str = "f32",
        augmentation: Augmentation | None = None,
        grid_storage: str = "f32",
        out: str | Path | None = None,
        **regularisers: Unpack[Regularisers],
    ) -> None:
        if hasattr(features, "__array__"):
            raise SettingError(
                "features as the file of an array (.npy), or names of columns",
                f"{type(features).__name__} in memory",
                "save them with numpy.save and give the path",
            )  # fmt: skip
        given = (str(features),) if isinstance(features, str | Path) else features
        size = image_size or (150 if given else registry.get(backbone, preprocessing).default_size)
        source, table = given_data(data, table, images=given is None)
        settings = StudySettings(
            data=lasting(source),
            grid=_grid(
                learning_rate=learning_rate,
                size_inner=size_inner,
                droprate=droprate,
                epochs=epochs,
                batch_size=batch_size,
                **regularisers,
            ),
            backbone=str(backbone),
            preprocessing=preprocessing,
            features=None if given is None else tuple(given),
            weights=None if weights is None else str(weights),
            image=ImageSettings(
                size=size,
                interpolation=interpolation,
                exif=exif,
                depth=depth,
            ),
            split=split or SplitSettings(),
            table=table,
            seeds=seeds,
            folds=folds,
            repeats=repeats,
            select=select,
            patience=patience,
            prune=prune,
            engine=engine,
            runtime=runtime,
            precision=precision,
            augmentation=augmentation,
            grid_storage=grid_storage,
        )
        folder = RunFolder(out) if out else RunFolder.named_after(source)
        super().__init__(settings, folder, opened=False)


def _grid(**given: Any) -> Grid:
    unknown = [name for name in given if name not in HYPERPARAMETERS]
    if unknown:
        near = get_close_matches(unknown[0], HYPERPARAMETERS, 1)
        raise SettingError(
            "the name of a hyperparameter", unknown[0],
            f"did you mean {near[0]}?" if near else f"choose of {', '.join(HYPERPARAMETERS)}",
        )  # fmt: skip
    return Grid(**{name: _values(values) for name, values in given.items()})


def _values(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        return (given,)
    return tuple(given)
