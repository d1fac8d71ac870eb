"""Whether heads can be trained on a data set, what to do if they cannot, and what nobody checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from manyheads.core.text import percent
from manyheads.data.label_names import near_words
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.data.dataset import Dataset

# Where validation is not given, folds are advised for fewer images than that: of 500 a fifth are
# 100, whose accuracy has a standard error of 3 to 5 points.
FEW_IMAGES = 500
_OFF_SHARE = 0.02  # of the images: less is not worth a line
_NAMED = 5  # classes; others are counted


def require_trainable(dataset: Dataset) -> None:
    """Raise `DataError` unless heads can be trained and selected on the given or derived split.

    Every class needs training images, and two or more classes validation images. A class without
    any is trained and not validated: `unvalidated_words` says so.
    """
    for expected, found, remedy in _obstacles(dataset):
        raise DataError(f"{expected} in {dataset.name}", found, remedy)


def unvalidated_words(dataset: Dataset) -> str:
    """Which classes have training images and none for validation; "" if there is none.

    Such as `not validated: 'scarf' (2 images), 'hat' (1 image); they only train`.
    """
    trained, validated = _counts(dataset, "train"), _counts(dataset, "validation")
    lacking = np.flatnonzero((trained > 0) & (validated == 0))
    if not len(lacking):
        return ""
    words = [f"{dataset.outputs[label]!r} ({images(trained[label])})" for label in lacking]
    verb = "it only trains" if len(lacking) == 1 else "they only train"
    return f"not validated: {listed(words)}; {verb}"


def untested_words(dataset: Dataset) -> str:
    """Which classes have no test image though images were divided for a test; "" if none lacks.

    Such as `not tested: 'scarf' (2 images, 1 group)`.
    """
    if dataset.divided is None or dataset.carved or not len(dataset.rows("test")):
        return ""
    everywhere = dataset.counts(np.arange(len(dataset)))
    lacking = np.flatnonzero((everywhere > 0) & (_counts(dataset, "test") == 0))
    words = []
    for label in lacking:
        units = len(np.unique(dataset.units[dataset.having(int(label))]))
        groups = "" if dataset.groups is None else f", {units:,} group" + "s" * (units != 1)
        words.append(f"{dataset.outputs[label]!r} ({images(everywhere[label])}{groups})")
    return f"not tested: {listed(words)}" if words else ""


def off_share_words(dataset: Dataset) -> str:
    """By how much groups keep splits from their shares, and which is the largest; "" if by little.

    Such as `train 71.0 % (asked: 60 %): groups stay whole, and the largest of 5, p7, has 70.0 %`.
    """
    if dataset.divided is None or dataset.carved or dataset.groups is None or not len(dataset):
        return ""
    settings, groups = dataset.divided, dataset.groups
    asked = {"validation": settings.validation, "test": settings.test}
    asked = {"train": 1 - sum(asked.values()), **asked}
    found = {split: len(dataset.rows(split)) / len(dataset) for split in asked}
    words = [
        f"{split} {percent(found[split])} (asked: {percent(share, 0)})"
        for split, share in asked.items()
        if abs(found[split] - share) >= _OFF_SHARE
    ]
    if not words:
        return ""
    sizes = np.bincount(groups.codes, minlength=len(groups.names))
    sizes[[not name for name in groups.names]] = 0
    largest = int(sizes.argmax())
    return (
        f"{', '.join(words)}: groups stay whole, and the largest of {int((sizes > 0).sum()):,}, "
        f"{groups.names[largest]}, has {percent(sizes[largest] / len(dataset))}"
    )


def few_images_words(dataset: Dataset) -> str:
    """What a division into folds would be better for, for people; "" where it would be for nothing.

    It would where validation is not given and fewer than `FEW_IMAGES` images train and validate.
    """
    validated = len(dataset.rows("validation"))
    pool = len(dataset.rows("train")) + validated
    if dataset.divided is None or pool >= FEW_IMAGES:
        return ""
    return f"with so few images, folds tell more: all {pool:,} validate, instead of {validated:,}"


def listed(words: Sequence[str]) -> str:
    """The first of `words`, and how many more there are."""
    more = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def images(count: int) -> str:
    """So many images, in words."""
    return f"{count:,} image" + ("" if count == 1 else "s")


def _obstacles(dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    names, what = dataset.outputs, "label" if dataset.label_names else "class"
    in_all = dataset.counts(np.arange(len(dataset)))
    if np.count_nonzero(in_all) < 2:
        yield "two or more classes", _names(dataset, in_all > 0), "add images of other classes"
    for split in ("train", "validation"):
        if not len(dataset.rows(split)):
            yield f"{split} images", "none", _remedy(dataset, split, "any class")
    trained, validated = _counts(dataset, "train"), _counts(dataset, "validation")
    if not trained.all():
        absent = [names[label] for label in np.flatnonzero(trained == 0)]
        missing = [repr(name) for name in absent]
        # Labels of one split may be written in another way than those of the others.
        near = near_words(absent, [names[label] for label in np.flatnonzero(trained)])
        remedy = near or _remedy(dataset, "train", missing[0])
        yield f"every {what} among the train images", f"none of {listed(missing)}", remedy
    # Labels without a validation image are a warning: the images without them validate too.
    if np.count_nonzero(validated) < 2 and not dataset.label_names:
        name = repr(dataset.classes[int(np.flatnonzero(validated == 0)[0])])
        yield (
            "two or more classes among the validation images",
            _names(dataset, validated > 0),
            _remedy(dataset, "validation", name),
        )


def _counts(dataset: Dataset, split: str) -> Int64[np.ndarray, "outputs"]:
    return dataset.counts(dataset.rows(split))


def _names(dataset: Dataset, chosen: np.ndarray) -> str:
    return ", ".join(repr(dataset.outputs[label]) for label in np.flatnonzero(chosen)) or "none"


def _remedy(dataset: Dataset, split: str, name: str) -> str:
    if dataset.divided is None or (split == "train" and dataset.carved):
        return f"add {split} images of {name}"
    if dataset.divided.validation == 0:
        return "set the validation share above 0"
    coarse = "" if dataset.groups is None else ", or group the images less coarsely"
    return f"add images of {name}, or take the class out{coarse}"
