"""Networks of the user's own as inference programs: what they compute, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.own_programs import export
from manyheads.backbones.weights import resolve
from manyheads.errors import BackboneError, ManyheadsError, SettingError, WeightsError
from tests.networks import FEATURES, features_of, save_onnx, save_openvino

SIZE = 40
PIXELS = np.random.default_rng(2).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def computed(file: Path, preprocessing: str = "unit", pooling: str = "avg") -> np.ndarray:
    spec = registry.get(file, preprocessing)
    with compile_backbone(spec, resolve(spec), SIZE, pooling=pooling) as backbone:
        starts = range(0, len(PIXELS), backbone.batch)
        found = dict(backbone.run((n, PIXELS[n : n + backbone.batch]) for n in starts))
        assert backbone.features == FEATURES
    return np.concatenate([found[n] for n in starts])


def exported(file: Path, **options: object) -> object:
    """What the child would do, in this process, where a mistake can be seen."""
    spec = registry.get(file, "unit")
    arguments = {"size": SIZE, "target": str(file.parent / "out.xml"), **options}
    kept = resolve(spec)
    return export(str(kept.path), kept.digest, "unit", **arguments)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("batch", [None, 1, 3])
def test_features_are_those_of_the_definition(
    tmp_path: Path, pooled: bool, batch: int | None
) -> None:
    """An output of rank 4 is averaged, one of rank 2 taken as it is; a batch of the file's own."""
    file = save_onnx(tmp_path / "net.onnx", pooled=pooled, batch=batch)
    np.testing.assert_allclose(computed(file), features_of(PIXELS / 255), atol=1e-5)


def test_weights_in_another_file_are_used(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx", external="kernel.bin")
    np.testing.assert_allclose(computed(file), features_of(PIXELS / 255), atol=1e-5)


def test_the_grid_averages_to_the_features(tmp_path: Path) -> None:
    for file in (save_onnx(tmp_path / "first.onnx"), save_openvino(tmp_path / "second.xml")):
        grid = computed(file, pooling="grid")
        assert grid.shape == (5, 10, 10, FEATURES)
        np.testing.assert_allclose(grid.mean(axis=(1, 2)), computed(file), atol=1e-6)


def test_a_vector_has_no_grid(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="a feature map as the output"):
        exported(save_onnx(tmp_path / "net.onnx", pooled=True), pooling="grid")


def test_a_network_that_runs_through_keras_is_none_of_these(tmp_path: Path) -> None:
    spec = registry.get(save_onnx(tmp_path / "net.onnx"), "unit")
    with pytest.raises(SettingError, match="the runtime openvino for net"):
        compile_backbone(spec, resolve(spec), SIZE, runtime="keras")


def test_two_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"one output of features.*found 2 outputs"):
        exported(save_onnx(tmp_path / "net.onnx", pooled=True, also=["grid"]))


def test_other_ranks_are_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    axes = onnx.helper.make_node("Constant", [], ["axes"], value_ints=[1])
    longer = onnx.helper.make_node("Unsqueeze", ["features", "axes"], ["tokens"])
    with pytest.raises(BackboneError, match=r"found f32 \[16,1,6\]"):
        exported(save_onnx(tmp_path / "net.onnx", pooled=True, more=[axes, longer]))


def test_layers_of_enormous_shapes_are_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    sides = onnx.helper.make_node("Constant", [], ["sides"], value_ints=[16, 6, 60_000, 60_000])
    large = onnx.helper.make_node("ConstantOfShape", ["sides"], ["large"])
    added = onnx.helper.make_node("ReduceMax", ["large"], ["most"], keepdims=1, axes=[2, 3])
    with pytest.raises(BackboneError, match=r"at most 1,073,741,824 numbers.*60000"):
        exported(save_onnx(tmp_path / "net.onnx", more=[sides, large, added]))


def test_a_truncated_file_is_an_error_of_one_line(tmp_path: Path) -> None:
    file = save_openvino(tmp_path / "net.xml")
    weights = file.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:40])
    spec = registry.get(file, "unit")
    with pytest.raises(ManyheadsError, match="net"):
        compile_backbone(spec, resolve(spec), SIZE)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx")
    spec = registry.get(file, "unit")
    kept = resolve(spec)
    save_onnx(file, pooled=True)
    with pytest.raises(WeightsError, match="found another one"):
        export(str(file), kept.digest, "unit", SIZE, str(tmp_path / "out.xml"))
