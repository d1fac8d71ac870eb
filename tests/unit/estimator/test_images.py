"""Images as what a classifier of scikit-learn is given: paths, tables of paths, and pixels."""

from __future__ import annotations

import io
import pickle
import secrets
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from manyheads import HeadClassifier
from manyheads.data.augmentation import Augmentation
from manyheads.errors import BackboneError, DataError, EstimatorError, ImageError, SettingError
from manyheads.estimator.array_inputs import images_in
from manyheads.features import variants
from tests.small_study import CLASSES, small_images
from tests.strategies import distinct_image


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """21 images, 7 of each class."""
    root = small_images(tmp_path_factory.mktemp("images"), validation=0)
    return sorted(root.glob("*/*/*.png"))


@pytest.fixture
def labels(paths: list[Path]) -> list[str]:
    """The class of each image."""
    return [path.parent.name for path in paths]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many backbone passes each look at files takes."""
    counted: list[int] = []

    def counting(*arguments: Any, **options: Any) -> Any:
        features = extract(*arguments, **options)
        counted.append(features.passes)
        return features

    extract = variants.extract
    monkeypatch.setattr(variants, "extract", counting)
    return counted


def classifier(**changes: Any) -> HeadClassifier:
    """A classifier behind MobileNet with random weights at 32 pixels."""
    given: dict[str, Any] = {
        "backbone": "mobilenet", "weights": "random:0", "image_size": 32,
        "size_inner": 8, "epochs": 3, "random_state": 0,
    }  # fmt: skip
    return HeadClassifier(**(given | changes))


def pixels(paths: list[Path]) -> np.ndarray:
    """The images, decoded."""
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])


@pytest.mark.when_changed("commands")
def test_however_images_are_given_the_answers_are_the_same(paths: list[Path], labels: list[str]):
    pandas = pytest.importorskip("pandas")
    texts = list(map(str, paths))
    wanted = classifier().fit(paths, labels).predict_proba(paths)
    for given in (
        texts, np.array(texts), np.array(paths, object), np.array(texts)[:, None],
        pandas.Series(texts), pandas.DataFrame({"path": texts}), tuple(paths),
        pixels(paths), list(pixels(paths)),
    ):  # fmt: skip
        head = classifier().fit(given, labels)
        np.testing.assert_array_equal(head.predict_proba(given), wanted)
        assert head.n_features_in_ == 1024
        assert set(head.classes_) == set(CLASSES)


def test_paths_and_features_give_the_same_heads(paths: list[Path], labels: list[str]) -> None:
    features = classifier().features(paths)
    assert (features.dtype, features.shape) == (np.float32, (21, 1024))
    by_features = classifier().fit(features, labels)
    by_paths = classifier().fit(paths, labels)
    np.testing.assert_array_equal(by_features.predict(features), by_paths.predict(paths))
    np.testing.assert_array_equal(by_features.heads_[0].kernel, by_paths.heads_[0].kernel)
    assert by_features.recipe_ is None
    assert by_paths.recipe_ is not None
    assert by_paths.recipe_["backbone"] == "mobilenet"


def test_an_image_costs_one_pass_in_a_cross_validation(tmp_path: Path, passes: list[int]) -> None:
    fresh = [tmp_path / f"{place}.png" for place in range(18)]
    for path in fresh:
        distinct_image(secrets.token_hex(), 40).save(path)
    labels = np.arange(18) % 3
    assert len(cross_val_score(make_pipeline(classifier()), fresh, labels, cv=3)) == 3
    assert sum(passes) == 18
    assert len(passes) == 6
    classifier().fit(fresh * 2, np.tile(labels, 2))
    assert sum(passes) == 18


def test_the_answer_to_an_image_does_not_depend_on_others(
    paths: list[Path], labels: list[str]
) -> None:
    head = classifier().fit(paths, labels)
    together = head.predict_proba(paths)
    alone = np.concatenate([head.predict_proba([path]) for path in paths])
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_a_pickle_classifies_images(paths: list[Path], labels: list[str]) -> None:
    head = classifier().fit(paths, labels)
    again = pickle.loads(pickle.dumps(head))
    np.testing.assert_array_equal(again.predict(paths), head.predict(paths))


def test_names_of_features_go_when_images_come(paths: list[Path], labels: list[str]) -> None:
    pandas = pytest.importorskip("pandas")
    features = pandas.DataFrame(classifier().features(paths)).add_prefix("f")
    head = classifier().fit(features, labels)
    assert len(head.feature_names_in_) == 1024
    assert not hasattr(head.fit(paths, labels), "feature_names_in_")


def test_weights_and_labels_are_checked_before_any_pass(
    paths: list[Path], passes: list[int]
) -> None:
    with pytest.raises(EstimatorError, match="two or more classes"):
        classifier().fit(paths, ["cat"] * 21)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(paths, ["cat", "dog"])
    with pytest.raises(ValueError, match="requires y"):
        classifier().fit(paths, None)
    assert passes == []


def test_files_that_are_no_images_are_named(
    paths: list[Path], labels: list[str], tmp_path: Path
) -> None:
    broken, missing = tmp_path / "broken.png", tmp_path / "missing.png"
    broken.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"broken\.png to be an image.*replace the file"):
        classifier().fit([*paths[:-1], broken], labels)
    with pytest.raises(DataError, match=r"missing\.png"):
        classifier().fit([*paths[:-1], missing], labels)
    head = classifier().fit(paths, labels)
    with pytest.raises(ImageError, match=r"broken\.png.*and 1 more"):
        head.predict([paths[0], broken, Path(tmp_path / "broken.png")])


def test_pixels_that_are_none_are_named(labels: list[str]) -> None:
    wide = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 5), np.uint8)] * 10
    with pytest.raises(ImageError, match=r"in array 1, found uint8 \[8, 8, 5\]"):
        classifier().fit(wide, labels[:20])
    with pytest.raises(ImageError, match="in array 0, found float64"):
        classifier().fit(np.zeros((21, 8, 8, 3)), labels)


@pytest.mark.when_changed("commands")
def test_images_in_memory_are_seen_as_files_are(paths: list[Path], tmp_path: Path) -> None:
    names = list(paths[:3])
    rotated, deep = tmp_path / "rotated.jpg", tmp_path / "deep.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    distinct_image("turned", 60).crop((0, 0, 60, 30)).save(rotated, exif=exif)
    Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40)).save(deep)
    names += [rotated, deep]
    of_files = classifier(depth=11).features(names)
    in_memory = [
        [path.read_bytes() for path in names],
        [Image.open(io.BytesIO(path.read_bytes())) for path in names],
        [io.BytesIO(path.read_bytes()) for path in names],
    ]
    for images in in_memory:
        np.testing.assert_array_equal(classifier(depth=11).features(images), of_files)
    with pytest.warns(UserWarning, match="`depth` 11"):
        classifier().features([deep.read_bytes()])


def test_what_was_fitted_to_images_is_given_images(paths: list[Path], labels: list[str]) -> None:
    head = classifier().fit(paths, labels)
    with pytest.raises(EstimatorError, match="expected images, as in fit, found features"):
        head.predict(np.zeros((2, 1024)))
    with pytest.raises(EstimatorError, match="expected features, as in fit, found images"):
        head.fit(head.features(paths), labels).predict(paths)
    with pytest.raises(EstimatorError, match="paths of images, or images, found ndarray"):
        head.features(np.zeros((2, 1024)))


@pytest.mark.when_changed("commands")
def test_another_backbone_after_fit_is_refused(paths: list[Path], labels: list[str]) -> None:
    head = classifier().fit(paths, labels)
    for change in ({"weights": "random:1"}, {"image_size": 40}, {"interpolation": "nearest"}):
        changed = pickle.loads(pickle.dumps(head)).set_params(**change)
        with pytest.raises(EstimatorError, match="others; fit it again"):
            changed.predict(paths)


def test_a_backbone_that_is_none_is_told_by_fit(paths: list[Path], labels: list[str]) -> None:
    unknown: Any = clone(classifier(backbone="mobilnet"))
    with pytest.raises(BackboneError, match="did you mean mobilenet"):
        unknown.fit(paths, labels)
    with pytest.raises(BackboneError, match="at least 71 for xception"):
        classifier(backbone="xception").fit(paths, labels)


def test_no_thread_stays_behind_an_extraction(paths: list[Path], labels: list[str]) -> None:
    before = threading.enumerate()
    classifier().fit(pixels(paths), labels).predict(paths)
    assert threading.enumerate() == before


@pytest.mark.slow
def test_processes_share_the_cache(paths: list[Path], labels: list[str]) -> None:
    here = cross_val_score(classifier(), paths, labels, cv=3)
    there = cross_val_score(classifier(), paths, labels, cv=3, n_jobs=2)
    np.testing.assert_array_equal(here, there)


def test_nothing_is_written_outside_the_cache(
    paths: list[Path], labels: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    classifier().fit(paths, labels).predict(paths)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given",
    [[], [[1.0, 2.0]], np.zeros((3, 1)), np.zeros(3), [1, 2], None, ...],
    ids=repr,
)
def test_numbers_are_no_images(given: Any) -> None:
    assert images_in(given) is None


@pytest.mark.parametrize("given", ["image.png", Path("image.png"), Image.new("L", (4, 4)), b""])
def test_a_single_image_is_no_list_of_samples(given: Any) -> None:
    with pytest.raises(EstimatorError, match=r"expected samples: features .* give a list"):
        images_in(given)


class Tensor:
    """An array of another library, as PyTorch and TensorFlow have them."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.shape, self.ndim = self.values.shape, self.values.ndim

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        del dtype, copy
        return self.values


