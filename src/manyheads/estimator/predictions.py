"""What fitted heads answer, and the file that answers the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped
from scipy.special import log_softmax, softmax
from sklearn.utils.validation import check_is_fitted, validate_data

from manyheads.errors import EstimatorError
from manyheads.estimator.array_inputs import images_in
from manyheads.estimator.head_training import mean_logits
from manyheads.estimator.image_features import FrozenBackbone, all_rows
from manyheads.estimator.saving import save_model
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import NAMES, NEUTRAL, Hyperparameters


class FittedHeads:
    """The part of `HeadClassifier` that needs it to be fitted; its attributes are described there.

    X is what `fit` was given, of any number of samples: images in any form, if it was given images,
    or features. All methods raise `NotFittedError` before that, `EstimatorError` for the other
    kind, or if the backbone is no longer the one of the fit, and what `fit` raises for images.
    """

    epochs: int | None
    classes_: Shaped[np.ndarray, "classes"]
    n_features_in_: int
    feature_names_in_: Shaped[np.ndarray, "features"]
    n_iter_: int
    epochs_: int
    temperature_: float
    heads_: Sequence[Parameters]
    history_: Sequence[dict[str, list[float]]]
    recipe_: dict[str, Any] | None

    def decision_function(self, X: Any) -> Float64[np.ndarray, "samples *classes"]:
        """Logits `[samples, classes]`; of two classes, the second's above the first `[samples]`."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> Float64[np.ndarray, "samples classes"]:
        """The probability of each class, in the order of `classes_`; each row sums to one."""
        return softmax(self._logits(X), axis=1)

    def predict_log_proba(self, X: Any) -> Float64[np.ndarray, "samples classes"]:
        """The natural logarithm of `predict_proba`."""
        return log_softmax(self._logits(X), axis=1)

    def predict(self, X: Any) -> Shaped[np.ndarray, "samples"]:
        """The class of the greatest logit; of equal ones the first."""
        answers = self._logits(X).argmax(axis=1)
        return self.classes_[answers]

    def save(self, path: str | Path) -> None:
        """Write heads and backbone as one model file with its side file, for `load` and others.

        It says what `predict_proba` says: a Keras file, or OpenVINO's where Keras does not build
        the backbone. Raises `EstimatorError` for an estimator that was fitted to features,
        `ModelError` for a name other than `.keras` or `.h5`, or there `.xml`, and `DiskError`.
        """
        check_is_fitted(self)
        if self.recipe_ is None:
            raise EstimatorError(
                "an estimator that was fitted to images", "one that was fitted to features",
                "fit it to paths, or pickle it",
            )  # fmt: skip
        classes = [str(name) for name in self.classes_]
        extractor = self._fitted_backbone().extractor()
        # A pickle of an earlier version has no `epochs_`: they were always given then.
        setting = self._setting(getattr(self, "epochs_", self.epochs))
        save_model(Path(path).expanduser(), extractor, self.heads_, setting, classes)

    def _logits(self, X: Any) -> Float64[np.ndarray, "samples classes"]:
        check_is_fitted(self)
        images = images_in(X)
        if (images is None) != (self.recipe_ is None):
            before, now = ("images", "features") if images is None else ("features", "images")
            raise EstimatorError(f"{before}, as in fit", now, "give what it was fitted to")
        if images is None:
            matrix = validate_data(self, X, reset=False, dtype=np.float32, order="C")
            return mean_logits(self.heads_, all_rows(matrix))
        return mean_logits(self.heads_, self._fitted_backbone().transform(images))

    def _fitted_backbone(self) -> FrozenBackbone:
        backbone = FrozenBackbone.of(self)
        if backbone.recipe().described != self.recipe_:
            raise EstimatorError(
                "the backbone, weights and image settings that the estimator was fitted with",
                "others", "fit it again",
            )  # fmt: skip
        return backbone

    def _setting(self, epochs: int | None) -> Hyperparameters:
        """The hyperparameters; without `epochs`, with those that a head usually has."""
        given: dict[str, Any] = {name: getattr(self, name) for name in NAMES}
        given["epochs"] = NEUTRAL["epochs"] if epochs is None else epochs
        return Hyperparameters(**given)
