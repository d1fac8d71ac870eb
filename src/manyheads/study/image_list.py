"""The images that a study was begun with, kept so that it can be told how they have changed.

`images.npz` in the run folder: of each image its name, 16 bytes of its digest, its label and its
split, compressed; less than 32 bytes an image where names are not very long, 32 MB for a million.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.places import atomic_path
from manyheads.core.text import counted
from manyheads.data.changes import KEPT_BYTES, Listed, changes_words
from manyheads.data.columns import Categorical
from manyheads.data.dataset import Dataset
from manyheads.data.folds import pool_of
from manyheads.errors import ManyheadsError
from manyheads.study.folder import RunFolder
from manyheads.study.store import Store


def keep_images(folder: RunFolder, dataset: Dataset) -> None:
    """Write the list of the study's images, unless it is there."""
    if folder.images.is_file():
        return
    listed = Listed.of(dataset)
    text = "\0".join(listed.names).encode("utf-8", "surrogateescape")
    with atomic_path(folder.images) as temporary:
        np.savez_compressed(
            temporary,
            names=np.frombuffer(text, np.uint8),
            digests=listed.digests,
            labels=listed.labels.codes,
            classes=np.array(listed.labels.names),
            splits=listed.splits.codes.astype(np.uint8),
            split_names=np.array(listed.splits.names),
        )


def kept_images(folder: RunFolder) -> Listed | None:
    """The list of the images of a study, or of a fit's studies, which are all of the same.

    None if an earlier version kept none, or it is damaged.
    """
    folder = folder.study
    try:
        with folder.images.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            names = kept["names"].tobytes().decode("utf-8", "surrogateescape").split("\0")
            listed = Listed(
                names,
                kept["digests"].reshape(len(names), KEPT_BYTES),
                Categorical(kept["classes"].tolist(), kept["labels"]),
                Categorical(kept["split_names"].tolist(), kept["splits"].astype(np.int32)),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return listed if len(listed.labels) == len(listed.splits) == len(names) else None


def change_words(folder: RunFolder, classes: tuple[str, ...], dataset: Dataset) -> str:
    """How `dataset` differs from the images of the study in `folder`, which had these `classes`.

    Which images it is cannot be told of a study of an earlier version: then classes are compared,
    and the numbers of those images that validated.
    """
    kept = kept_images(folder)
    if kept is not None:
        return changes_words(kept, Listed.of(dataset))
    return f"{_known(folder, classes, dataset)}; the study kept no list of its images to say more"


def resumed_words(folder: RunFolder, former: Mapping[str, Any], dataset: Dataset) -> str:
    """How `dataset` differs from the images of the study whose document is `former`."""
    classes = former.get("resolved", {}).get("classes", ())
    words = change_words(folder, tuple(classes), dataset)
    data = former.get("study", {}).get("data", "")
    root = Path(data)
    elsewhere = root.is_absolute() and root != dataset.root.absolute()
    return f"the images at {data} were others: {words}" if elsewhere else words


def _known(folder: RunFolder, classes: tuple[str, ...], dataset: Dataset) -> str:
    gone = [name for name in classes if name not in dataset.classes]
    new = [name for name in dataset.classes if name not in classes]
    if gone or new:
        words = [f"no class {name!r}" for name in gone[:3]]
        words += [f"a new class {name!r}" for name in new[:3]]
        return f"{', '.join(words)} ({len(dataset.classes):,} classes, then {len(classes):,})"
    divisions, file = [], folder.study.store
    if file.is_file():
        with suppress(ManyheadsError), Store(file) as store:
            divisions = store.divisions()
    if not divisions:
        return "the images have changed"
    in_folds = len(divisions) > 1
    rows = pool_of(dataset) if in_folds else dataset.rows("validation")
    now = np.bincount(dataset.labels[rows], minlength=len(classes))
    every = divisions if in_folds else divisions[:1]
    images, first = np.unique(np.concatenate([each.images for each in every]), return_index=True)
    labels = np.concatenate([each.labels for each in every])[first]
    then = np.bincount(labels, minlength=len(classes))
    kind = "image" if in_folds else "validation image"
    where = " for training and validation" if in_folds else ""
    other = [
        f"{name} {old:,} → {new:,}"
        for name, old, new in zip(classes, then, now, strict=True)
        if old != new
    ]
    if not other:
        return f"as many {kind}s{where} of every class as then, but not the same ones"
    more = [f"and {len(other) - 3:,} more classes"] if len(other) > 3 else []
    return (
        f"{counted(len(rows), kind)}{where}, then {len(images):,} "
        f"({', '.join([*other[:3], *more])})"
    )
