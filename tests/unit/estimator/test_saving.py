"""An estimator as a model file that everything else opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from manyheads import HeadClassifier, load
from manyheads.errors import DiskError, EstimatorError, ModelError
from tests.small_study import small_images


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """15 images of three classes."""
    root = small_images(tmp_path_factory.mktemp("images"), train=5, validation=0)
    return sorted(root.glob("*/*/*.png"))


def fitted(paths: list[Path], **changes: Any) -> HeadClassifier:
    """A classifier behind MobileNet with random weights, fitted to `paths`."""
    given: dict[str, Any] = {
        "backbone": "mobilenet", "weights": "random:0", "image_size": 32, "heads": 2,
        "size_inner": 4, "epochs": 2, "random_state": 0,
    }  # fmt: skip
    return HeadClassifier(**(given | changes)).fit(paths, [path.parent.name for path in paths])


def test_what_is_saved_answers_as_the_estimator_does(paths: list[Path], tmp_path: Path) -> None:
    estimator = fitted(paths)
    estimator.save(tmp_path / "heads.keras")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heads.keras", "heads.keras.json"]
    said = load(tmp_path / "heads.keras").predict(paths)
    assert said.classes == tuple(estimator.classes_)
    np.testing.assert_allclose(said.probabilities, estimator.predict_proba(paths), atol=1e-5)
    fitted(paths, random_state=1).save(tmp_path / "heads.keras")  # in its place
    other = load(tmp_path / "heads.keras").predict(paths)
    assert not np.allclose(other.probabilities, said.probabilities, atol=1e-5)


def test_what_cannot_be_saved_says_why(paths: list[Path], tmp_path: Path) -> None:
    estimator = fitted(paths, heads=1)
    with pytest.raises(ModelError, match=r"ends with \.keras or \.h5, found heads\.pkl"):
        estimator.save(tmp_path / "heads.pkl")
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="file"):
        estimator.save(tmp_path / "file" / "heads.keras")
    with pytest.raises(NotFittedError):
        HeadClassifier().save(tmp_path / "heads.keras")
    on_features = HeadClassifier(epochs=1).fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(EstimatorError, match="found one that was fitted to features"):
        on_features.save(tmp_path / "heads.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
