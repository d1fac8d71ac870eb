"""A table of the ways to put a classifier together: which come in, and why the others do not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.known import by_numbers, known
from manyheads.core import keras_process
from manyheads.errors import ManyheadsError, ModelError
from manyheads.models.classifier import load
from manyheads.models.importing.class_names import read_names
from manyheads.models.importing.import_build import check_build, prepared
from manyheads.models.importing.imported import import_model
from tests import model_forms
from tests.keras2 import as_keras2

SPEC = registry.get("mobilenet_v2_0.35")

# Each with the words of its preprocessing, where its own layers do it; what it gives; and the
# droprate that is read.
COMES_IN: dict[str, tuple[str | None, str, float]] = {
    "sequential": (None, "logits", 0.2),
    "without_input": (None, "logits", 0.0),
    "functional": (None, "logits", 0.2),
    "softmax": (None, "softmax", 0.0),
    "softmax_layer": (None, "softmax", 0.0),
    "pooled_inside": (None, "logits", 0.0),
    "pooled_inside_flat": (None, "logits", 0.0),
    "kept_axes": (None, "logits", 0.0),
    "window": (None, "logits", 0.0),
    "reshaped": (None, "logits", 0.0),
    "dropouts": (None, "logits", 0.3),
    "normalised": (None, "logits", 0.0),
    "normalised_inside": (None, "softmax", 0.3),
    "normalised_grid": (None, "logits", 0.2),
    "relu_layer": (None, "logits", 0.0),
    "relu_as_layer_in_dense": (None, "softmax", 0.0),
    "two_linear": (None, "logits", 0.0),
    "linear_then_relu": (None, "logits", 0.0),
    "without_bias": (None, "softmax", 0.0),
    "regularised": (None, "logits", 0.0),
    "binary": (None, "sigmoid", 0.0),
    "binary_logit": (None, "log-odds", 0.0),
    "rescaled": ("tf", "logits", 0.0),
    "rescaled_to_one": ("unit", "logits", 0.0),
    "rescaled_twice": ("tf", "logits", 0.0),
    "normalised_images": ("mean=0.4,0.5,0.6,std=0.2,0.2236068,0.244949", "logits", 0.0),
    "augmented": ("tf", "logits", 0.0),
    "augmented_inside": ("tf", "logits", 0.0),
    "colours_turned": ("caffe", "logits", 0.0),
    "torch_like": ("torch", "logits", 0.0),
    "operators": ("tf", "logits", 0.0),
    "nested_twice": (None, "softmax", 0.0),
    "head_inside": (None, "logits", 0.0),
    "any_size_inside": (None, "logits", 0.0),
    "layer_by_layer": (None, "logits", 0.0),
    "layer_by_layer_pooled": (None, "softmax", 0.0),
    "given_a_tensor": ("tf", "logits", 0.0),
    "flat_in_sequential": ("tf", "softmax", 0.0),
    "half_precision": (None, "softmax", 0.0),
    "compiled": (None, "softmax", 0.0),
    "compiled_with_ones_own": (None, "logits", 0.0),
    "teachable_machine": (None, "softmax", 0.0),
}
REFUSED = {
    "maximum": r"\(GlobalMaxPooling2D\) where manyheads takes GlobalAveragePooling2D",
    "three_inner": "2 inner layers, each with an activation, where a head has one",
    "tanh": r"the activation 'tanh' of dense\w* \(Dense\)",
    "leaky": r"\(LeakyReLU\) in the head",
    "relu6": r"\(ReLU\) in the head, which is more than a relu",
    "several_labels": r"a sigmoid behind dense\w* \(Dense\): a probability for each class by",
    "convolved": r"\(Conv2D\) behind the backbone, where a pooling is expected",
    "relu_before_pooling": r"\(ReLU\) behind the backbone, where a pooling is expected",
    "without_pooling": r"\(Dense\) behind the backbone, where a pooling is expected",
    "lambda": r"Lambda",
    "resized": r"\(Resizing\) before the backbone, which cuts or resizes images",
    "two_poolings": r"\(Concatenate\) in the head",
    "two_outputs": r"the outputs dense\w*, dense",
    "a_number": r"one output of dense\w* \(Dense\), trained with mse: a number and no class",
}
# Refused by what the backbone is known for.
OTHERWISE_BUILT = {
    "flattened_grid": r"\(Flatten\) of 4 cells of the feature map, where manyheads takes",
    "small_window": r"\(AveragePooling2D\) with windows of .*2, 2.* on a feature map of 2 × 2",
    "layer_normalised": r"layer_normalization\w* \(LayerNormalization\) in the head",
}
ALONE = ("cut_short", "own_network", "own_pooled_network")  # tried in full below
TRIED = [*COMES_IN, *REFUSED, *OTHERWISE_BUILT]


def test_the_table_is_whole() -> None:
    assert set(TRIED) | set(ALONE) == set(model_forms.FORMS)


SELDOM = (pytest.mark.slow, pytest.mark.when_changed("imports"))
QUICK = (
    "sequential", "layer_by_layer", "normalised_inside", "without_bias", "binary", "augmented",
    "colours_turned", "compiled_with_ones_own", "maximum", "several_labels", "convolved",
    "flattened_grid",
)  # fmt: skip
# Imported whole on the real backbone, some ten seconds each; the small network covers all.
WHOLE = (
    "sequential", "functional", "pooled_inside", "normalised_inside", "augmented", "rescaled",
    "nested_twice", "binary", "half_precision", "teachable_machine",
)  # fmt: skip
Said = Callable[[str], tuple[dict[str, Any], dict[str, Any]]]


def _forms(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=() if name in QUICK else SELDOM) for name in names]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What Keras says with forms on a small network, and what import reads of their files."""
    pytest.importorskip("tensorflow")  # OpenVINO's Keras does not save all forms

    @functools.cache
    def written(quick: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        folder = str(tmp_path_factory.mktemp("forms"))
        names = [name for name in TRIED if (name in QUICK) == quick]
        arguments = {"folder": folder, "names": names, "tiny": True}
        wanted = keras_process.call(model_forms.write, arguments, backend="tensorflow")
        files = [f"{name}.{suffix}" for name in names for suffix in ("keras", "h5")]
        arguments = {"folder": folder, "names": files}
        found = keras_process.call(model_forms.answers, arguments, backend="tensorflow")
        return wanted, found

    return lambda name: written(name in QUICK)


@pytest.mark.when_changed("imports")
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", _forms(COMES_IN))
def test_what_comes_in_says_the_same(said: Said, name: str, suffix: str) -> None:
    wanted, found = np.array(said(name)[0][name]), said(name)[1][f"{name}.{suffix}"]
    words, output, droprate = COMES_IN[name]
    assert "refused" not in found, found["refused"]
    assert found["pixels"] == (None if words is None else [words])
    assert (found["output"], found["droprate"], found["size"]) == (output, droprate, 64)
    probabilities = _probabilities(wanted, output)
    assert np.ptp(probabilities, axis=0).max() > 2e-4  # images differ, so equality says something
    tolerance = 1e-4 if name == "half_precision" else 1e-6
    np.testing.assert_allclose(found["said"], probabilities, atol=tolerance)
    check_build(Path(name), SPEC, {**found, "numbers": 410_208}, found["features"], 64)


def _probabilities(said: np.ndarray[Any, Any], output: str) -> np.ndarray[Any, Any]:
    if output == "log-odds":
        said = 1 / (1 + np.exp(-said))
    if said.shape[1] == 1:
        return np.hstack([1 - said, said])
    weights = np.exp(said - said.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) if output == "logits" else said


@pytest.mark.when_changed("imports")
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", _forms(REFUSED))
def test_what_does_not_is_refused_by_its_reason(said: Said, name: str, suffix: str) -> None:
    found = said(name)[1][f"{name}.{suffix}"]
    with pytest.raises(ModelError, match=REFUSED[name]):
        raise ModelError("a head", found["refused"], "")


@pytest.mark.when_changed("imports")
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", _forms(OTHERWISE_BUILT))
def test_another_pooling_is_refused_by_its_reason(said: Said, name: str, suffix: str) -> None:
    told = {**said(name)[1][f"{name}.{suffix}"], "numbers": 410_208}
    with pytest.raises(ModelError, match=OTHERWISE_BUILT[name]):
        check_build(Path(name), SPEC, told, told["features"], 64)


def test_a_network_has_its_own_number_of_numbers() -> None:
    for name in registry.names():
        entry = known(registry.get(name))
        assert entry is not None
        assert by_numbers(entry.numbers) == name
    assert by_numbers(410_208) == "mobilenet_v2_0.35"


def test_networks_that_prepare_pixels_themselves() -> None:
    """Layer by layer, their own first layers are not taken for the user's."""
    told = {"pixels": [None], "entered": None}
    spec = registry.get("efficientnet_b0")
    assert prepared(Path("x"), spec, told, None) == ("none", False)
    assert prepared(Path("x"), spec, {**told, "entered": ["unit"]}, None) == ("unit", True)
    with pytest.raises(ModelError, match="do more to pixels than scale and shift"):
        prepared(Path("x"), SPEC, told, None)
    with pytest.raises(ManyheadsError, match="the preprocessing tf of x, whose own layers do it"):
        prepared(Path("x"), SPEC, {"pixels": ["tf"]}, "unit")
    assert prepared(Path("x"), SPEC, {"pixels": None}, "unit") == ("unit", False)


@pytest.mark.when_changed("imports")
@pytest.mark.parametrize("older", [True, False])
def test_a_teachable_machine(tmp_path: Path, older: bool) -> None:
    """Its `.h5` is of Keras 2, with labels that begin with their numbers."""
    arguments = {"folder": str(tmp_path), "names": ["teachable_machine"]}
    said = keras_process.call(model_forms.write, arguments)["teachable_machine"]
    file = tmp_path / "teachable_machine.h5"
    if older:
        file = as_keras2(file, tmp_path / "keras_model.h5")
    (tmp_path / "labels.txt").write_text("0 cat\n1 dog\n2 7 up\n", encoding="utf-8")
    names = read_names(tmp_path / "labels.txt")
    found = import_model(file, tmp_path / "in.keras", classes=names)
    assert found.card.classes == ("cat", "dog", "7 up")
    assert (found.card.backbone, found.size_inner, found.output) == (SPEC.name, 100, "softmax")
    assert found.card.preprocessing == SPEC.preprocessing
    assert found.check is not None
    if older:  # Keras 3 stops at its DepthwiseConv2D
        assert "groups" in found.check.reason
    else:
        assert found.check.difference is not None
        assert found.check.difference < 1e-5
    # What Keras said was of pixels as they are, without a preprocessing.
    plain = import_model(
        file, tmp_path / "plain.keras", classes=names, preprocessing="none", check=None
    )
    images = list(model_forms.pixels().astype(np.uint8))
    answers = load(plain.model).predict(images).probabilities
    assert np.ptp(said, axis=0).max() > 1e-3
    np.testing.assert_allclose(answers, said, atol=1e-5)


@pytest.mark.slow
@pytest.mark.when_changed("imports")
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_equal_keras(tmp_path: Path, name: str, suffix: str) -> None:
    pytest.importorskip("tensorflow")
    arguments = {"folder": str(tmp_path), "names": [name]}
    keras_process.call(model_forms.write, arguments, backend="tensorflow")
    classes = "abc"[: 2 if name.startswith("binary") else 3]
    found = import_model(tmp_path / f"{name}.{suffix}", tmp_path / "in.keras", classes=classes)
    assert found.card.backbone == SPEC.name
    assert found.check is not None
    assert found.check.difference is not None, found.check.reason
    assert found.check.difference < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut_short", "numbers, which is none of them|another network, another width, or further"),
        ("own_network", r"without GlobalAveragePooling2D|a network of .* which is none of them"),
        ("own_pooled_network", "a network of 224 numbers, which is none of them"),
    ],
)
def test_other_networks(tmp_path: Path, name: str, reason: str) -> None:
    pytest.importorskip("tensorflow")
    arguments = {"folder": str(tmp_path), "names": [name]}
    keras_process.call(model_forms.write, arguments, backend="tensorflow")
    with pytest.raises(ManyheadsError, match=reason):
        import_model(tmp_path / f"{name}.keras", tmp_path / "in.keras", classes="abc")
