"""`Study`: a question on a data set, with its settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict, Unpack

from manyheads.api.opened_studies import OpenedStudy
from manyheads.backbones import registry
from manyheads.data.augmentation_presets import Augmentation, parse_augmentation
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.feature_files import own_features
from manyheads.data.given_data import Data, given_data
from manyheads.data.given_features import given_features
from manyheads.data.several_labels import may_have_several, table_as_it_shows
from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import DECLARED, NEUTRAL
from manyheads.heads.ranges import Range
from manyheads.study.backbone_choices import BackboneCandidates, choices_of
from manyheads.study.drawn_candidates import candidates_of
from manyheads.study.folder import RunFolder
from manyheads.study.space import HYPERPARAMETERS, Candidates
from manyheads.study.study_settings import StudySettings, lasting, usual_rule

Values = float | str | Range | Iterable[float | str | Range]
Wholes = int | str | Range | Iterable[int | str | Range]
Words = str | Iterable[str]
Weights = str | Path | Mapping[str, float] | Iterable[str | Path | Mapping[str, float]]
_SCHEDULE = DECLARED["learning_rate_schedule"].usual


class Regularisers(TypedDict, total=False):
    """The hyperparameters that a study may list beside the lesson's; see `Hyperparameters`."""

    droprate_schedule: Words
    input_droprate: Values
    dropblock: Values
    dropblock_size: Wholes
    random_erasing: Values
    augmented_copies: Wholes
    mixup: Values
    label_smoothing: Values
    l2: Values
    weight_decay: Values
    max_norm: Values
    optimizer: Words
    momentum: Values
    learning_rate_schedule: Words
    class_weight: Weights
    balanced_batches: Words | bool | Iterable[bool]


