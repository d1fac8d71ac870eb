"""The ONNX writer: every backbone answers in ONNX Runtime what it answers in Keras.

The error is relative to the largest feature, and bounded as in `test_backbones.py`: 1e-4, or what a
change of the images by a millionth makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.core import keras_process
from tests.conformance import onnx_forward
from tests.conformance.test_backbones import HEAVY, LIGHT, OTHERS, SIZE, TOLERANCE, photographs


def check(names: Sequence[str], folder: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    pytest.importorskip("tensorflow")
    jobs = [job(registry.get(name), folder) for name in names]
    keras_process.call(onnx_forward.written, {"jobs": jobs}, backend="tensorflow")
    for one in jobs:
        pixels, reference = np.load(one["pixels"]), np.load(one["output"])
        session = onnxruntime.InferenceSession(one["target"], providers=["CPUExecutionProvider"])
        (given,), (asked,) = session.get_inputs(), session.get_outputs()
        assert (given.name, given.type, given.shape[0]) == ("images", "tensor(uint8)", "n")
        assert (asked.name, asked.shape[0]) == ("outputs", "n")
        parts = [session.run(["outputs"], {"images": each})[0] for each in (pixels[:1], pixels[1:])]
        expected = reference["features"]
        scale = np.abs(expected).max()
        tolerance = max(TOLERANCE, np.abs(reference["nudged"] - expected).max() / scale)
        found = np.abs(np.concatenate(parts) - expected).max() / scale
        assert found <= tolerance, f"{one['name']}: {found:.2g} > {tolerance:.2g}"
        # A network that makes the same of every image would agree with anything.
        assert np.abs(np.roll(expected, 1, axis=0) - expected).max() / scale >= 100 * tolerance


def job(spec: registry.BackboneSpec, folder: Path) -> dict[str, Any]:
    pixels = folder / f"{spec.name}.npy"
    np.save(pixels, photographs(max(SIZE, spec.min_size)))
    return {
        "name": spec.name, "seed": 3, "pixels": str(pixels),
        "target": str(folder / f"{spec.name}.onnx"), "output": str(folder / f"{spec.name}.npz"),
    }  # fmt: skip


@pytest.mark.when_changed("exports")
def test_a_light_backbone_answers_the_same(tmp_path: Path) -> None:
    check(LIGHT, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", HEAVY)
def test_one_of_each_family_answers_the_same(name: str, tmp_path: Path) -> None:
    check([name], tmp_path)


@pytest.mark.slow
@pytest.mark.when_changed("exports")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_of_its_family_answers_the_same(name: str, tmp_path: Path) -> None:
    check([name], tmp_path)


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("UpSampling2D", "UpSampling2D"),
        ("batch norm over rows", "BatchNormalization) of axis 1"),
        ("channels first", "Conv2D) of channels_first"),
        ("softsign", "with the activation softsign"),
        ("soft threshold", "ReLU) with a threshold"),
    ],
)
def test_a_layer_that_is_not_known_is_refused(name: str, words: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    target = tmp_path / "model.onnx"
    found = keras_process.call(onnx_forward.refused, {"name": name, "target": str(target)})
    assert words in found["refused"]
    assert not target.exists()
