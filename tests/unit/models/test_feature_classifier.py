"""A head alone: what it says of features, and what it is not given."""

from __future__ import annotations

from contextlib import closing
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones.registry import NO_BACKBONE
from manyheads.backbones.weights import Weights
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DataError, Interrupted, ModelError
from manyheads.heads.head import Parameters, forward, glorot_parameters, softmax
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.models.card import ModelCard, write_card
from manyheads.models.classifier import Classifier, ImageClassifier, load
from manyheads.models.feature_classifier import FeatureClassifier
from manyheads.models.templates import read_head, write_model
from tests.jobs import stopped_job

FEATURES, CLASSES = 7, ("a", "b", "c")
VALUES = np.random.default_rng(1).standard_normal((4, FEATURES)).astype(np.float32)


def write(folder: Path, size_inner: int, suffix: str = ".keras", **card: Any) -> Path:
    """A head of random numbers with its side file."""
    head = random_head(size_inner)
    setting = Hyperparameters(size_inner=size_inner, droprate=0.5 if size_inner else 0.0)
    file = folder / f"best{suffix}"
    nothing = Weights(folder / "none", "", "none")
    write_model(NO_BACKBONE, nothing, 150, (head, setting), file)
    told: dict[str, Any] = {
        "classes": CLASSES, "backbone": "none", "weights": "", "weights_source": "none",
        "image": ImageSettings(), "preprocessing": "none", "data": "t.csv",
    }  # fmt: skip
    write_card(file, ModelCard(**{**told, **card}))
    return file


def random_head(size_inner: int) -> Parameters:
    drawn = glorot_parameters(FEATURES, size_inner, len(CLASSES), np.random.default_rng(0))
    return Parameters(*(array + np.float32(0.25) for array in drawn))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> FeatureClassifier:
    found = load(write(tmp_path_factory.mktemp("model"), 5))
    assert isinstance(found, FeatureClassifier)
    return found


@pytest.mark.when_changed("models")
@pytest.mark.parametrize("size_inner", [0, 5])
def test_the_file_holds_the_head(tmp_path: Path, size_inner: int) -> None:
    head = read_head(write(tmp_path, size_inner))
    for kept, given in zip(head, random_head(size_inner), strict=True):
        np.testing.assert_array_equal(kept, given)


@pytest.mark.when_changed("studies")
def test_it_says_what_the_head_says(model: FeatureClassifier) -> None:
    found = model.predict(VALUES)
    wanted = softmax(forward(random_head(5), VALUES))
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-6)
    assert found.labels == [CLASSES[n] for n in wanted.argmax(axis=1)]
    assert [entry.image for entry in found] == ["row 0", "row 1", "row 2", "row 3"]
    assert len(model.predict(VALUES[:0])) == 0


@pytest.mark.when_changed("studies")
def test_a_row_does_not_depend_on_others(model: FeatureClassifier) -> None:
    together = model.predict(VALUES.astype(np.float64)).probabilities
    apart = [model.predict(row).probabilities[0] for row in VALUES]
    np.testing.assert_array_equal(together, apart)
    np.testing.assert_array_equal(model.predict(VALUES.tolist()).probabilities, together)


@pytest.mark.parametrize(
    "given",
    ["photo.jpg", ["a.jpg", "b.jpg"], VALUES[:, 1:], VALUES[None], VALUES.astype(str),
     [[1.0], [2.0, 3.0]]],
)  # fmt: skip
def test_anything_else_is_refused(model: FeatureClassifier, given: Any) -> None:
    with pytest.raises(DataError, match=r"features \[rows, 7\]"):
        model.predict(given)


def test_what_is_not_finite_is_refused(model: FeatureClassifier) -> None:
    bad = VALUES.copy()
    bad[2, 0] = np.inf
    with pytest.raises(DataError, match="others in row 2"):
        model.predict(bad)


def test_a_stop_is_heard(model: FeatureClassifier) -> None:
    job = stopped_job()
    with pytest.raises(Interrupted):
        model.predict(VALUES, job=job)


@pytest.mark.when_changed("studies")
def test_a_side_file_of_other_classes_is_refused(tmp_path: Path) -> None:
    model = load(write(tmp_path, 0, classes=("a", "b")))
    with pytest.raises(ModelError, match="2 logits"):
        model.predict(VALUES)


def test_rows_come_one_after_the_other_and_may_begin_anywhere(model: FeatureClassifier) -> None:
    whole = list(model.predict(VALUES))
    with closing(model.stream(VALUES)) as found:
        assert list(found) == whole
        assert (found.passes, found.from_cache, found.remarks) == (0, 0, ())
    assert list(model.stream(VALUES[2:], first=2)) == whole[2:]


def test_both_kinds_of_model_are_asked_alike(model: FeatureClassifier) -> None:
    assert isinstance(model, Classifier)
    assert not isinstance(model, ImageClassifier)
    for name in ("predict", "stream", "explain"):
        base = list(signature(getattr(Classifier, name)).parameters)
        assert list(signature(getattr(ImageClassifier, name)).parameters) == base
    for name in ("predict", "stream"):
        base = list(signature(getattr(Classifier, name)).parameters)
        assert list(signature(getattr(FeatureClassifier, name)).parameters)[: len(base)] == base


def test_features_show_nothing_to_explain(model: FeatureClassifier) -> None:
    with pytest.raises(ModelError, match=r"a model of images, to explain, found best\.keras"):
        model.explain(VALUES)
