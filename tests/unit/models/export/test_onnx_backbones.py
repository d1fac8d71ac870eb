"""A model on a backbone in an ONNX file, as one ONNX file: the same answers as OpenVINO's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import own_files
from manyheads.core import openvino_runtime
from manyheads.errors import ModelError, WeightsError
from manyheads.heads.files import save_head
from manyheads.heads.head import Parameters, softmax
from manyheads.models import openvino_models
from manyheads.models.export import onnx_backbones
from tests.networks import FEATURES, save_onnx

SIZE, CLASSES = 32, 3
TORCH = "mean=0.485,0.456,0.406,std=0.229,0.224,0.225"

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def head(features: int = FEATURES, inner: int = 5) -> Parameters:
    """A head with small random weights."""

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(3).standard_normal(shape) / 20

    shapes = (features, inner), (inner,), (inner or features, CLASSES), (CLASSES,)
    return Parameters(*(draw(shape).astype(np.float32) for shape in shapes))


def written(
    file: Path, *, backbone: str | None = "net", preprocessing: str = TORCH, **how: Any
) -> tuple[Path, Path]:
    """A head on the network in `file`, as studies write it, and exported as ONNX."""
    folder, tokens = file.parent, how.get("tokens")
    save_head(folder / "head.safetensors", how.get("head", head()), {})
    model, target, digest = folder / "best.xml", folder / "best.onnx", own_files.digest_of(file)
    known = {"weights": str(file), "digest": digest, "size": SIZE, "tokens": tokens}
    openvino_models.append(head=str(folder / "head.safetensors"), target=str(model), **known)
    onnx_backbones.write(
        file=str(model), target=str(target), about={"classes": "[]"}, backbone=backbone,
        preprocessing=preprocessing, **known,
    )  # fmt: skip
    return model, target


def agree(model: Path, target: Path, preprocessed: Any, images: int = 4) -> None:
    """Raise unless the export says of raw pixels what the model says of `preprocessed` ones."""
    shape = (images, SIZE, SIZE, 3)
    brightness = np.linspace(0.2, 1, images).reshape(-1, 1, 1, 1)
    pixels = (np.random.default_rng(1).integers(0, 256, shape) * brightness).astype(np.uint8)
    given = np.asarray(preprocessed(pixels.astype(np.float32)), np.float32)
    program = openvino_runtime.core().compile_model(model, "CPU")
    expected = np.concatenate([program(given[n : n + 1])[0] for n in range(images)])
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    (found,) = session.run(["outputs"], {"images": pixels})
    assert expected.shape == (images, CLASSES)
    np.testing.assert_allclose(found, softmax(expected), atol=2e-6)
    if images > 1:
        assert np.ptp(found, axis=0).max() > 1e-3


def torch_like(pixels: np.ndarray) -> np.ndarray:
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (pixels / 255 - mean) / std


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("inner", [0, 5])
def test_maps_and_pooled_features(tmp_path: Path, pooled: bool, inner: int) -> None:
    file = save_onnx(tmp_path / "net.onnx", pooled=pooled)
    agree(*written(file, head=head(inner=inner)), torch_like)


@pytest.mark.when_changed("exports")
def test_weights_beside_the_file_come_inside(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx", external="net.bin")
    model, target = written(file)
    (tmp_path / "net.bin").unlink()
    agree(model, target, torch_like)


@pytest.mark.when_changed("exports")
def test_channels_change_places(tmp_path: Path) -> None:
    def caffe(pixels: np.ndarray) -> np.ndarray:
        return pixels[..., ::-1] - np.array([103.939, 116.779, 123.68])

    file = save_onnx(tmp_path / "net.onnx")
    agree(*written(file, preprocessing="caffe"), caffe)


def test_names_in_the_network_may_be_ours(tmp_path: Path) -> None:
    names = {"image": "images", "grid": "outputs", "kernel": "constant_0", "sums": "cast_0"}
    file = renamed(save_onnx(tmp_path / "net.onnx"), names)
    agree(*written(file), torch_like)


@pytest.mark.parametrize("opset", [11, 18, 21])
def test_operator_sets(tmp_path: Path, opset: int) -> None:
    file = save_onnx(tmp_path / "net.onnx")
    model = onnx.load(file)
    model.opset_import[0].version = opset
    onnx.save(model, file)
    agree(*written(file), torch_like)


def test_an_old_operator_set_is_refused(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx")
    model = onnx.load(file)
    model.opset_import[0].version = 9
    onnx.save(model, file)
    with pytest.raises(ModelError, match=r"operator set 11 or newer, found 9; .* openvino"):
        written(file)


def test_a_fixed_batch_stays_fixed(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx", batch=1)
    model, target = written(file)
    agree(model, target, torch_like, images=1)
    (image,) = onnx.load(target).graph.input
    assert [each.dim_value for each in image.type.tensor_type.shape.dim] == [1, SIZE, SIZE, 3]


@pytest.mark.parametrize(("tokens", "width"), [("cls", 6), ("mean", 6), ("cls+mean", 12)])
def test_tokens(tmp_path: Path, tokens: str, width: int) -> None:
    file = save_onnx(tmp_path / "net.onnx", more=of_tokens())
    agree(*written(file, tokens=tokens, head=head(width)), torch_like)


def test_a_raw_export_takes_preprocessed_images(tmp_path: Path) -> None:
    model, target = written(save_onnx(tmp_path / "net.onnx"), backbone=None)
    images = np.random.default_rng(1).standard_normal((2, SIZE, SIZE, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    (found,) = session.run(["outputs"], {"images": images})
    expected = openvino_runtime.core().compile_model(model, "CPU")(images)[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_another_network_at_its_place_is_refused(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx")
    model, target = written(file)
    digest = own_files.digest_of(file)
    save_onnx(file, pooled=True)
    target.unlink()
    with pytest.raises(WeightsError, match="found another one"):
        onnx_backbones.write(
            str(model), str(target), {}, "net", TORCH, str(file), digest, SIZE, None
        )  # fmt: skip
    assert not target.exists()


def renamed(file: Path, names: dict[str, str]) -> Path:
    """The network with other names of its tensors."""
    model = onnx.load(file)
    for node in model.graph.node:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        value.name = names.get(value.name, value.name)
    onnx.save(model, file)
    return file


def of_tokens() -> list[Any]:
    """Nodes that make 1 + 49 tokens of the map of 8 × 8 cells, without the last ones."""
    helper = onnx.helper
    shape = onnx.numpy_helper.from_array(np.array([0, FEATURES, -1]), "")
    bounds = [onnx.numpy_helper.from_array(np.array([each]), "") for each in (0, 50, 2)]
    constants = [
        helper.make_node("Constant", [], [name], value=value)
        for name, value in zip(("shape", "from", "to", "axis"), [shape, *bounds], strict=True)
    ]
    return [
        *constants,
        helper.make_node("Reshape", ["grid", "shape"], ["line"]),
        helper.make_node("Slice", ["line", "from", "to", "axis"], ["some"]),
        helper.make_node("Transpose", ["some"], ["tokens"], perm=[0, 2, 1]),
    ]
