"""What tells images unlike a model's, in a file beside it: `best.keras.unlike.safetensors`.

It names the digest of the model that it belongs to, as the side file does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.places import atomic_path, is_writable
from manyheads.data.dataset import Dataset
from manyheads.errors import DiskError, Interrupted, ManyheadsError, ModelError
from manyheads.features.extraction import Features
from manyheads.models.card import ModelCard, card_owner, card_path, unlike_path
from manyheads.models.quantised_record import INT8
from manyheads.stats.unlikeness import Unlikeness
from manyheads.study.folder import RunFolder
from manyheads.study.reopened import require_same_data, same_weights
from manyheads.study.sources import open_data, plain_features
from manyheads.study.store import Division, Store
from manyheads.study.study_document import Resolved, read_study
from manyheads.study.study_settings import StudySettings
from manyheads.study.unlike_images import unlikeness_of

FORMAT = 1
_LARGEST = 1 << 30  # bytes


def write_unlikeness(model: Path, found: Unlikeness) -> None:
    """Write the file beside `model`, which has its side file, whole or not at all."""
    from safetensors.numpy import save

    about = {"format": FORMAT, "file_sha256": card_owner(model), "neighbour": found.neighbour}
    arrays = {"kept": found.kept, "held_out": found.held_out}
    # One entry, because safetensors writes several in an order of chance.
    data = save(arrays, metadata={"about": json.dumps(about, sort_keys=True)})
    with atomic_path(unlike_path(model)) as temporary:
        temporary.write_bytes(data)


def keep_unlikeness(
    model: Path,
    features: Features,
    dataset: Dataset,
    divided: Sequence[Division],
    folds: int | None,
) -> None:
    """Write the file beside `model`, from what `unlikeness_of` takes, unless it is there."""
    if not card_path(model).is_file() or _has_unlikeness(model):
        return
    found = unlikeness_of(features, dataset, divided, folds)
    if found is not None:
        write_unlikeness(model, found)


def _has_unlikeness(model: Path) -> bool:
    try:
        return _about(unlike_path(model)).get("file_sha256") == card_owner(model)
    except (OSError, ValueError):
        return False


def read_unlikeness(model: Path) -> Unlikeness | None:
    """What is in the file beside `model`; None if there is none, or one of another model.

    Raises `ModelError` for one that is damaged, or of another format.
    """
    path = unlike_path(model)
    if not path.is_file():
        return None
    try:
        about = _about(path)
        if about.get("file_sha256") != card_owner(model):
            return None
        if about["format"] != FORMAT:
            raise ValueError(f"one of format {about['format']}")
        return _checked(path, int(about["neighbour"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"a file of format {FORMAT} at {path}, which says what images of the model are like",
            " ".join(str(error).split())[:120],
            "remove it, and repeat the command on the run folder",
        ) from error  # fmt: skip


def unlikeness_beside(model: Path, card: ModelCard, job: Job = SILENT) -> Unlikeness:
    """What tells images unlike those of `model`, from the file beside it.

    The model of a run folder that an earlier version wrote has none: it is made of the study's
    images, without training, and kept. Raises `ModelError` where that cannot be.
    """
    if card.quantised is not None and card.quantised.kind == INT8:
        raise ModelError(
            "a float32 or f16 model, for `unknown`", f"{model.name}, of int8, whose features are "
            "others than those that the rate of false alarms was found on",
            "ask the run folder, or export it as f16",
        )  # fmt: skip
    found = read_unlikeness(model)
    if found is None:
        with job.step("finding out what the study's images are like"):
            found = _of_run(model, card, job)
        if is_writable(model.parent):
            with suppress(DiskError):  # it is made again the next time
                write_unlikeness(model, found)
    return found


def studies_on(
    folder: RunFolder, weights: str
) -> Iterator[tuple[RunFolder, StudySettings, Resolved, int]]:
    """The studies in a run folder on a backbone of these weights, and its place among theirs."""
    for study in [folder] if folder.settings.is_file() else folder.searches:
        settings, resolved = read_study(study.document())
        for place in range(max(1, len(resolved.backbones))):
            if resolved.weights_of(place) == weights:
                yield study, settings, resolved, place


def _of_run(model: Path, card: ModelCard, job: Job) -> Unlikeness:
    folder = RunFolder(model.parent)
    expected = f"{unlike_path(model).name} beside {model.name}, which says what its images are like"
    own = studies_on(folder, card.weights) if model in folder.models else iter(())
    found = next((each for each in own if each[1].on_backbone(each[3]).image == card.image), None)
    if found is None:
        raise ModelError(
            expected, "none", "give the run folder, or export the model again from there; of an "
            "imported model no images are known, so train a study on such images",
        )  # fmt: skip
    study, settings, resolved, place = found
    try:
        dataset = open_data(settings, job)
        require_same_data(dataset, resolved, study, settings.data)
        settings = settings.on_backbone(place)
        weights = same_weights(settings, resolved, job, place)
        features = plain_features(settings, dataset, weights, job=job)
        with Store(study.store) as store:
            made = unlikeness_of(features, dataset, store.divisions(), settings.folds)
    except Interrupted:
        raise
    except ManyheadsError as error:
        raise ModelError(
            f"{expected}, or the study's images, to make it of", f"neither: {error.found}",
            "repeat it where the study's images are",
        ) from error  # fmt: skip
    if made is None:
        raise ModelError(expected, "none, and no held-out images", "begin the study anew")
    return made


def _about(path: Path) -> dict[str, Any]:
    with _opened(path) as file:
        found = json.loads((file.metadata() or {}).get("about", "{}"))
    if not isinstance(found, dict):
        raise ValueError("metadata of another kind")
    return found


def _checked(path: Path, neighbour: int) -> Unlikeness:
    with _opened(path) as file:
        kept, held_out = file.get_tensor("kept"), file.get_tensor("held_out")
    kinds = kept.dtype, held_out.dtype, kept.ndim, held_out.ndim
    if kinds != (np.float16, np.float32, 2, 1):
        raise ValueError(f"arrays {kept.dtype} {list(kept.shape)}, {held_out.dtype}")
    if not (kept.size and held_out.size and neighbour > 0):
        raise ValueError("no images in it")
    if not (
        np.isfinite(kept).all() and np.isfinite(held_out).all() and (np.diff(held_out) >= 0).all()
    ):
        raise ValueError("numbers that are not finite, or not in their order")
    return Unlikeness(kept, held_out, neighbour)


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if path.stat().st_size > _LARGEST:
        raise ValueError(f"more than {_LARGEST:,} bytes")
    try:
        return safe_open(path, "numpy")
    except SafetensorError as error:
        raise ValueError(f"not a whole safetensors file: {error}") from error