def test_tensors_and_tables_with_a_path_column_are_images(paths: list[Path]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"label": "cat", "path": [str(path) for path in paths]})
    assert images_in(frame) == [str(path) for path in paths]
    seen = pixels(paths[:3])
    features = classifier().features(seen)
    np.testing.assert_array_equal(classifier().features(Tensor(seen)), features)
    np.testing.assert_array_equal(classifier().features([Tensor(each) for each in seen]), features)


def test_a_number_among_paths_is_named() -> None:
    with pytest.raises(EstimatorError, match="image as sample 1, found 3"):
        images_in(["a.png", 3])


@pytest.mark.when_changed("commands")
def test_a_head_learns_from_views_and_hidden_patches_of_its_training_files(
    paths: list[Path], labels: list[str]
) -> None:
    options = {"augmented_copies": 1, "random_erasing": 0.3}, {"dropblock": 0.3, "image_size": 64}
    for option in options:
        plain = classifier(image_size=option.get("image_size", 32)).fit(paths, labels)
        altered = classifier(**option, validation_fraction=0.3).fit(paths, labels)
        assert not np.array_equal(plain.heads_[0].kernel, altered.heads_[0].kernel)
        assert altered.recipe_ == plain.recipe_
        assert altered.predict_proba(paths).shape == (21, 3)


@pytest.mark.when_changed("commands")
def test_versions_of_what_is_no_file_are_refused(paths: list[Path], labels: list[str]) -> None:
    for given in (classifier().features(paths), pixels(paths)):
        with pytest.raises(EstimatorError, match="paths of images for augmented_copies"):
            classifier(augmented_copies=1).fit(given, labels)
    with pytest.raises(SettingError, match="dropblock_size within the feature map of 2×2 cells"):
        classifier(dropblock=0.3, dropblock_size=3, image_size=64).fit(paths, labels)
    with pytest.raises(SettingError, match="augmented_copies for an augmentation"):
        classifier(augmentation=Augmentation()).fit(paths, labels)


@pytest.mark.slow
def test_photographs_are_classified_by_their_paths(clothing: Path) -> None:
    folders = [clothing / "train" / name for name in ("dress", "shoes")]
    photographs = [path for folder in folders for path in sorted(folder.glob("*"))[:20]]
    names = [path.parent.name for path in photographs]
    shown = HeadClassifier(image_size=150, interpolation="nearest", random_state=0)
    scores = cross_val_score(shown, photographs, names, cv=4)
    assert scores.mean() > 0.85
