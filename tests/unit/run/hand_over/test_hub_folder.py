"""A folder for the hub: its layout, its metadata, and the code of its card, which is run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.errors import RunError, SettingError
from manyheads.models.classifier import load
from manyheads.run.hand_over.card_facts import read_facts
from manyheads.run.hand_over.card_page import Licences, hub_metadata, model_card
from manyheads.run.hand_over.card_usage import usage
from manyheads.run.hand_over.hub_folder import HubFolder, processor, write_hub_folder
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.test_evaluation import final_score
from tests.networks import save_onnx
from tests.small_study import CLASSES, finished_study, small_images, small_settings
from tests.strategies import distinct_image

pytestmark = pytest.mark.when_changed("studies")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_study(tmp_path_factory.mktemp("study"), seeds=2)


@pytest.fixture(scope="module")
def made(study: Finished) -> HubFolder:
    return write_hub_folder(study.folder.path, data_licence="cc0-1.0")


def snippets(made: HubFolder) -> list[str]:
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


def answer(code: str, folder: Path) -> tuple[str, float]:
    """What the code of a card prints in the folder, where there is a photo.jpg."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=folder, check=True,
        env=os.environ | {"KERAS_BACKEND": "openvino"}, capture_output=True, text=True,
    )  # fmt: skip
    label, probability = done.stdout.strip().rsplit(" ", 1)
    return label, float(probability)


def test_its_files_are_those_of_the_hub(made: HubFolder) -> None:
    names = {each.relative_to(made.folder).as_posix() for each in made.files}
    assert names == {
        "README.md", ".gitattributes", "config.json", "preprocessor_config.json",
        "model.keras", "model.keras.json", "onnx/model.onnx", "onnx/model.onnx.json",
        "model.keras.unlike.safetensors", "onnx/model.onnx.unlike.safetensors",
    }  # fmt: skip
    assert made.left_out == ""
    config = json.loads((made.folder / "config.json").read_text())
    assert config["id2label"] == {str(number): name for number, name in enumerate(CLASSES)}
    assert config["label2id"]["dog"] == 1
    attributes = (made.folder / ".gitattributes").read_text().splitlines()
    assert "*.keras filter=lfs diff=lfs merge=lfs -text" in attributes
    assert {each.format for each in made.models} == {"keras", "onnx"}
    assert all(file.is_file() for each in made.models for file in each.files)
    prepared = json.loads((made.folder / "preprocessor_config.json").read_text())
    assert prepared["size"] == {"height": 32, "width": 32}
    assert prepared["resample"] == 3


def test_its_metadata_is_yaml_with_results_that_have_intervals(made: HubFolder) -> None:
    yaml = pytest.importorskip("yaml")
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    _, block, text = card.split("---\n", 2)
    found = yaml.safe_load(block)
    assert found["license"] == "unknown"
    assert found["library_name"] == "keras"
    assert found["pipeline_tag"] == "image-classification"
    (result,) = found["model-index"][0]["results"]
    assert result["task"]["type"] == "image-classification"
    assert set(result["dataset"]) == {"name", "type"}
    metric = result["metrics"][0]
    assert metric["type"] == "accuracy"
    assert 0 <= metric["value"] <= 1
    assert "95 % interval" in metric["name"]
    assert "Data: cc0-1.0." in text
    assert "Backbone: not known; ask its publisher." in text  # whose weights are random
    assert "This model: not stated" in text
    assert "| cat | 7 | 4 |" in text
    assert "12 validation images that selected the model" in text


@pytest.mark.when_changed("models")
def test_the_code_of_the_card_gives_the_models_answer(made: HubFolder, study: Finished) -> None:
    photo = str(study.dataset.paths[0])
    (made.folder / "photo.jpg").write_bytes(Path(photo).read_bytes())
    (probabilities,) = load(study.folder.best).predict([photo]).probabilities
    best = CLASSES[int(probabilities.argmax())]
    codes = snippets(made)
    assert len(codes) == 2
    for code in codes:
        label, probability = answer(code, made.folder)
        assert label == best
        assert probability == pytest.approx(float(probabilities.max()), abs=0.02)


