"""A backbone as a transformer of scikit-learn."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from manyheads import BackboneFeatures, HeadClassifier
from manyheads.errors import BackboneError, EstimatorError, ImageError
from manyheads.features.cache import Lacking
from tests.small_study import small_images

HOW: dict[str, Any] = {"backbone": "mobilenet", "weights": "random:0", "image_size": 32}
SEEN = 1024  # features of MobileNet


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """21 images, 7 of each class."""
    root = small_images(tmp_path_factory.mktemp("images"), validation=0)
    return sorted(root.glob("*/*/*.png"))


@pytest.fixture
def labels(paths: list[Path]) -> list[str]:
    """The class of each image."""
    return [path.parent.name for path in paths]


class Checked(BackboneFeatures):
    """The same, but scikit-learn is told that X may be a matrix, or it would check nothing."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        return tags


NUMBERS = "transforms a matrix of numbers, which is no images; the tests below do it with images"
EXPECTED = dict.fromkeys(
    (
        "check_dict_unchanged",
        "check_estimators_dtypes",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_pipeline_consistency",
        "check_transformer_general",
        "check_transformers_unfitted_stateless",
    ),
    NUMBERS,
) | {"check_estimator_sparse_tag": "fit looks at nothing, so it refuses nothing"}


@parametrize_with_checks(
    [Checked(**HOW)], expected_failed_checks=lambda _: EXPECTED, xfail_strict=True
)
def test_scikit_learn_takes_it_for_a_transformer(estimator: Any, check: Any) -> None:
    check(estimator)


def test_however_images_are_given_the_features_are_those_of_the_classifier(paths) -> None:
    pandas = pytest.importorskip("pandas")
    wanted = HeadClassifier(**HOW).features(paths)
    assert wanted.shape == (21, SEEN)
    opened = [Image.open(path).convert("RGB") for path in paths]
    for given in (
        paths, np.array(list(map(str, paths))), pandas.DataFrame({"path": map(str, paths)}),
        opened, np.stack(list(map(np.asarray, opened))), [path.read_bytes() for path in paths],
    ):  # fmt: skip
        np.testing.assert_array_equal(BackboneFeatures(**HOW).transform(given), wanted)


def test_features_depend_on_their_image_alone(paths: list[Path]) -> None:
    transformer = BackboneFeatures(**HOW)
    whole = transformer.fit_transform(paths)
    np.testing.assert_array_equal(transformer.transform(paths[::-1]), whole[::-1])
    np.testing.assert_array_equal(
        np.concatenate([transformer.transform([path]) for path in paths[:4]]), whole[:4]
    )


@pytest.mark.when_changed("commands")
def test_it_is_copied_pickled_and_left_as_it_was(paths: list[Path]) -> None:
    transformer = BackboneFeatures(**HOW)
    before = vars(transformer).copy()
    wanted = transformer.transform(paths[:3])
    assert vars(transformer) == before
    copies: list[Any] = [clone(transformer), pickle.loads(pickle.dumps(transformer))]
    for copy in copies:
        assert copy.get_params() == transformer.get_params()
        np.testing.assert_array_equal(copy.transform(paths[:3]), wanted)
    transformer.set_params(weights="random:1")
    assert not np.array_equal(transformer.transform(paths[:3]), wanted)


def test_it_stands_in_pipelines_and_searches(paths: list[Path], labels: list[str]) -> None:
    pipe = make_pipeline(BackboneFeatures(**HOW), LogisticRegression())
    assert set(pipe.fit(paths, labels).predict(paths)) <= set(labels)
    search = GridSearchCV(pipe, {"backbonefeatures__interpolation": ["nearest", "bicubic"]}, cv=2)
    assert search.fit(paths, labels).best_score_ > 0
    names: Any = pipe[:-1].get_feature_names_out()
    assert (len(names), names[0], names[-1]) == (SEEN, "backbonefeatures0", "backbonefeatures1023")


def test_a_data_frame_comes_out_on_request(paths: list[Path]) -> None:
    pytest.importorskip("pandas")
    frame: Any = BackboneFeatures(**HOW).set_output(transform="pandas").fit_transform(paths[:2])
    assert list(frame.columns[:2]) == ["backbonefeatures0", "backbonefeatures1"]
    assert frame.shape == (2, SEEN)


def test_names_are_known_before_any_image(monkeypatch: pytest.MonkeyPatch) -> None:
    never_filled = Lacking(passes=0, width=0)
    monkeypatch.setattr("manyheads.estimator.backbone_features.lacking", lambda *_: never_filled)
    assert len(BackboneFeatures(**HOW).get_feature_names_out()) == SEEN


def test_what_it_cannot_use_is_named(paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(EstimatorError, match="paths of images, or images, found ndarray"):
        BackboneFeatures(**HOW).transform(np.zeros((2, 3)))
    with pytest.raises(BackboneError, match="did you mean mobilenet"):
        BackboneFeatures("mobilnet").fit(paths)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"broken\.png"):
        BackboneFeatures(**HOW).transform([broken])


@pytest.mark.slow
def test_processes_share_the_cache(paths: list[Path], labels: list[str]) -> None:
    pipe = make_pipeline(BackboneFeatures(**HOW), LogisticRegression())
    here = cross_val_score(pipe, paths, labels, cv=3)
    np.testing.assert_array_equal(cross_val_score(pipe, paths, labels, cv=3, n_jobs=2), here)
    for prefer in ("threads", "processes"):
        parts: Any = Parallel(n_jobs=2, prefer=prefer)(
            delayed(BackboneFeatures(**HOW).transform)(paths[part::2]) for part in (0, 1)
        )
        np.testing.assert_array_equal(parts[0], BackboneFeatures(**HOW).transform(paths[::2]))
