"""Whether what a file tells of its model can be said by a backbone of ours with a head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyheads.backbones import keras_builds, preprocessing_modes
from manyheads.backbones.known import known
from manyheads.backbones.registry import BackboneSpec
from manyheads.core import keras_process
from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.errors import ModelError, SettingError, WeightsError
from manyheads.models.importing.foreign import refusal

NAME_IT = "name the backbone that it was trained on with `backbone`"
_SLACK = 16  # numbers: means of pixels that one version of Keras keeps as arrays and another not


def check_outputs(path: Path, outputs: int, names: tuple[str, ...]) -> None:
    """Raise `SettingError` unless there is a name for each output."""
    if outputs != len(names):
        raise SettingError(
            f"the names of the {counted(outputs, 'class')} in {path}",
            f"{len(names)}: {', '.join(names)[:120]}",
            "give one name for each output, in the order of training (sorted, in Keras's loader)",
        )


def check_build(
    path: Path,
    spec: BackboneSpec,
    facts: dict[str, Any],
    features: int,
    size: int,
    job: Job = SILENT,
) -> None:
    """Raise `ModelError` unless the file's backbone and pooling are those of `spec`.

    `facts` are what `foreign.take_head` answers; the head takes so many `features` of images of
    `size` pixels.
    """
    here = known(spec)
    if here is None or not facts["described"]:
        return
    if facts["numbers"] and abs(facts["numbers"] - here.numbers) > _SLACK:
        raise WeightsError(
            f"the weights of {spec.name} ({here.numbers:,} numbers) before the head in {path}",
            f"{facts['numbers']:,} numbers: another network, another width, or further layers",
            f"{NAME_IT}, if it is one of keras.applications with all its layers and none added",
        )
    if facts["normalised"] and spec.pools_plainly:
        raise refusal(path, f"{facts['normalised']} in the head")
    outside = bool(facts["pooling"]) and not facts["normalised"]
    if not spec.pools_plainly and outside:
        raise refusal(
            path, f"a pooling behind the last normalisation of {spec.name}, which pools before it"
        )
    _check_pooling(path, spec, facts["pooling"], features // here.features, size, job)
    if features != here.features:
        raise ModelError(
            f"a head on {counted(here.features, 'feature')}, those of {spec.name}, in {path}",
            f"one on {features:,}", NAME_IT,
        )  # fmt: skip


def _check_pooling(
    path: Path,
    spec: BackboneSpec,
    layers: list[dict[str, Any]],
    cells: int,
    size: int,
    job: Job,
) -> None:
    """Raise `ModelError` unless `layers` give the mean over the feature map, and that alone."""
    averaged = any(layer["class"] == "GlobalAveragePooling2D" for layer in layers)
    flat = next((layer for layer in layers if layer["class"] in ("Flatten", "Reshape")), None)
    if cells > 1 and flat is not None and not averaged:
        raise refusal(
            path, f"{flat['name']} of {cells} cells of the feature map, where manyheads takes "
            "their mean",
        )  # fmt: skip
    for window in (layer for layer in layers if layer["class"] == "AveragePooling2D"):
        arguments = {"backbone": spec.name, "size": size}
        side = keras_process.call(keras_builds.grid_side, arguments, job=job)["side"]
        if not _covers(window, side):
            raise refusal(
                path, f"{window['name']} with windows of {window['pool_size']} on a feature map "
                f"of {side} × {side}, where manyheads takes the mean of all cells",
            )  # fmt: skip


def _covers(window: dict[str, Any], side: int) -> bool:
    """Whether windows take in each cell of the grid once, so that their mean is that of all."""
    pool = _pair(window["pool_size"])
    steps = _pair(window["strides"]) if window["strides"] is not None else pool
    return pool == steps and all(side % each == 0 for each in pool)


def _pair(number: Any) -> list[int]:
    return [int(each) for each in (number if isinstance(number, list) else [number, number])]


def prepared(
    path: Path, spec: BackboneSpec, facts: dict[str, Any], given: str | None
) -> tuple[str, bool]:
    """What is done to pixels, as `normalisation` names it, and whether layers in the file do it.

    Raises `ModelError` for layers that do what has no name, and `SettingError` if another
    preprocessing is `given` than the file tells.
    """
    # Such networks prepare pixels themselves; layer by layer, nobody else's layers are recognised.
    found = facts["entered"] if spec.mode == "none" else facts["pixels"]
    if found is None:
        return (spec.mode if given is None else preprocessing_modes.parse(given).words), False
    (words,) = found
    if words is None:
        found = "layers before the backbone that do more to pixels than scale and shift"
        raise refusal(path, found)
    if given is not None and preprocessing_modes.parse(given).words != words:
        raise SettingError(
            f"the preprocessing {words} of {path}, whose own layers do it", given,
            "leave the preprocessing out",
        )  # fmt: skip
    return words, True
