"""Which study it is, for a tracker: a digest of its questions, and its settings in a flat table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manyheads.core.settings import digest
from manyheads.publish.publication import Value, told
from manyheads.study.draw_table import DRAW
from manyheads.study.study_document import BACKBONES, renewed

_PLACES = ("data", "weights", "features")  # where something lies, which tells nothing of what it is
_GROWING = ("seeds", "repeats")
_PARTS = ("study", "grid", "image", "split", "table", BACKBONES)
_SHORT = 12  # digits of a digest for people


def study_key(document: Mapping[str, Any]) -> str:
    """A digest of what the study of a `document` (study.toml) asks, and of which data.

    It stays the same when the study grows, and when its folder or its data set are moved.
    """
    document = renewed(dict(document))
    kept = {name: _without_places(document[name]) for name in _PARTS if name in document}
    kept["study"] = {name: v for name, v in kept["study"].items() if name not in _GROWING}
    if DRAW in document:
        kept[DRAW] = document[DRAW]["seed"]
    resolved = document["resolved"]
    of_data = [resolved["content"], resolved["weights"], list(resolved.get("backbones", ()))]
    return digest([kept, of_data])


def study_parameters(document: Mapping[str, Any]) -> dict[str, Value]:
    """The settings of the study of a `document` by name, without those that grow with it.

    Lists of values are one text. Settings of images and splits have the names of their tables in
    front: `image_size`, `split_seed`. Of paths only the last part is told.
    """
    document = renewed(dict(document))
    return {name: told(value) for name, value in _settings(document)}


def data_tags(document: Mapping[str, Any]) -> dict[str, str]:
    """Which version, which data and which backbone: short texts to search by."""
    resolved = document["resolved"]
    study = document["study"]
    backbones = [each["backbone"] for each in document.get(BACKBONES, ())] or [study["backbone"]]
    return {
        "version": str(resolved["versions"].get("manyheads", "")),
        "data": plain_end(study["data"]),
        "data_digest": str(resolved["content"])[:_SHORT],
        "backbone": ", ".join(dict.fromkeys(map(plain_end, backbones))),
        "weights_digest": str(resolved["weights"])[:_SHORT],
    }


def plain_end(path: object) -> str:
    """The last part of a path or an address: trackers are others' machines, too."""
    text = str(path).rstrip("/\\")
    return Path(text).name or text


def _settings(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document["study"].items():
        if name in _PLACES:
            value = " ".join(map(plain_end, value if isinstance(value, list) else [value]))
        if isinstance(value, dict):
            yield from ((f"{name}_{inner}", each) for inner, each in value.items())
        elif name not in _GROWING:
            yield name, plain_end(value) if name == "backbone" else value
    if BACKBONES in document:
        yield BACKBONES, [_choice_words(each) for each in document[BACKBONES]]
    yield from document["grid"].items()
    if DRAW in document:
        yield "draw_seed", document[DRAW]["seed"]
    for part in ("image", "split"):
        for name, value in document[part].items():
            yield f"{part}_{name}", value
    resolved = document["resolved"]
    labels = resolved.get("label_names", ())  # of several per image, whose classes are sets of them
    yield ("labels", len(labels)) if labels else ("classes", len(resolved["classes"]))


def _choice_words(choice: Mapping[str, Any]) -> str:
    size = choice.get("image", {}).get("size", "")
    return f"{plain_end(choice['backbone'])}@{size}"


def _without_places(part: Any) -> Any:
    """A table of settings without where things lie; of a network's file its name."""
    if isinstance(part, list):
        return [_without_places(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name: plain_end(value) if name == "backbone" else value
        for name, value in part.items()
        if name not in (*_PLACES, "images_in")
    }
