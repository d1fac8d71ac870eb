"""The settings of a study: what the user asks for, and what that came to on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from manyheads.backbones import joined_backbones, own_files, preprocessing_modes, registry
from manyheads.backbones.placement import AUTO, PRECISIONS, RUNTIMES, placed, without_number
from manyheads.backbones.registry import NO_BACKBONE, BackboneSpec
from manyheads.core.accelerators import DEVICES
from manyheads.core.settings import choice, store, whole
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import (
    ImageSettings,
    SplitSettings,
    TableSettings,
)
from manyheads.data.feature_files import is_array
from manyheads.errors import SettingError
from manyheads.features.rows import STORAGES
from manyheads.heads.bank import ENGINES, chosen_engine
from manyheads.heads.epoch_rules import check_rule, chooses_epoch, fixed_epoch, scored_by
from manyheads.heads.hyperparameters import (
    MAX_EPOCHS,
    NEUTRAL,
    OF_IMAGES,
    usual_epochs,
)
from manyheads.study.backbone_choices import (
    BackboneCandidates,
)
from manyheads.study.rungs import Rung, check_prune, rungs
from manyheads.study.space import Candidates, Trials


def usual_rule(patience: object, *, several_labels: bool = False) -> str:
    """The rule that selects unless another is given: the last epoch, unless there is a patience.

    Where the learning rate falls to 0 the last epoch is about the best, and its score is not
    optimistic, as that of an epoch is which the validation images chose. Of `several_labels` it is
    the least loss: most labels are absent from most images, so that the share told right is high
    for all candidates and hardly tells them apart.
    """
    if several_labels:
        return "best_loss"
    return "last" if patience is None else "best_accuracy"


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What the user asks for; every combination of the grid's values is a candidate, or a draw.

    `runtime` and `device` say what computes the backbone; `auto` becomes what suits the machine
    (`placed_here`) before it is written. `data` names the data set, and `table` says how one that
    is a table is read; `weights` is a file of weights or None for ImageNet's. A `backbone` in a
    file has a stated `preprocessing`, one of Keras's has its own. Where the candidates differ in
    their backbone (`BackboneCandidates`), `backbone` and `image` are the first one's, and
    `on_backbone` gives the study on another. With `features`, an array (`.npy`, `.npz`) or columns
    of the table `data`, there is no backbone, and nothing that needs images.
    `seeds` is how many trials each candidate has in a fold; `select` is the rule that chooses an
    epoch and a candidate (`heads/epoch_rules.py` lists them), on validation images
    only. With `folds`, images for training and validation are divided into so many parts, `repeats`
    times anew, and every head is trained on all parts but one, which validates it; None: the given
    validation images do. With `usual_epochs` the grid's epochs are replaced by as many as suit the
    number of training images, as soon as that is known, and before study.toml is written. A trial
    ends early once its rule has found no better epoch in `patience` epochs; `prune` trains only the
    best `1 / prune` of the candidates on from each rung to the next. None: neither. `augmentation`
    says how copies differ (None: as they usually do), and `grid_storage`, f32 or f16, how feature
    maps are kept.
    """

    data: str
    grid: Candidates
    backbone: str = "xception"
    preprocessing: str | None = None
    weights: str | None = None
    features: tuple[str, ...] | None = None
    image: ImageSettings = field(default_factory=ImageSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    table: TableSettings = field(default_factory=TableSettings)
    seeds: int = 1
    folds: int | None = None
    repeats: int | None = None
    select: str = "best_accuracy"
    usual_epochs: bool = False
    patience: int | None = None
    prune: int | None = None
    engine: str = "fused"
    runtime: str = "openvino"
    device: str = "cpu"
    precision: str = "f32"
    augmentation: Augmentation | None = None
    grid_storage: str = "f32"

    def __post_init__(self) -> None:
        store(self, seeds=whole("seeds", self.seeds, 1, 100_000), select=check_rule(self.select))
        self._check_backbone()
        self._check_epochs()
        self._check_folds()
        choice("engine", self.engine, ENGINES)
        store(self, device=without_number(self.device))
        choice("runtime", self.runtime, (AUTO, *RUNTIMES))
        choice("device", self.device, (AUTO, *DEVICES))
        choice("precision", self.precision, PRECISIONS)
        choice("grid_storage", self.grid_storage, STORAGES)
        self._check_copies()
        if self.prune is not None:
            if len(self.grid.epochs) > 1:
                raise SettingError(
                    "one number of epochs to prune by", " ".join(map(str, self.grid.epochs)),
                    "list one, or leave out prune",
                )  # fmt: skip
            store(self, prune=check_prune(len(self.grid), self.epochs, self.prune))

    def _check_backbone(self) -> None:
        if isinstance(self.grid, BackboneCandidates) and self.weights is not None:
            raise SettingError(
                "one `backbone` for `weights`", f"{len(self.grid.choices):,}",
                "leave out `weights`, or study one backbone",
            )  # fmt: skip
        if isinstance(self.grid, BackboneCandidates) and self.features is not None:
            raise SettingError(
                "features alone, which need no backbone", f"{len(self.grid.choices):,} backbones",
                "leave out `backbone` and `image_size`, or the features",
            )  # fmt: skip
        if self.features is not None:
            store(self, features=lasting_features(self.features), backbone=NO_BACKBONE.name)
            if self.weights is not None or self.preprocessing is not None:
                raise SettingError(
                    "features alone, which need no backbone", "weights or a preprocessing as well",
                    "leave these out",
                )  # fmt: skip
            self._check_without_images()
        elif joined_backbones.is_joined(self.backbone):
            if (words := self.preprocessing) is not None:
                store(self, preprocessing=preprocessing_modes.parse(words).words)
            store(self, backbone=joined_backbones.in_full(self.backbone))
        elif registry.is_described(self.backbone):
            store(self, backbone=registry.get(self.backbone, self.preprocessing).pinned)
        elif own_files.is_file(self.backbone):
            words = preprocessing_modes.stated(self.preprocessing, Path(self.backbone).name)
            file = lasting(Path(self.backbone).expanduser())
            store(self, backbone=file, preprocessing=words)
        elif self.preprocessing is not None:
            registry.get(self.backbone, self.preprocessing)  # says that it has its own

    def _check_without_images(self) -> None:
        grid = self.grid
        for name in OF_IMAGES:
            if getattr(grid, name) != (NEUTRAL[name],):
                raise SettingError(
                    f"images for {name}", "features that were computed elsewhere, and no images",
                    f"leave out {name}, or give images and a backbone",
                )  # fmt: skip

    def placed_as(self, runtime: str, device: str) -> Self:
        """The same with this runtime and device, unless others than these are asked for."""
        if self.runtime in (AUTO, runtime) and self.device in (AUTO, device):
            return replace(self, runtime=runtime, device=device)
        return self

    def placed_here(self) -> Self:
        """The same with a runtime and a device that are decided, for this machine.

        Raises what `placement.placed` raises.
        """
        if AUTO not in (self.runtime, self.device):
            return self
        if self.features is not None:
            return self.placed_as("openvino", "cpu")
        found = placed(self.runtime, self.device, self.precision, lambda: self.spec)
        return replace(self, runtime=found.runtime, device=found.device)

    def _check_epochs(self) -> None:
        fixed = fixed_epoch(self.select)
        if fixed is not None and fixed > min(self.grid.epochs):
            raise SettingError(
                f"the epoch of fixed:N to be among the {min(self.grid.epochs)} that are trained",
                self.select,
                "train for more epochs, or name an earlier one",
            )
        if self.patience is None:
            return
        store(self, patience=whole("patience", self.patience, 1, MAX_EPOCHS))
        if not chooses_epoch(self.select):
            best = f"best_{scored_by(self.select) or 'accuracy'}"
            raise SettingError(
                "a rule that has a best epoch to wait for",
                f"patience with select {self.select}, which waits for none",
                f"leave out patience, or select {best} or best_loss",
            )

    def _check_copies(self) -> None:
        if max(self.grid.augmented_copies):
            store(self, augmentation=self.augmentation or Augmentation())
        elif self.augmentation is not None and not self.augmentation.changes:
            store(self, augmentation=None)
        elif self.augmentation is not None:
            raise SettingError(
                "augmented_copies for an augmentation", "none",
                "list augmented_copies above 0, or leave out the augmentation",
            )  # fmt: skip
        if self.augmentation and not self.augmentation.changes and 0 in self.grid.random_erasing:
            raise SettingError(
                "augmented copies that differ from the image",
                "no augmentation, and random_erasing 0",
                "augment, or list random_erasing above 0 alone",
            )  # fmt: skip

    def _check_folds(self) -> None:
        if self.folds is not None:
            store(self, folds=whole("folds", self.folds, 2, 100))
            store(
                self, repeats=whole("repeats", 1 if self.repeats is None else self.repeats, 1, 1000)
            )
        elif self.repeats is not None:
            raise SettingError(
                "folds that can be repeated", "repeats without folds", "give folds, such as 5"
            )

    def for_training_on(self, images: int, *, several_labels: bool = False) -> Self:
        """The same study with what the data and the machine decide: its epochs and its engine.

        Raises `SettingError` for the engine `stacked`, which trains one class per image.
        The usual epochs for so many training images suit the largest batches, which make the fewest
        steps.
        """
        engine = chosen_engine(self.engine)
        if several_labels and engine == "stacked":
            if self.engine == "stacked":
                raise SettingError(
                    "an engine that trains several labels per image", "stacked",
                    "give `engine` fused, or auto",
                )  # fmt: skip
            engine = "fused"
        settings = replace(self, engine=engine)
        if not self.usual_epochs:
            return settings
        epochs = usual_epochs(images, max(self.grid.batch_size))
        return replace(settings, usual_epochs=False, grid=self.grid.with_epochs(epochs))

    @property
    def spec(self) -> BackboneSpec:
        """The backbone; raises `BackboneError` for one that is not known, or not there."""
        if self.features is not None:
            return NO_BACKBONE
        return registry.get(self.backbone, self.preprocessing)

    @property
    def backbones(self) -> int:
        """How many backbones, each at an image size, the candidates are divided among."""
        return self.grid.backbones

    def on_backbone(self, place: int) -> Self:
        """The same study with the backbone and the images of one of the candidates' choices."""
        if not isinstance(self.grid, BackboneCandidates):
            return self
        choice = self.grid.choices[place]
        return replace(
            self, backbone=choice.backbone, image=choice.image, preprocessing=choice.preprocessing
        )

    def place_of(self, candidate: int) -> int:
        """Which of the backbones a candidate, counted from 1, has."""
        return self.grid.place_of(candidate - 1)

    @property
    def epochs(self) -> int:
        """How many epochs the longest trials have."""
        return max(self.grid.epochs)

    @property
    def divisions(self) -> int:
        """Into how many pairs of training and validation images the data are divided."""
        return (self.folds or 1) * (self.repeats or 1)

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """How many candidates train to which epoch; a single rung where none is pruned."""
        return rungs(len(self.grid), self.epochs, self.prune)

    def trials(self) -> Trials:
        """All trials of the study."""
        return Trials(len(self.grid), self.seeds, self.divisions)


def lasting(data: str | Path) -> str:
    """`data` so that it means the same in another folder: a path in full, or a catalog's name."""
    try:
        return str(Path(data).absolute() if Path(data).exists() else data)
    except (OSError, ValueError):  # no path at all, as opening it will say
        return str(data)


def lasting_features(features: Sequence[str]) -> tuple[str, ...]:
    """`features` so that they mean the same in another folder: an array's path in full."""
    if not features or isinstance(features, str):
        raise SettingError(
            "an array (.npy) or names of columns as features", repr(features), "give at least one"
        )
    if not is_array(features):
        return tuple(map(str, features))
    return (str(Path(features[0]).expanduser().absolute()),)
