"""Models in ONNX, LiteRT and OpenVINO files: what `export` wrote predicts, others are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import InputError, ModelError, SettingError
from manyheads.models.card import read_card, write_card
from manyheads.models.classifier import load
from manyheads.models.export.exporter import export_model
from manyheads.study.folder import RunFolder
from tests.networks import save_onnx

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def exported(small_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxruntime")
    return export_model(small_run, "onnx", tmp_path_factory.mktemp("onnx") / "best.onnx").files[0]


@pytest.fixture
def photo(small_run: RunFolder) -> Path:
    return next((small_run.path.parent / "images" / "validation").glob("*/*.png"))


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    for name in (exported.name, f"{exported.name}.json"):
        shutil.copyfile(exported.with_name(name), tmp_path / name)
    return tmp_path / exported.name


@pytest.mark.when_changed("models")
def test_onnx_predicts_as_the_study_does(small_run: RunFolder, exported: Path) -> None:
    images = sorted((small_run.path.parent / "images" / "validation").glob("*/*.png"))
    wanted, found = load(small_run.path).predict(images), load(exported).predict(images)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=1e-6)
    assert found.labels == wanted.labels


@pytest.mark.when_changed("exports")
def test_onnx_is_small_and_for_old_runtimes_too(exported: Path, small_run: RunFolder) -> None:
    import onnx

    model = onnx.load(exported)
    assert model.ir_version == 8
    assert [each.version for each in model.opset_import] == [17]
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == [
        "images", "outputs",
    ]  # fmt: skip
    assert exported.stat().st_size < small_run.best.stat().st_size
    assert "Identity" not in {node.op_type for node in model.graph.node}


@pytest.mark.when_changed("exports")
def test_what_only_a_keras_model_does(exported: Path, photo: Path) -> None:
    with pytest.raises(ModelError, match=r"which can be cut before its pooling.*found best\.onnx"):
        load(exported).explain(photo)
    with pytest.raises(ModelError, match="give the run folder"):
        load(exported).predict(photo, uncertainty=10)
    with pytest.raises(SettingError, match=r"found best\.onnx; give the run folder"):
        load(exported).export("onnx")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-5000]), "found a damaged file"),
        (lambda file: file.write_bytes(b""), "found an empty file"),
        (lambda file: file.write_bytes(file.read_bytes() + b"\x0a\x00"), "has changed since"),
    ],
)
def test_damage_is_told(copied: Path, spoil: Callable[[Path], object], words: str) -> None:
    spoil(copied)
    with pytest.raises(ModelError, match=words):
        load(copied)


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".xml"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 64, b"TFL3" * 300, b"\x08\x08<net></net>"],
    ids=["empty", "zeros", "TFL3", "net"],
)
def test_a_hostile_file_with_its_own_side_file(
    copied: Path, photo: Path, suffix: str, content: bytes
) -> None:
    file, card = copied.with_suffix(suffix), read_card(copied)
    file.write_bytes(content)
    file.with_suffix(".bin").write_bytes(b"")
    write_card(file, card)
    with pytest.raises(InputError, match=str(file)):
        load(file).predict(photo)


def test_a_file_that_names_others_is_refused(copied: Path, photo: Path) -> None:
    card = replace(read_card(copied), input="preprocessed", output="logits")
    save_onnx(copied, pooled=True, external="weights.bin")
    write_card(copied, card)
    with pytest.raises(ModelError, match=r"all weights inside.*weights in 'weights\.bin'"):
        load(copied).predict(photo)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": "preprocessed", "output": "logits"}, r"inputs f32 .*found u8 \["),
        ({"classes": ("cat", "dog")}, "2 logits from"),
    ],
)
def test_a_side_file_of_another_model(
    copied: Path, photo: Path, changes: dict[str, object], words: str
) -> None:
    write_card(copied, replace(read_card(copied), **changes))
    with pytest.raises(ModelError, match=words):
        load(copied).predict(photo)
