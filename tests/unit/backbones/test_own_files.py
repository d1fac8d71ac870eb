"""A file as a backbone: what is known of it before anything runs, and what is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from manyheads.backbones import own_files, registry
from manyheads.backbones.own_files import digest_of
from manyheads.backbones.weights import cached, resolve
from manyheads.errors import BackboneError, SettingError, WeightsError
from tests.networks import save_onnx, save_openvino


def keras_file(path: Path, *shapes: object) -> Path:
    """A `.keras` file that declares inputs of these shapes."""
    layers = [{"class_name": "InputLayer", "config": {"batch_shape": shape}} for shape in shapes]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
    return path


def test_a_spec_is_told_by_the_file(tmp_path: Path) -> None:
    spec = registry.get(save_onnx(tmp_path / "my net.onnx"), "torch")
    assert (spec.name, spec.preprocessing, spec.default_size) == ("my net", "torch", 224)
    assert not spec.in_keras
    spec.check_size(96)
    assert registry.get(str(save_openvino(tmp_path / "b.xml")), "tf").name == "b"
    assert registry.get(keras_file(tmp_path / "c.keras", [None, None, None, 3]), "tf").in_keras


@pytest.mark.parametrize("kind", ["onnx", "keras"])
def test_a_fixed_size_is_the_only_one(tmp_path: Path, kind: str) -> None:
    if kind == "onnx":
        file = save_onnx(tmp_path / "net.onnx", side=96)
    else:
        file = keras_file(tmp_path / "net.keras", [None, 96, 96, 3])
    spec = registry.get(file, "none")
    assert spec.default_size == 96
    with pytest.raises(BackboneError, match="the image size 96, the only one that net takes"):
        spec.check_size(128)


def test_without_a_preprocessing_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="give `preprocessing` tf, torch, caffe"):
        registry.get(save_onnx(tmp_path / "net.onnx"))


def test_a_backbone_of_keras_has_its_own() -> None:
    with pytest.raises(SettingError, match="no other preprocessing for xception than its own"):
        registry.get("xception", "tf")


@pytest.mark.parametrize(
    "shape",
    [[None, 224, 224], [None, 224, 224, 1], [None, 100, 120, 3], [None, 10**9, 10**9, 3],
     [None, 8, 8, 3]],
)  # fmt: skip
def test_other_inputs_are_refused(tmp_path: Path, shape: list[int]) -> None:
    with pytest.raises(BackboneError, match=r"a network of (square|RGB) images.*found inputs \["):
        registry.get(keras_file(tmp_path / "net.keras", shape), "tf")


@pytest.mark.parametrize("shapes", [[], [[None, 64, 64, 3]] * 2])
def test_one_input_is_needed(tmp_path: Path, shapes: list[object]) -> None:
    with pytest.raises(BackboneError, match=f"one declared input .* found {len(shapes)};"):
        registry.get(keras_file(tmp_path / "net.keras", *shapes), "tf")


@pytest.mark.parametrize("name", ["net.keras", "net.onnx", "net.xml"])
@pytest.mark.parametrize("data", [b"", b"PK\3\4 and no more", b"<net><layers>", b"\0" * 50])
def test_damaged_files_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BackboneError, match=f"in .*{name}, found "):
        registry.get(tmp_path / name, "tf")


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"ends with \.keras, \.onnx, \.xml"):
        registry.get(tmp_path / "net.pt", "tf")
    with pytest.raises(BackboneError, match="no file at"):
        registry.get(tmp_path / "net.onnx", "tf")


def test_the_digest_is_of_all_files(tmp_path: Path) -> None:
    file = save_openvino(tmp_path / "net.xml")
    before = digest_of(file)
    weights = file.with_suffix(".bin")
    weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    assert digest_of(file) != before
    weights.unlink()
    with pytest.raises(WeightsError, match=r"no net\.bin"):
        digest_of(file)


def test_external_weights_count_too(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx", external="kernel.bin")
    before = digest_of(file)
    assert resolve(registry.get(file, "tf")).size == file.stat().st_size + 648
    (tmp_path / "kernel.bin").write_bytes(b"\1" * 648)
    assert digest_of(file) != before
    (tmp_path / "kernel.bin").unlink()
    with pytest.raises(WeightsError, match=r"no 'kernel\.bin'"):
        digest_of(file)


@pytest.mark.parametrize("location", ["../kernel.bin", "/etc/hostname", "sub/../../kernel.bin"])
def test_weights_elsewhere_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "nets"
    folder.mkdir()
    file = save_onnx(folder / "net.onnx", external=location)
    (tmp_path / "kernel.bin").write_bytes(b"secret")
    with pytest.raises(WeightsError, match="which lies elsewhere"):
        resolve(registry.get(file, "tf"))


@pytest.mark.parametrize("location", ["kernel.bin\0", "sub\\kernel.bin", "", "k" * 5000])
def test_names_that_are_no_files_are_refused(location: str) -> None:
    with pytest.raises(WeightsError):
        own_files._beside(Path("net.onnx"), location)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "nets"
    folder.mkdir()
    file = save_onnx(folder / "net.onnx", external="kernel.bin")
    (folder / "kernel.bin").rename(tmp_path / "kernel.bin")
    (folder / "kernel.bin").symlink_to(tmp_path / "kernel.bin")
    with pytest.raises(WeightsError, match="which lies elsewhere"):
        digest_of(file)


def test_its_weights_are_here_and_no_others(tmp_path: Path) -> None:
    spec = registry.get(save_onnx(tmp_path / "net.onnx"), "tf")
    found = resolve(spec)
    assert cached(spec) == found
    assert (found.path, found.digest) == (spec.file, digest_of(tmp_path / "net.onnx"))
    assert "net.onnx" in found.source
    with pytest.raises(WeightsError, match="leave out `weights`"):
        resolve(spec, "random:0")


def test_what_a_side_file_tells_needs_no_file() -> None:
    spec = registry.from_card("gone", "torch")
    assert (spec.name, spec.preprocessing) == ("gone", "torch")
    assert registry.from_card("none", "none") == registry.NO_BACKBONE
    usual = registry.get("xception")
    assert registry.from_card("xception", usual.preprocessing) == usual
    with pytest.raises(BackboneError, match="as the preprocessing of xception"):
        registry.from_card("xception", "keras.applications.vgg16.preprocess_input")
