"""A head alone, ready to classify features that were computed elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from manyheads.data.feature_array import is_array, read_matrix
from manyheads.errors import DataError, Interrupted, ModelError
from manyheads.heads.head import softmax
from manyheads.model.classifier import Classifier, Prediction, Predictions, logits_of
from manyheads.model.templates import read_head


class FeatureClassifier(Classifier):
    """A head with its class names, for features instead of images. Made by `load`."""

    def __repr__(self) -> str:
        return f"<FeatureClassifier {self.path}: {len(self.classes)} classes>"

    def predict(self, images: Any, *, stop: threading.Event | None = None) -> Predictions:
        """The class and the probabilities of each row of features `[rows, features]`.

        Rows are named "row 0" and so on. Raises `DataError` for anything but finite numbers of
        the head's own width.
        """
        if stop is not None and stop.is_set():
            raise Interrupted("the predictions", "repeat the same command")
        head = read_head(self.path)
        if len(head.bias) != len(self.classes):
            raise ModelError(
                f"{len(self.classes)} logits from {self.path.name}", str(len(head.bias)),
                "keep the model and its side file together",
            )  # fmt: skip
        matrix = _matrix(images, head.features)
        entries = []
        for number, row in enumerate(softmax(logits_of(head, matrix)) if len(matrix) else []):
            best = int(row.argmax())
            probabilities = dict(zip(self.classes, map(float, row), strict=True))
            name, label = f"row {number}", self.classes[best]
            entries.append(Prediction(name, label, float(row[best]), probabilities))
        return Predictions(self.classes, entries)

    @staticmethod
    def read(files: Sequence[str]) -> Float[np.ndarray, "rows features"]:
        """The features in the only one of `files`, an array (.npy); raises `DataError`."""
        if not is_array(files):
            raise DataError(
                "one array of features (.npy), for this model takes no images",
                " ".join(files)[:120],
                "save the features of the images with np.save",
            )  # fmt: skip
        return read_matrix(Path(files[0]), files)


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
