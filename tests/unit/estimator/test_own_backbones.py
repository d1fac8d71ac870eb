"""The estimator on networks of the user's own, in files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from manyheads import HeadClassifier, load
from manyheads.errors import EstimatorError, ModelError, SettingError
from tests.networks import FEATURES, save_keras, save_onnx, save_openvino
from tests.small_study import CLASSES, small_images

WRITERS = {"net.keras": save_keras, "net.onnx": save_onnx, "net.xml": save_openvino}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """21 images, 7 of each class."""
    root = small_images(tmp_path_factory.mktemp("images"), validation=0)
    return sorted(root.glob("*/*/*.png"))


def classifier(file: Path, **changes: Any) -> HeadClassifier:
    """A classifier behind the network in a file."""
    given: dict[str, Any] = {
        "backbone": str(file), "preprocessing": "unit", "image_size": 32, "size_inner": 8,
        "epochs": 3, "random_state": 0,
    }  # fmt: skip
    return HeadClassifier(**(given | changes))


@pytest.mark.when_changed("estimators")
@pytest.mark.parametrize("name", list(WRITERS))
def test_a_network_in_a_file_sees_and_is_saved_whole(
    name: str, paths: list[Path], tmp_path: Path
) -> None:
    head = classifier(WRITERS[name](tmp_path / name))
    head.fit(paths, [path.parent.name for path in paths])
    assert head.n_features_in_ == FEATURES
    assert set(head.classes_) == set(CLASSES)
    kinds = ["heads.xml", "heads.keras"]
    wrong, right = kinds if name == "net.keras" else reversed(kinds)
    with pytest.raises(ModelError, match="a file name that ends with"):
        head.save(tmp_path / wrong)
    head.save(tmp_path / right)
    found = load(tmp_path / right).predict(paths).probabilities
    np.testing.assert_allclose(found, head.predict_proba(paths), atol=1e-5)
    assert not list(tmp_path.glob(".*"))


def test_it_is_searched_as_any_estimator(paths: list[Path], tmp_path: Path) -> None:
    file = save_openvino(tmp_path / "net.xml")
    search = GridSearchCV(clone(classifier(file)), {"preprocessing": ["unit", "tf"]}, cv=3)
    search.fit(paths, [path.parent.name for path in paths])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_another_network_or_preprocessing_after_fit_is_refused(
    paths: list[Path], tmp_path: Path
) -> None:
    file = save_openvino(tmp_path / "net.xml")
    labels = [path.parent.name for path in paths]
    with pytest.raises(SettingError, match="preprocessing"):
        classifier(file, preprocessing=None).fit(paths, labels)
    with pytest.raises(SettingError, match="no other preprocessing for mobilenet"):
        classifier(Path("mobilenet")).fit(paths, labels)
    head = classifier(file).fit(paths, labels)
    with pytest.raises(EstimatorError, match="others; fit it again"):
        changed(head, preprocessing="tf").predict(paths)
    weights = file.with_suffix(".bin")
    values = np.fromfile(weights, np.float32)
    values[0] += 1
    values.tofile(weights)
    with pytest.raises(EstimatorError, match="others; fit it again"):
        head.predict(paths)


def changed(head: HeadClassifier, **changes: Any) -> HeadClassifier:
    """A fitted estimator with parameters that were changed afterwards."""
    return pickle.loads(pickle.dumps(head)).set_params(**changes)
