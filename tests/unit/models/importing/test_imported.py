"""What Keras has saved comes in, the same arrays; and what cannot is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.weights import Weights, resolve
from manyheads.core import keras_process
from manyheads.errors import (
    BackboneError,
    ImageError,
    ManyheadsError,
    ModelError,
    SettingError,
    WeightsError,
)
from manyheads.heads.head import forward
from manyheads.models.card import card_path
from manyheads.models.classifier import load
from manyheads.models.importing.imported import import_model
from manyheads.models.templates import read_head
from tests.keras2 import as_keras2
from tests.strategies import distinct_image
from tests.unit.models import keras_tasks

pytestmark = pytest.mark.when_changed("imports")

SPEC = registry.get("mobilenet_v2")
CLASSES = ["dress", "hat", "longsleeve"]
Files = tuple[Path, dict[str, list[Any]]]


@pytest.fixture(scope="module")
def weights() -> Weights:
    return resolve(SPEC, "random:0")


@pytest.fixture(scope="module")
def files(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Models as Keras 3 writes them, the lesson's also as Keras 2 did; and their heads."""
    folder = tmp_path_factory.mktemp("models")
    arguments = {"weights": str(weights.path), "digest": weights.digest, "folder": str(folder)}
    heads = keras_process.call(keras_tasks.write, {**arguments, "backbone": SPEC.name, "size": 32})
    as_keras2(folder / "lesson.h5", folder / "xception_v4_large_22_0.870.h5")
    as_keras2(folder / "flat.h5", folder / "flat2.h5")
    as_keras2(folder / "lesson.h5", folder / "weights2.h5", weights_only=True)
    return folder, heads


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("lesson.keras", "lesson"),
        pytest.param("lesson.h5", "lesson", marks=pytest.mark.slow),
        ("xception_v4_large_22_0.870.h5", "lesson"),
        pytest.param("flat.keras", "flat", marks=pytest.mark.slow),
        pytest.param("flat2.h5", "flat", marks=pytest.mark.slow),
        pytest.param("pooled.h5", "pooled", marks=pytest.mark.slow),
        pytest.param("pooled.keras", "pooled", marks=pytest.mark.slow),
    ],
)
def test_the_arrays_come_in_as_they_are(
    files: Files, weights: Weights, tmp_path: Path, name: str, model: str
) -> None:
    folder, heads = files
    found = import_model(
        folder / name, tmp_path / "in.keras", classes=CLASSES, backbone=SPEC.name, check=None
    )
    assert found.card.weights == weights.digest
    assert (found.card.image.size, found.card.image.interpolation) == (32, "nearest")
    assert not found.card.image.exif
    assert (found.size_inner, found.droprate) == ((6, 0.2) if model == "lesson" else (0, 0.0))
    assert found.output == ("softmax" if model == "pooled" else "logits")
    head = read_head(tmp_path / "in.keras")
    wanted = [np.asarray(array, np.float32) for array in heads[model]]
    for array, expected in zip(head[-len(wanted) :], wanted, strict=True):
        np.testing.assert_array_equal(array, expected)
    predictions = load(tmp_path / "in.keras").predict(distinct(tmp_path))
    assert predictions.classes == tuple(CLASSES)


@pytest.mark.parametrize(
    "name", ["weights2.h5", pytest.param("lesson.weights.h5", marks=pytest.mark.slow)]
)
def test_weights_alone_come_in_too(
    files: Files, weights: Weights, tmp_path: Path, name: str
) -> None:
    file, target = files[0] / name, tmp_path / "in.keras"
    with pytest.raises(SettingError, match=r"the image size, which .* does not tell"):
        import_model(file, target, classes=CLASSES, backbone=SPEC.name)
    found = import_model(file, target, classes=CLASSES, backbone=SPEC.name, image_size=32)
    assert (found.card.weights, found.size_inner) == (weights.digest, 6)
    assert found.check is None
    assert not found.described


def test_the_backbone_is_known_by_its_name_and_the_check_compares(
    files: Files, tmp_path: Path
) -> None:
    images = [distinct(tmp_path)]
    found = import_model(
        files[0] / "lesson.keras", tmp_path / "in.keras", classes=CLASSES, check=images
    )
    assert found.card.backbone == "mobilenet_v2"
    assert found.check is not None
    assert (found.check.images, found.check.given) == (1, True)
    assert found.check.difference is not None
    assert found.check.difference < 1e-5


def test_what_keras_3_cannot_open_is_said(files: Files, tmp_path: Path) -> None:
    file = files[0] / "xception_v4_large_22_0.870.h5"
    found = import_model(file, tmp_path / "in.keras", classes=CLASSES)
    assert found.check is not None
    assert found.check.difference is None
    assert "DepthwiseConv2D" in found.check.reason
    assert "groups" in found.check.reason


