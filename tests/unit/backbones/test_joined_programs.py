"""Programs of backbones side by side: the features of each, in any number of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import exported, registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.joined_programs import join, open_batch
from manyheads.backbones.weights import resolve
from manyheads.core import openvino_runtime
from manyheads.errors import BackboneError
from tests.networks import FEATURES, features_of, save_onnx, save_openvino

SIZE = 40
PIXELS = np.random.default_rng(2).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def computed(name: str) -> np.ndarray:
    spec = registry.get(name, "unit")
    with compile_backbone(spec, resolve(spec), SIZE) as backbone:
        assert backbone.features == FEATURES * len(spec.parts)
        starts = range(0, len(PIXELS), backbone.batch)
        found = dict(backbone.run((n, PIXELS[n : n + backbone.batch]) for n in starts))
    return np.concatenate([found[n] for n in starts])


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_features_are_those_of_each(tmp_path: Path, batch: int | None) -> None:
    """A member that takes only so many images at a time decides for the others."""
    first = save_onnx(tmp_path / "first.onnx", batch=batch)
    second = save_openvino(tmp_path / "second.xml")
    wanted = features_of(PIXELS / 255)
    np.testing.assert_allclose(
        computed(f"{first}+{second}"), np.concatenate([wanted, wanted], axis=1), atol=1e-5
    )


def test_members_of_different_batches_do_not_fit(tmp_path: Path) -> None:
    pair = "+".join(str(save_onnx(tmp_path / f"{n}.onnx", batch=n)) for n in (1, 3))
    spec = registry.get(pair, "unit")
    with pytest.raises(BackboneError, match=r"equally many images at a time, in 1\+3, found 1 and"):
        exported.program(spec, resolve(spec), SIZE)


def program_of(target: Path, shape: list[int]) -> Path:
    """A program for 4 images whose features are its pixels, reshaped to `shape` on the way."""
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    images = ops.parameter([4, 2, 2, 3], ov.Type.u8)
    found = ops.reshape(ops.convert(images, "f32"), np.array(shape), False)
    found = ops.reduce_mean(found, np.array([1]), keep_dims=False)
    ov.serialize(ov.Model([ops.result(found)], [images], "program"), target)
    return target


@pytest.mark.parametrize("shape", [[4, 2, 6], [4, 6, 2], [-1, 2, 6]])
def test_a_stated_number_of_images_is_opened(tmp_path: Path, shape: list[int]) -> None:
    core = openvino_runtime.core()
    file = program_of(tmp_path / "program.xml", shape)
    join([str(file)] * 2, 2, 4, str(tmp_path / "joined.xml"))
    model = core.read_model(tmp_path / "joined.xml")
    open_batch(model, 2)
    assert model.input().get_partial_shape()[0].is_dynamic
    pixels = np.random.default_rng(0).integers(0, 256, (3, 2, 2, 3), np.uint8)
    found = core.compile_model(model, "CPU")(pixels)[0]
    alone = pixels.astype(np.float32).reshape(3, *shape[1:]).mean(axis=1)
    np.testing.assert_allclose(found, np.concatenate([alone, alone], axis=1), rtol=1e-5)


def test_the_number_stays_where_images_would_be_mixed(tmp_path: Path) -> None:
    model = openvino_runtime.core().read_model(mixed(tmp_path / "mixed.xml"))
    open_batch(model, 2)
    assert list(model.input().get_shape()) == [4, 2, 2, 3]


def mixed(target: Path) -> Path:
    """A program whose features depend on the other images of a batch."""
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    images = ops.parameter([4, 2, 2, 3], ov.Type.u8)
    pixels = ops.reduce_mean(ops.convert(images, "f32"), np.array([1, 2]), keep_dims=False)
    all_images = ops.reduce_mean(pixels, np.array([0]), keep_dims=True)
    result = ops.result(ops.subtract(pixels, all_images))
    ov.serialize(ov.Model([result], [images], "program"), target)
    return target