@pytest.mark.when_changed("models")
def test_an_earlier_folder_is_replaced_and_one_of_others_is_not(
    made: HubFolder, study: Finished, tmp_path: Path
) -> None:
    (made.folder / "old.txt").write_text("")
    again = write_hub_folder(study.folder.path)
    assert again.folder == made.folder
    assert not (made.folder / "old.txt").exists()
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(SettingError, match="a folder of other files"):
        write_hub_folder(study.folder.path, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(RunError, match="no such folder"):
        write_hub_folder(tmp_path / "none")


def test_a_sweep_ends_with_the_card_in_its_run_folder(study: Finished) -> None:
    card = (study.folder.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    facts = read_facts(study.folder.path)
    assert card == model_card(facts, (), Licences())
    assert "## Use it" not in card
    assert "as the recalls" in card


def test_names_cannot_break_out_of_the_metadata(study: Finished) -> None:
    yaml = pytest.importorskip("yaml")
    facts = replace(read_facts(study.folder.path), name='a: "b"\n---', data="x: [y")
    _, block, _ = hub_metadata(facts, "keras", Licences(model="MIT")).split("---\n", 2)
    found = yaml.safe_load(block.replace("\\n---", "\\n---"))
    assert found["license"] == "mit"
    assert found["model-index"][0]["results"][0]["dataset"]["type"] == "x: [y"


@pytest.mark.parametrize("resize", [None, "crop", "crop:0.875", "pad"])
@pytest.mark.parametrize("decode", ["full", "scaled"])
def test_preparation_is_told_in_code_and_numbers(
    resize: str | None, decode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = ImageSettings(size=40, resize=resize, decode=decode)
    if decode == "full":
        distinct_image("photo", 96).resize((96, 64)).save(tmp_path / "photo.jpg", "PNG")
    else:
        distinct_image("photo", 300).resize((300, 200)).save(tmp_path / "photo.jpg")
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    code = usage("model.onnx", image)
    names: dict[str, Any] = {}
    exec(code[: code.index("import onnxruntime")], names)
    assert np.array_equal(names["pixels"][0], load_pixels(tmp_path / "photo.jpg", image))
    document = processor(image)
    assert document["do_center_crop"] == (resize in ("crop", "crop:0.875"))
    assert ("pad_size" in document) == (resize == "pad")


def test_the_card_has_the_evaluations_of_its_own_model_alone(tmp_path: Path) -> None:
    data = small_images(tmp_path / "images", test=4)
    path = run_study(small_settings(data, seeds=1), tmp_path / "run").folder.path
    card = path / "MODEL_CARD.md"
    assert "has not been evaluated on test images" in card.read_text(encoding="utf-8")
    final_score(path)
    assert "On 12 test images, not used for selection" in card.read_text(encoding="utf-8")
    log = json.loads((path / "test.json").read_text(encoding="utf-8"))
    log["evaluations"][0]["model"]["parameters"] = "0" * 64  # of a former run's model
    (path / "test.json").write_text(json.dumps(log), encoding="utf-8")
    assert len(read_facts(path).measured) == 1


@pytest.mark.when_changed("models")
def test_a_backbone_that_keras_does_not_build_is_handed_over_for_openvino(tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    save_onnx(file)
    study = finished_study(
        tmp_path, backbone=str(file), weights=None, preprocessing="unit", seeds=1
    )
    made = write_hub_folder(study.folder.path)
    names = {each.relative_to(made.folder).as_posix() for each in made.files}
    assert {"model.xml", "model.bin", "onnx/model.onnx"} <= names
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    assert "library_name: openvino" in card
    assert "std 255, 255, 255" in card
    photo = str(study.dataset.paths[0])
    (made.folder / "photo.jpg").write_bytes(Path(photo).read_bytes())
    (probabilities,) = load(study.folder.best).predict([photo]).probabilities
    for code in snippets(made):
        label, probability = answer(code, made.folder)
        assert label == CLASSES[int(probabilities.argmax())]
        assert probability == pytest.approx(float(probabilities.max()), abs=0.02)
