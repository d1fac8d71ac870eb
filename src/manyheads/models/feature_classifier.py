"""A head alone, ready to classify features that were computed elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from manyheads.backbones import exported, registry
from manyheads.backbones.weights import resolve
from manyheads.core.job import SILENT, Job
from manyheads.core.settings import number, restored
from manyheads.core.text import counted
from manyheads.data.data_settings import ImageSettings
from manyheads.data.feature_files import is_array, read_matrix
from manyheads.data.feature_packs import is_pack, read_pack
from manyheads.errors import DataError, ModelError, SettingError
from manyheads.heads.head import Parameters, forward
from manyheads.models.card import unlike_path
from manyheads.models.classifier import (
    Asked,
    Classifier,
    ImageClassifier,
    Prediction,
    Predictions,
)
from manyheads.models.label_answers import require_one_class
from manyheads.models.subnetwork_answers import subnetworks_of
from manyheads.models.templates import read_head
from manyheads.models.unknown_answers import unknown_rule

if TYPE_CHECKING:
    from manyheads.models.explain.explanation import Explanations


class FeatureClassifier(Classifier):
    """A head with its class names, for features instead of images. Made by `load`."""

    def __repr__(self) -> str:
        return f"<FeatureClassifier {self.path}: {len(self.classes)} classes>"

    @property
    def features(self) -> int:
        """How many features a row has."""
        return read_head(self.path).features

    def predict(
        self,
        images: Any,
        *,
        min_confidence: float = 0.0,
        uncertainty: int = 0,
        unknown: float | str | None = None,
        cache: bool = True,
        workers: int | str | None = None,
        job: Job = SILENT,
    ) -> Predictions:
        """The class and the probabilities of each row of features `[rows, features]`.

        Rows are named "row 0" and so on; of the rest, see `Classifier.stream`. There is no pass
        and no `cache`. Raises `DataError` for anything but finite numbers of the head's own width.
        """
        found = self.stream(
            images, min_confidence=min_confidence, uncertainty=uncertainty, unknown=unknown,
            cache=cache, workers=workers, job=job,
        )  # fmt: skip
        return Predictions(self.classes, list(found))

    def stream(
        self,
        images: Any,
        *,
        min_confidence: float = 0.0,
        uncertainty: int = 0,
        unknown: float | str | None = None,
        cache: bool = True,
        workers: int | str | None = None,
        job: Job = SILENT,
        first: int = 0,
    ) -> RowStream:
        """The same one after the other; the first row's number is `first`.

        Raises `SettingError` for `workers`: a head alone takes less time than to ask them.
        """
        del cache  # there is no pass to spare
        if workers is not None:
            raise SettingError(
                "a model of images for `workers`", f"{self.path.name}, which takes features",
                "leave out `workers`",
            )  # fmt: skip
        require_one_class(self.card, self.path, uncertainty)
        least = number("min_confidence", min_confidence, 0.0, 1.0)
        head = read_head(self.path)
        if len(head.bias) != len(self.classes):
            raise ModelError(
                f"{len(self.classes)} logits from {self.path.name}", str(len(head.bias)),
                "keep the model and its side file together",
            )  # fmt: skip
        rule = unknown_rule(self, unknown, job)
        if rule is not None and rule.unlikeness.features != head.features:
            raise ModelError(
                f"{counted(head.features, 'feature')} in {unlike_path(self.path).name}",
                f"{rule.unlikeness.features:,}", "remove that file",
            )  # fmt: skip
        masks = subnetworks_of(self.path, head, uncertainty) if uncertainty else None
        rows = enumerate(_matrix(images, head.features), first)
        return RowStream(self._answers(rows, head, Asked(least, masks, rule), job))

    def explain(self, *_: object, **__: object) -> Explanations:
        """Raises `ModelError`: features show no image."""
        raise ModelError(
            "a model of images, to explain", f"{self.path.name}, which takes features",
            "explain a model that was trained on images",
        )  # fmt: skip

    def _answers(
        self,
        rows: Iterator[tuple[int, Float[np.ndarray, "features"]]],
        head: Parameters,
        asked: Asked,
        job: Job,
    ) -> Iterator[Prediction]:
        for place, row in rows:
            job.check("the predictions", "repeat the same command")
            content = hashlib.sha256(row.tobytes()).hexdigest()
            # Alone: the sums of a product depend on its shape, and a row must not on others.
            logits = forward(head, row[np.newaxis])[0]
            yield self._prediction(f"row {place}", content, row, logits, asked)

    def of_images(self, device: str = "cpu", job: Job = SILENT) -> ImageClassifier:
        """The same model for images: its head on the backbone that the features of its pack are of.

        The backbone is prepared if it is not in the cache, and its weights are fetched. Raises
        `ModelError` for features that no pack has told the recipe of, or of a network in a file,
        and what `resolve` raises.
        """
        recipe = self.card.recipe
        if recipe is None:
            raise ModelError(
                "one array of features (.npy, .npz), for this model takes no images", "images",
                "save the features of the images with np.save",
            )  # fmt: skip
        name, digest = recipe["backbone"], recipe["weights"]
        image = restored(ImageSettings, recipe["image"])
        spec = registry.from_card(name, recipe["preprocessing"])
        if spec.normalisation is not None:
            raise ModelError(
                "features of a backbone that Keras has, to classify images", f"those of {name}",
                "pack the features of the images with it, and give the pack",
            )  # fmt: skip
        if exported.existing(spec, digest, image.size) is None:
            weights = resolve(spec, None, job)
            if weights.digest != digest:
                raise ModelError(
                    f"the weights of {name} that the features are of ({digest[:12]})",
                    f"others ({weights.source})",
                    "pack the features of the images where those are, and give the pack",
                )  # fmt: skip
            exported.program(spec, weights, image.size, job)
        card = replace(
            self.card, backbone=name, weights=digest, weights_source="those of the pack",
            image=image, preprocessing=spec.preprocessing, recipe=None,
        )  # fmt: skip
        return ImageClassifier(self.path, card, device)

    def read(self, files: Sequence[str]) -> Float[np.ndarray, "rows features"] | None:
        """The features in the only one of `files`, an array (.npy, .npz) or a pack.

        None where `files` are others: images, which `of_images` takes. Raises `DataError`, also for
        a pack of another recipe than the model's.
        """
        if is_array(files):
            return read_matrix(Path(files[0]), files)
        if len(files) > 1 or not is_pack(files[0]):
            return None
        pack = read_pack(Path(files[0]).expanduser())
        # Also the same features in another precision: they differ by rounding.
        if self.card.recipe is not None and pack.recipe != self.card.recipe:
            raise DataError(
                f"features that {self.path.name} takes, {self.card.weights_source}",
                pack.recipe_words, "pack them by the same recipe",
            )  # fmt: skip
        return np.asarray(pack.features, np.float32)


class RowStream(Iterator[Prediction]):
    """Predictions of rows as they come, with the interface of a `PredictionStream`."""

    passes = from_cache = 0
    remarks: tuple[str, ...] = ()

    def __init__(self, predictions: Iterator[Prediction]) -> None:
        self._predictions = predictions

    def __next__(self) -> Prediction:
        return next(self._predictions)

    def close(self) -> None:
        """Nothing is open."""


def _matrix(given: Any, features: int) -> Float[np.ndarray, "rows features"]:
    expected = f"features [rows, {features}], computed as those of the study were"
    remedy = "this model takes no images: give their features, a row for each"
    try:
        array = np.asarray(given)
    except ValueError:  # rows that are not equally long
        array = np.zeros(0, object)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise DataError(expected, f"{array.dtype} {list(array.shape)}", remedy)
    array = np.atleast_2d(array)
    if array.shape[-1] != features:
        raise DataError(expected, str(list(array.shape)), remedy)
    matrix = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise DataError("finite features", f"others in row {bad[0]}", "mend that row")
    return matrix
