"""`--config`: the settings of a study.toml in the place of an option's defaults."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from manyheads.cli.parser import Parser
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings

_IMAGE_OPTIONS = {"size": "image_size"}
_SPLIT_OPTIONS = {
    "validation": "validation_share",
    "test": "test_share",
    "seed": "split_seed",
    "rule": "split_rule",
}
_DRAW_OPTIONS = {"candidates": "candidates", "seed": "draw_seed"}
_OF_BACKBONE = ("backbone", "preprocessing", "weights")  # features have none, nor images


def with_config(args: argparse.Namespace) -> argparse.Namespace:
    """`args` with the settings of the file `args.config` where the command line gives none.

    The file is a study.toml, whole or in parts, or a run folder that holds one. Raises `RunError`
    if it cannot be read and `SettingError` for a key that is none of a study's settings.
    """
    from manyheads.data.feature_files import own_features
    from manyheads.errors import SettingError

    parser = Parser.running
    assert parser is not None  # a command that runs has one
    images = args.features is None and own_features(args.data) is None
    made = parser.parsed_over(config_defaults(args.config, images=images))
    if made.data is None:
        raise SettingError(
            f"DATA, or data under [study] in {args.config}", "neither", "name the data set"
        )
    return made


def config_defaults(config: str | Path, *, images: bool = True) -> dict[str, Any]:
    """The settings in `config` by the names of the options of `sweep`.

    With `images` False, nothing is taken of a backbone and of how it sees images.
    """
    from manyheads.data.augmentation import Augmentation
    from manyheads.data.feature_files import own_features
    from manyheads.study.study_document import BACKBONES, renewed

    file, document = _document(Path(config).expanduser())
    if "resolved" in document:
        # A study began with it: what an earlier version does not name has its neutral value.
        document = renewed(document)
        # Without the name of a device it computed on the processor.
        if isinstance(document.get("study"), dict):
            document["study"] = {"device": "cpu", **document["study"]}
    tables = _known_tables(file, document)
    study = dict(tables["study"])
    if "augmentation" in study:
        study["augment"] = Augmentation(**study.pop("augmentation"))
    made = study | tables["grid"] | tables["table"] | _renamed(tables["split"], _SPLIT_OPTIONS)
    # The values that were drawn follow from what is asked, which options may replace.
    made |= {option: tables["draw"][name] for name, option in _DRAW_OPTIONS.items()
             if name in tables["draw"]}  # fmt: skip
    if images and BACKBONES in document:
        return made | _asked_of_backbones(file, document[BACKBONES])
    # What belongs to a pack is not asked of other data: images may take its place.
    if study.get("features") == ["features"] and own_features(study.get("data")):
        del made["features"]
    if images and "features" not in study:
        return made | _renamed(tables["image"], _IMAGE_OPTIONS)
    return {name: value for name, value in made.items() if name not in _OF_BACKBONE}


def _asked_of_backbones(file: Path, documents: Any) -> dict[str, Any]:
    from manyheads.errors import SettingError
    from manyheads.study.backbone_choices import asked_for, read_choices

    try:
        return asked_for(read_choices(documents))
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingError(
            f"[[backbones]] with name, backbone and image in {file}", str(error),
            "write them as a study.toml has them",
        ) from error  # fmt: skip


def _document(path: Path) -> tuple[Path, dict[str, Any]]:
    """The file at `path` or in the run folder there, and what it says."""
    from manyheads.errors import RunError
    from manyheads.study.folder import RunFolder
    from manyheads.study.study_document import read_toml

    if path.is_dir():
        folder = RunFolder(path)
        return folder.settings, folder.document()
    if not path.is_file():
        raise RunError(
            f"a study.toml or a run folder at {path}", "no such file", "name one that is there"
        )
    return path, read_toml(path)


def _known_tables(file: Path, document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables of `document`, with hyperparameters by their present names as lists.

    Raises `SettingError` for a table or a key that a study.toml does not have.
    """
    from manyheads.data.augmentation import Augmentation
    from manyheads.heads.hyperparameters import DECLARED, as_named
    from manyheads.study.study_document import BACKBONES
    from manyheads.study.study_settings import StudySettings

    kinds = {"image": ImageSettings, "split": SplitSettings, "table": TableSettings}
    known = {table: {each.name for each in fields(kind)} for table, kind in kinds.items()}
    # The usual epochs are no setting of a file: it lists epochs, or does not.
    known["study"] = {each.name for each in fields(StudySettings)} - {
        "grid", "usual_epochs", *kinds,
    }  # fmt: skip
    known["grid"] = set(DECLARED)
    known["draw"] = {"candidates", "seed", *DECLARED}
    _require_known(f"tables of a study.toml in {file}", document, {*known, BACKBONES, "resolved"})
    tables = {name: _table(file, name, document.get(name, {})) for name in known}
    listed = {
        name: value if isinstance(value, list) else [value]
        for name, value in tables["grid"].items()
    }
    tables["grid"] = as_named(listed)
    for name, keys in known.items():
        _require_known(f"settings of a study under [{name}] in {file}", tables[name], keys)
    name = "study.augmentation"
    augmentation = _table(file, name, tables["study"].get("augmentation", {}))
    keys = {each.name for each in fields(Augmentation)}
    _require_known(f"settings of a study under [{name}] in {file}", augmentation, keys)
    return tables


def _table(file: Path, name: str, found: Any) -> dict[str, Any]:
    from manyheads.errors import SettingError

    if not isinstance(found, dict):
        expected = f"a table [{name}] in {file}"
        raise SettingError(expected, repr(found), f"write its keys below [{name}]")
    return found


def _require_known(what: str, found: Collection[str], known: Collection[str]) -> None:
    from difflib import get_close_matches

    from manyheads.errors import SettingError

    for key in found:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise SettingError(what, f"the key {key!r}", remedy)


def _renamed(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in table.items()}
