"""What a network of the user's expects of pixels, as the user says it."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.backbones.preprocessing_modes import is_named, parse, stated
from manyheads.errors import SettingError

PIXEL = np.array([10.0, 100.0, 250.0])

EXPECTED = {
    "tf": PIXEL / 127.5 - 1,
    "torch": (PIXEL / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    "caffe": PIXEL[::-1] - [103.939, 116.779, 123.68],
    "unit": PIXEL / 255,
    "none": PIXEL,
    "mean=0.5,0.25,0.1,std=0.5,0.2,2": (PIXEL / 255 - [0.5, 0.25, 0.1]) / [0.5, 0.2, 2],
}


@pytest.mark.parametrize("words", EXPECTED)
def test_each_is_its_formula(words: str) -> None:
    how = parse(words)
    pixel = PIXEL[::-1] if how.bgr else PIXEL
    np.testing.assert_allclose((pixel - how.mean) / how.std, EXPECTED[words], rtol=1e-12)
    assert parse(how.words) == how


def test_spaces_are_no_matter() -> None:
    assert parse(" mean=0.5, 0.5, 0.5, std=1, 1, 1.0 ").words == "mean=0.5,0.5,0.5,std=1,1,1"


@pytest.mark.parametrize(
    "words",
    ["", "TF", "imagenet", "mean=1,2,std=1,1,1", "mean=a,b,c,std=1,1,1", "mean=0,0,0,std=1,1,0",
     "mean=0,0,nan,std=1,1,1", "mean=0,0,0,std=1,1,inf"],
)  # fmt: skip
def test_others_are_refused_with_the_list(words: str) -> None:
    with pytest.raises(SettingError, match="to be tf, torch, caffe, unit, none or mean="):
        parse(words)


def test_there_is_no_default() -> None:
    with pytest.raises(SettingError, match=r"stated preprocessing for the backbone in net\.onnx"):
        stated(None, "net.onnx")


def test_a_function_of_keras_is_none_of_them() -> None:
    assert not is_named("keras.applications.xception.preprocess_input")
    assert is_named("mean=0.5,0.5,0.5,std=1,1,1")
