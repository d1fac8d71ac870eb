"""How the documents of two studies differ, and whether one goes on with the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from manyheads.backbones import own_files
from manyheads.data.data_settings import FORMER_SPLIT_RULE
from manyheads.errors import RunError
from manyheads.heads.hyperparameters import NAMES
from manyheads.study.draw_table import DRAW
from manyheads.study.study_document import BACKBONES, read_study, renewed, study_document
from manyheads.study.study_settings import StudySettings

# These may differ between two runs that are the same study all the same.
_INCIDENTAL = (
    "study.data",
    "study.weights",
    "study.features",
    "table.images_in",
    "resolved.weights_source",
    "resolved.versions",
)


_SHOWN = 20  # values of a list
_VALUES_DRAWN = tuple(f"{DRAW}.{name}:" for name in NAMES)


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What makes `new` another study than `old`, a line a setting: `name: old → new`."""
    before, after = dict(_flat(renewed(old))), dict(_flat(renewed(new)))
    lines = []
    for key in sorted(before.keys() | after.keys()):
        incidental = any(key == name or key.startswith(f"{name}.") for name in _INCIDENTAL)
        if key == "study.backbone" or (key.startswith(BACKBONES) and key.endswith(".backbone")):
            # Where a file lies is no matter: its content has a digest, that of the weights.
            places = before.get(key), after.get(key)
            incidental = all(each and own_files.is_file(each) for each in places)
        if not incidental and before.get(key) != after.get(key):
            lines.append(f"{key}: {_shown(before.get(key))} → {_shown(after.get(key))}")
    asked = [line for line in lines if not line.startswith(_VALUES_DRAWN)]
    return asked or lines  # what is drawn follows from what is asked


def is_study_of(document: dict[str, Any], settings: StudySettings) -> bool:
    """Whether the study of `document` has these `settings`, as far as is known without the data."""
    try:
        begun, resolved = read_study(document)
    except RunError:
        return False
    if settings.usual_epochs:  # how many, the data decide
        grid = settings.grid.with_epochs(begun.epochs)
        settings = replace(settings, usual_epochs=False, grid=grid)
    if settings.engine == "auto":  # it goes on with the one that it was begun with
        settings = replace(settings, engine=begun.engine)
    settings = settings.placed_as(begun.runtime, begun.device)
    if begun.split.rule == FORMER_SPLIT_RULE:  # it goes on by it
        settings = replace(settings, split=replace(settings.split, rule=FORMER_SPLIT_RULE))
    asked = study_document(settings, resolved)
    return not differences(document, asked) or draws_more(document, asked)


def is_grown(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether `new` is the study of `old` with more seeds, more repeats of its folds, or both."""
    sizes = "seeds", "repeats"
    before, after = ([doc["study"].get(name, 0) for name in sizes] for doc in (old, new))
    study = {**old["study"], **{n: new["study"][n] for n in sizes if n in new["study"]}}
    more = all(a <= b for a, b in zip(before, after, strict=True))
    return more and not differences({**old, "study": study}, new)


def draws_more(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether `new` is the study of `old` with more candidates of the same draw, none pruned."""
    before, after = old.get(DRAW), new.get(DRAW)
    if not before or not after or "prune" in new["study"]:
        return False
    count = before["candidates"]
    first = {name: values[:count] if isinstance(values, list) else values
             for name, values in after.items()}  # fmt: skip
    return count < after["candidates"] and not differences(
        old, {**new, DRAW: {**first, "candidates": count}}
    )


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(place): each for place, each in enumerate(value, start=1)}
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value if len(value) <= _SHOWN else [*value[:_SHOWN], "…"]))
    text = "none" if value is None else str(value)
    return text if len(text) <= 16 else f"{text[:12]}…"