class Study(OpenedStudy):
    """All trials of one question on one data set, in one run folder.

    `data` is a folder, a manifest or a name of the catalog; or a data frame with the columns path
    and label (and split and group), a list of pairs (image, label), a pair (images, labels), a data
    set of PyTorch, Keras or Hugging Face, or a dictionary of these by split. These are written to
    the cache, images in memory (uint8 or uint16, the channels last) as PNG. `learning_rate`,
    `size_inner`, `droprate`, `epochs`, `batch_size` and any other of the `Hyperparameters` (`l2=[0,
    0.001]`) are values or lists of them, and every combination is a candidate. With `candidates`,
    so many are drawn instead, also from ranges: the text "1e-4..1e-1" or `Range(1e-4, 1e-1)`;
    another `draw_seed` (None: 0) draws others. `epochs` None are
    30, or as many more as make 1,000 steps of the optimiser, and the `learning_rate_schedule` is
    cosine unless another is listed: docs/studies.md says why. `select` None is last, with a
    `patience` best_accuracy. `image_size` is in pixels (None: the backbone's own), and `depth` is
    of images with more than 8 bits a channel: white is 2^depth - 1. `decode` is full, or scaled, at
    which JPEGs that are large beside that size are decoded smaller. Lists of backbones or sizes are
    compared in one study, each setting of the head on each of them. `folds` divides the images for
    training and validation into so many parts, `repeats` times anew, each validated by heads that
    train on the others; None: the given validation images validate. `patience` ends a trial after
    so many epochs without a better one, `prune` trains only the best `1 / prune` of the candidates
    on from rung to rung. `augmentation` is what makes the `augmented_copies`, or the name of a
    preset ("flip", "light", "medium", "strong"), and `grid_storage` (f32 or f16) how the feature
    maps of `dropblock` are kept. A `backbone` may be a file (.keras,
    .onnx, OpenVINO's .xml) with a stated `preprocessing`; `features` that were computed elsewhere,
    an array's file (.npy, .npz) or columns of `data`, a Parquet table, a data frame or a data set
    of Hugging Face, take its place; a pack, or a .npz with labels, as `data` has its own. `table`
    says how a manifest is read, or a data frame. Without `out` the run folder is runs/ and the data
    set's name, or if another study is there, that name and a digest of the settings: so a cell of a
    notebook may be changed and run again. A bad value raises `SettingError` at once, and data of
    another type `DataError`.
    """

    def __init__(
        self,
        data: Data,
        *,
        droprate: Values = (0.0, 0.2, 0.5, 0.8),
        learning_rate: Values = 0.001,
        size_inner: Wholes = 100,
        epochs: Wholes | None = None,
        batch_size: Wholes = 32,
        candidates: int | None = None,
        draw_seed: int | None = None,
        seeds: int = 10,
        folds: int | None = None,
        repeats: int | None = None,
        backbone: str | Path | Sequence[str | Path] = "xception",
        preprocessing: str | None = None,
        features: str | Path | Sequence[str] | None = None,
        weights: str | Path | None = None,
        image_size: int | Sequence[int] | None = None,
        interpolation: str | None = None,
        resize: str | None = None,
        exif: bool = True,
        depth: int | None = None,
        decode: str = "full",
        split: SplitSettings | None = None,
        table: TableSettings | None = None,
        select: str | None = None,
        patience: int | None = None,
        prune: int | None = None,
        engine: str = "auto",
        runtime: str = "auto",
        device: str = "auto",
        precision: str = "f32",
        augmentation: Augmentation | str | None = None,
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
        given = given_features(data, given) or own_features(data)
        source, table = given_data(data, table, images=given is None)
        table = table_as_it_shows(source, table)
        grid = _candidates(
            candidates,
            draw_seed,
            learning_rate=learning_rate,
            size_inner=size_inner,
            droprate=droprate,
            epochs=NEUTRAL["epochs"] if epochs is None else epochs,
            batch_size=batch_size,
            **{"learning_rate_schedule": _SCHEDULE, **regularisers},
        )
        how: dict[str, Any] = {
            "interpolation": interpolation, "resize": resize, "exif": exif, "depth": depth,
            "decode": decode,
        }  # fmt: skip
        names: list[Any] = [*_values(backbone)] or [""]
        sizes = () if image_size is None else _values(image_size)
        if len(names) > 1 or len(sizes) > 1:
            choices = choices_of(names, sizes, preprocessing=preprocessing, **how)
            grid, first = BackboneCandidates(grid, choices), choices[0]
            backbone, preprocessing, image = first.backbone, first.preprocessing, first.image
        else:
            backbone, size = str(names[0]), next(iter(sizes), None)
            spec = registry.NO_BACKBONE if given else registry.get(backbone, preprocessing)
            image = spec.prepared(size or (150 if given else None), **how)
        settings = StudySettings(
            data=lasting(source),
            grid=grid,
            backbone=str(backbone),
            preprocessing=preprocessing,
            features=None if given is None else tuple(given),
            weights=None if weights is None else str(weights),
            image=image,
            split=split or SplitSettings(),
            table=table,
            seeds=seeds,
            folds=folds,
            repeats=repeats,
            select=select or usual_rule(patience, several_labels=may_have_several(source, table)),
            usual_epochs=epochs is None,
            patience=patience,
            prune=prune,
            engine=engine,
            runtime=runtime,
            device=device,
            precision=precision,
            augmentation=parse_augmentation(augmentation.split())
            if isinstance(augmentation, str)
            else augmentation,
            grid_storage=grid_storage,
        )
        self._unplaced = None if out else source
        folder = RunFolder(out) if out else RunFolder.for_study(settings, source)
        super().__init__(settings, folder, opened=False)

    def _choose_folder(self) -> None:
        # Others may have run since, in the folder that was free then.
        if self._unplaced is not None and self._finished is None:
            self._folder = RunFolder.for_study(self._settings, self._unplaced)


def _candidates(count: int | None, draw_seed: int | None, **given: Any) -> Candidates:
    unknown = [name for name in given if name not in HYPERPARAMETERS]
    if unknown:
        near = get_close_matches(unknown[0], HYPERPARAMETERS, 1)
        raise SettingError(
            "the name of a hyperparameter", unknown[0],
            f"did you mean {near[0]}?" if near else f"choose of {', '.join(HYPERPARAMETERS)}",
        )  # fmt: skip
    values = {name: _values(each) for name, each in given.items()}
    return candidates_of(values, count, draw_seed)


def _values(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        return (given,)
    return tuple(given)
