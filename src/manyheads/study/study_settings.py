"""The settings of a study: what the user asks for, and what that came to on this machine."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from manyheads.backbones import own_files, preprocessing_modes, registry
from manyheads.backbones.compiled import PRECISIONS, RUNTIMES
from manyheads.backbones.registry import NO_BACKBONE, BackboneSpec
from manyheads.core.settings import choice, plain, store, whole
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import (
    FORMER_SPLIT_RULE,
    ImageSettings,
    SplitSettings,
    TableSettings,
)
from manyheads.data.feature_files import is_array
from manyheads.errors import RunError, SettingError
from manyheads.features.rows import STORAGES
from manyheads.heads.bank import check_rule, fixed_epoch
from manyheads.heads.hyperparameters import MAX_EPOCHS, NEUTRAL, OF_IMAGES, as_named, as_stored
from manyheads.study.rungs import Rung, check_prune, rungs
from manyheads.study.space import Grid, Trials

ENGINES = ("fused", "keras")


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What the user asks for; every combination of the grid's values is a candidate.

    `data` names the data set, and `table` says how one that is a table is read; `weights` is a file
    of weights or None for ImageNet's. A `backbone` in a file has a stated `preprocessing`, one of
    Keras's has its own. With `features`, an array (`.npy`) or columns of the table `data`, there is
    no backbone, and nothing that needs images.
    `seeds` is how many trials each candidate has in a fold; `select` is the rule that chooses an
    epoch and a candidate (`best_accuracy`, `best_loss`, `last` or `fixed:N`), on validation images
    only.
    With `folds`, images for training and validation are divided into so many parts, `repeats`
    times anew, and every head is trained on all parts but one, which validates it; None: the given
    validation images do. A trial ends early once its rule has found no better epoch in `patience`
    epochs; `prune` trains only the best `1 / prune` of the candidates on from each rung to the
    next. None: neither. `augmentation` says how copies differ (None: as they usually do), and
    `grid_storage`, f32 or f16, how feature maps are kept.
    """

    data: str
    grid: Grid
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
    patience: int | None = None
    prune: int | None = None
    engine: str = "fused"
    runtime: str = "openvino"
    precision: str = "f32"
    augmentation: Augmentation | None = None
    grid_storage: str = "f32"

    def __post_init__(self) -> None:
        store(self, seeds=whole("seeds", self.seeds, 1, 100_000), select=check_rule(self.select))
        self._check_backbone()
        self._check_epochs()
        self._check_folds()
        choice("engine", self.engine, ENGINES)
        choice("runtime", self.runtime, RUNTIMES)
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
        if self.features is not None:
            store(self, features=lasting_features(self.features), backbone=NO_BACKBONE.name)
            if self.weights is not None or self.preprocessing is not None:
                raise SettingError(
                    "features alone, which need no backbone", "weights or a preprocessing as well",
                    "leave these out",
                )  # fmt: skip
            self._check_without_images()
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
        if self.select not in ("best_accuracy", "best_loss"):
            raise SettingError(
                "a rule that has a best epoch to wait for",
                f"patience with select {self.select}, which waits for none",
                "leave out patience, or select best_accuracy or best_loss",
            )

    def _check_copies(self) -> None:
        if max(self.grid.augmented_copies):
            store(self, augmentation=self.augmentation or Augmentation())
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

    @property
    def spec(self) -> BackboneSpec:
        """The backbone; raises `BackboneError` for one that is not known, or not there."""
        if self.features is not None:
            return NO_BACKBONE
        return registry.get(self.backbone, self.preprocessing)

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


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What the settings came to: digests of everything that a result depends on, and versions.

    `content` digests images, labels and splits; `weights` the backbone's arrays.
    """

    content: str
    weights: str
    weights_source: str
    classes: tuple[str, ...]
    versions: dict[str, str]


# These may differ between two runs that are the same study all the same.
_INCIDENTAL = (
    "study.data",
    "study.weights",
    "study.features",
    "table.images_in",
    "resolved.weights_source",
    "resolved.versions",
)


def study_document(settings: StudySettings, resolved: Resolved) -> dict[str, Any]:
    """The contents of `study.toml`."""
    asked = {key: value for key, value in plain(settings).items() if value is not None}
    tables = {name: asked.pop(name) for name in ("grid", "image", "split")}
    tables["grid"] = as_stored(tables["grid"])
    # Without options a study is what it was before there were any.
    table = {name: value for name, value in asked.pop("table").items() if value is not None}
    tables |= {"table": table} if table else {}
    return {"study": asked, **tables, "resolved": plain(resolved)}


def read_study(document: dict[str, Any]) -> tuple[StudySettings, Resolved]:
    """What `study_document` wrote; raises `RunError` if it is of another version or damaged."""
    document = renewed(document)
    try:
        tables = {
            "grid": Grid(**{name: tuple(values) for name, values in document["grid"].items()}),
            "image": ImageSettings(**document["image"]),
            "split": SplitSettings.read(document["split"]),
            "table": TableSettings(**document.get("table", {})),
        }
        resolved = {**document["resolved"], "classes": tuple(document["resolved"]["classes"])}
        study = dict(document["study"])
        if "features" in study:
            study["features"] = tuple(study["features"])
        if "augmentation" in study:
            study["augmentation"] = Augmentation(**study["augmentation"])
        return StudySettings(**study, **tables), Resolved(**resolved)
    except (KeyError, TypeError, AttributeError, SettingError) as error:
        reason = f"one without {error}" if isinstance(error, KeyError) else str(error)
        raise RunError(
            "a study.toml that this version of manyheads understands", reason,
            "use the version that began the study",
        ) from error  # fmt: skip


def renewed(document: dict[str, Any]) -> dict[str, Any]:
    """A document, of this version or an earlier one, under the names of today."""
    try:
        study, grid = dict(document["study"]), dict(document["grid"])
        for name in ("epochs", "batch_size"):  # once settings of the whole study
            if name in study:
                grid[name] = [study.pop(name)]
        usual = {name: [value] for name, value in NEUTRAL.items()}
        grid = usual | as_named(grid)
        if not any(grid["weight_decay"]):  # then adamw, which could once be listed, is adam
            names = grid["optimizer"]
            if "adam" in names:
                grid["optimizer"] = [name for name in names if name != "adamw"]
            else:
                grid["optimizer"] = ["adam" if name == "adamw" else name for name in names]
        new = {**document, "study": study, "grid": grid}
        if "split" in document:
            new["split"] = {"rule": FORMER_SPLIT_RULE, **document["split"]}  # once the only one
        return new
    except (KeyError, TypeError):  # damaged, as reading it will say
        return document


def to_toml(document: dict[str, Any]) -> str:
    """`document` as TOML."""
    return tomli_w.dumps(document)


def read_toml(path: Path) -> dict[str, Any]:
    """The document in `path`; raises `RunError` if it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RunError(
            f"the settings of a study in {path}",
            str(error),
            "restore the file, or begin the study anew in another run folder",
        ) from error


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What makes `new` another study than `old`, a line a setting: `name: old → new`."""
    before, after = dict(_flat(renewed(old))), dict(_flat(renewed(new)))
    lines = []
    for key in sorted(before.keys() | after.keys()):
        incidental = any(key == name or key.startswith(f"{name}.") for name in _INCIDENTAL)
        if key == "study.backbone":
            # Where a file lies is no matter: its content has a digest, that of the weights.
            incidental = own_files.is_file(before[key]) and own_files.is_file(after[key])
        if not incidental and before.get(key) != after.get(key):
            lines.append(f"{key}: {_shown(before.get(key))} → {_shown(after.get(key))}")
    return lines


def is_grown(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether `new` is the study of `old` with more seeds, more repeats of its folds, or both."""
    sizes = "seeds", "repeats"
    before, after = ([doc["study"].get(name, 0) for name in sizes] for doc in (old, new))
    study = {**old["study"], **{n: new["study"][n] for n in sizes if n in new["study"]}}
    more = all(a <= b for a, b in zip(before, after, strict=True))
    return more and not differences({**old, "study": study}, new)


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    text = "none" if value is None else str(value)
    return text if len(text) <= 16 else f"{text[:12]}…"