@pytest.mark.slow
def test_dense_layers_with_nothing_between_become_one(files: Files, tmp_path: Path) -> None:
    folder, heads = files
    target = tmp_path / "in.keras"
    found = import_model(folder / "linear.h5", target, classes=CLASSES, check=None)
    assert found.folded
    assert found.output == "softmax"
    features = np.random.default_rng(0).random((4, 1280), np.float32)
    inner, inner_bias, kernel, bias = (np.array(array) for array in heads["linear"])
    wanted = (features @ inner + inner_bias) @ kernel + bias
    np.testing.assert_allclose(forward(read_head(target), features), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tanh", r"the activation 'tanh' of dense\w* \(Dense\)"),
        ("maximum", r"global_max_pooling2d\w* \(GlobalMaxPooling2D\) where manyheads takes"),
        ("lambda", r"keras\.layers\.Lambda, which can run any code"),
    ],
)
def test_another_head_is_refused_by_its_layer(
    files: Files, tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        import_model(files[0] / f"{name}.keras", tmp_path / "in.keras", classes=CLASSES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"classes": ["a", "b"]}, SettingError, "the names of the 3 classes in .*, found 2: a, b"),
        ({"classes": ["a", "b", "a"]}, SettingError, "all different"),
        ({"image_size": 48}, SettingError, "the image size 32 of"),
        ({"backbone": "mobilenet"}, WeightsError, "the weights of mobilenet "),
        ({"backbone": "mobilenet_v9"}, BackboneError, "did you mean mobilenet_v2"),
        ({"interpolation": "guess"}, SettingError, "`interpolation` to be one of"),
        ({"check": [Path("absent.jpg")]}, ImageError, "absent.jpg"),
    ],
)
def test_what_does_not_fit_the_file(
    files: Files,
    tmp_path: Path,
    changes: dict[str, Any],
    kind: type[ManyheadsError],
    reason: str,
) -> None:
    given = {"classes": CLASSES, **changes}
    with pytest.raises(kind, match=reason):
        import_model(files[0] / "lesson.keras", tmp_path / "in.keras", **given)
    assert list(tmp_path.iterdir()) == []


def test_other_files(files: Files, tmp_path: Path) -> None:
    target = tmp_path / "in.keras"
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    for file, reason in (
        (tmp_path / "absent.h5", "no file at"),
        (tmp_path / "model.pkl", "a name that ends with none of"),
    ):
        with pytest.raises(ModelError, match=reason):
            import_model(file, target, classes=CLASSES)
    for name in (files[0] / "lesson.keras", tmp_path / "in.h5"):
        with pytest.raises(SettingError, match=r"another file|ends with \.keras"):
            import_model(files[0] / "lesson.keras", name, classes=CLASSES)


def test_arrays_that_are_no_numbers(files: Files, tmp_path: Path) -> None:
    file = tmp_path / "lesson.h5"
    for start, kind in (("dense", ModelError), ("mobilenet", WeightsError)):
        file.write_bytes((files[0] / "lesson.h5").read_bytes())
        with h5py.File(file, "r+") as group:
            held: Any = group["model_weights"]
            layer = next(name for name in held if name.startswith(start))
            name = held[layer].attrs["weight_names"][0]
            held[layer][name][..., 0] = np.nan
        with pytest.raises(kind, match="no finite number"):
            import_model(file, tmp_path / "in.keras", classes=CLASSES, check=None)


def test_a_failed_import_leaves_the_model_that_was_there(files: Files, tmp_path: Path) -> None:
    target = tmp_path / "in.keras"
    import_model(files[0] / "lesson.keras", target, classes=CLASSES, check=None)
    before = target.read_bytes(), card_path(target).read_text(encoding="utf-8")
    for name, check in (("tanh", []), ("flat", [tmp_path / "absent.jpg"])):
        with pytest.raises((ModelError, ImageError)):
            import_model(
                files[0] / f"{name}.keras", target, classes=CLASSES, backbone=SPEC.name, check=check
            )
    assert set(tmp_path.iterdir()) == {target, card_path(target)}
    assert (target.read_bytes(), card_path(target).read_text(encoding="utf-8")) == before
    assert json.loads(before[1])["classes"] == CLASSES


def distinct(folder: Path) -> Path:
    file = folder / "image.png"
    distinct_image("any", 40).save(file)
    return file


@pytest.mark.slow
def test_xception_of_keras_2(tmp_path: Path) -> None:
    """With its `SeparableConv2D`, at which Keras 3 stops, and its layers with running numbers."""
    spec = registry.get("xception")
    kept = resolve(spec, "random:0")
    arguments = {"backbone": spec.name, "weights": str(kept.path), "digest": kept.digest}
    keras_process.call(
        keras_tasks.write_lesson,
        {**arguments, "size": 71, "target": str(tmp_path / "lesson.h5")},
    )
    file = as_keras2(tmp_path / "lesson.h5", tmp_path / "xception_v4_large_22_0.870.h5")
    found = import_model(file, tmp_path / "in.keras", classes=CLASSES)
    assert (found.card.backbone, found.card.weights) == ("xception", kept.digest)
    assert found.check is not None
    assert "SeparableConv2D" in found.check.reason
    assert "kernel_initializer" in found.check.reason
