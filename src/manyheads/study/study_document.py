"""study.toml: the settings of a study and what they came to, as a document, and read back."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from manyheads.core.settings import plain
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import (
    FORMER_SPLIT_RULE,
    ImageSettings,
    SplitSettings,
    TableSettings,
)
from manyheads.errors import RunError, SettingError
from manyheads.heads.hyperparameters import NEUTRAL, as_named, as_stored
from manyheads.study.backbone_choices import BackboneCandidates, choices_document, read_choices
from manyheads.study.draw_table import DRAW, draw_tables, read_candidates
from manyheads.study.study_settings import StudySettings

BACKBONES = "backbones"
"""The array of a study.toml that lists several backbones."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What the settings came to: digests of everything that a result depends on, and versions.

    `content` digests images, labels and splits; `weights` the backbone's arrays. Of several
    backbones, `backbones` are the digests of each, in their order, and `weights` that of these.
    Where an image may have several labels, `label_names` are these, and `classes` are label sets.
    """

    content: str
    weights: str
    weights_source: str
    classes: tuple[str, ...]
    versions: dict[str, str]
    backbones: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()

    def weights_of(self, place: int) -> str:
        """The digest of the weights of one of several backbones, or of the only one."""
        return self.backbones[place] if self.backbones else self.weights


def study_document(settings: StudySettings, resolved: Resolved) -> dict[str, Any]:
    """The contents of `study.toml`."""
    asked = {key: value for key, value in plain(settings).items() if value is not None}
    if asked.pop("usual_epochs"):
        raise ValueError("the epochs of a study are known before it is written")
    tables = {name: asked.pop(name) for name in ("grid", "image", "split")}
    drawn = draw_tables(settings.grid)
    tables |= drawn or {"grid": as_stored(tables["grid"])}
    if isinstance(settings.grid, BackboneCandidates):
        tables[BACKBONES] = choices_document(settings.grid.choices)
    if asked["device"] == "cpu":  # what a study without an accelerator has always been
        del asked["device"]
    # Without options a study is what it was before there were any.
    table = {name: value for name, value in asked.pop("table").items() if value is not None}
    tables |= {"table": table} if table else {}
    found = plain(resolved)
    for name in ("backbones", "label_names"):  # of other studies there are none
        if not found[name]:
            del found[name]
    return {"study": asked, **tables, "resolved": found}


def read_study(document: dict[str, Any]) -> tuple[StudySettings, Resolved]:
    """What `study_document` wrote; raises `RunError` if it is of another version or damaged."""
    document = renewed(document)
    try:
        tables = {
            "grid": read_candidates(document["grid"], document.get(DRAW)),
            "image": ImageSettings(**document["image"]),
            "split": SplitSettings.read(document["split"]),
            "table": TableSettings(**_read_table(document.get("table", {}))),
        }
        if BACKBONES in document:
            tables["grid"] = BackboneCandidates(tables["grid"], read_choices(document[BACKBONES]))
        resolved = {
            **document["resolved"],
            "classes": tuple(document["resolved"]["classes"]),
            "backbones": tuple(document["resolved"].get("backbones", ())),
            "label_names": tuple(document["resolved"].get("label_names", ())),
        }
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


def _read_table(table: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `TableSettings`; a list of TOML is a tuple there."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in table.items()}


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
