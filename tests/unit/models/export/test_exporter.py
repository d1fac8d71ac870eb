"""The best model as files for other programs: whole, the same numbers, or not there at all."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones.weights import Weights
from manyheads.core import openvino_runtime
from manyheads.core.job import Job
from manyheads.data.images import load_pixels
from manyheads.errors import (
    Interrupted,
    ManyheadsError,
    MissingExtraError,
    ModelError,
    RunError,
    SettingError,
)
from manyheads.heads.bank import Metrics
from manyheads.heads.files import load_head
from manyheads.heads.head import forward, glorot_parameters
from manyheads.models.card import card_path, read_card, side_files, unlike_path, write_card
from manyheads.models.classifier import load
from manyheads.models.export import exporter
from manyheads.models.export.exporter import export_model, write_models
from manyheads.run.pipeline import Finished
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead, about_head
from manyheads.study.select import Outcome
from manyheads.study.space import Trial
from tests.jobs import stopped_job
from tests.plain_keras import opened
from tests.small_study import small_settings

WEIGHTS = Weights(Path("weights.safetensors"), "d" * 64, "a test")
CLASSES = ("cat", "dog", "red panda")


@pytest.mark.slow
def test_keras_opens_what_is_written_for_it(small_run: RunFolder, tmp_path: Path) -> None:
    files = [tmp_path / "best.keras", tmp_path / "best.h5"]
    for file in files:
        assert export_model(small_run, file.suffix[1:], file, raw=True).files == (
            file,
            card_path(file),
            unlike_path(file),
        )
        assert read_card(file) == read_card(small_run.best)
    images = validation_images(small_run)
    labels = [CLASSES.index(image.parent.name) for image in images]
    answers = opened([small_run.best, *files], images, labels, tmp_path)
    assert {answer["backend"] for answer in answers} == {"tensorflow"}
    logits = np.array([answer["logits"] for answer in answers])
    assert np.ptp(logits, axis=1).max() > 1e-3  # the images do differ
    np.testing.assert_allclose(logits[1:], logits[[0, 0]], rtol=0, atol=1e-4)


@pytest.mark.when_changed("exports")
def test_openvino_opens_what_is_written_for_it(small_study: Finished, tmp_path: Path) -> None:
    folder, file = small_study.folder, tmp_path / "best.xml"
    written = export_model(folder, "openvino", file, raw=True).files
    assert sorted(written) == sorted(tmp_path.iterdir())
    assert set(written) == {file, tmp_path / "best.bin", *side_files(file)}
    assert unlike_path(file) in written
    assert read_card(file) == read_card(folder.best)
    head, _ = load_head(folder.head(int(read_card(file).selected["candidate"])))
    rows = small_study.features.plain.rows[small_study.dataset.rows("validation")]
    logits = forward(head, small_study.features.plain.matrix[rows])
    images = [small_study.dataset.paths[row] for row in small_study.dataset.rows("validation")]
    assert np.ptp(logits, axis=0).max() > 1e-3  # the images do differ
    np.testing.assert_allclose(by_openvino(file, images), logits, rtol=0, atol=1e-4)


def validation_images(folder: RunFolder) -> list[Path]:
    return sorted((folder.path.parent / "images" / "validation").glob("*/*.png"))


def by_openvino(file: Path, images: list[Path]) -> np.ndarray:
    """Logits by OpenVINO alone, with the preparation that the side file names."""
    card = read_card(file)
    assert card.preprocessing == "keras.applications.mobilenet.preprocess_input"
    pixels = np.stack([load_pixels(image, card.image) for image in images])
    # Some processors would take bfloat16 on their own.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_runtime.openvino().Core().compile_model(file, "CPU", exact)
    return compiled(pixels.astype(np.float32) / 127.5 - 1)[0]


def test_without_a_target_it_lies_in_the_run_folder(small_run: RunFolder) -> None:
    written = export_model(small_run, "keras", raw=True).files
    assert [path.relative_to(small_run.path).as_posix() for path in written] == [
        "export/best.keras",
        "export/best.keras.json",
        "export/best.keras.unlike.safetensors",
    ]
    assert written[0].read_bytes() == small_run.best.read_bytes()


@pytest.mark.when_changed("exports")
def test_pixels_go_in_and_probabilities_come_out(small_run: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "best.keras"
    exported = export_model(small_run, "keras", file)
    assert (exported.card.input, exported.card.output) == ("pixels", "probabilities")
    assert read_card(file) == exported.card
    assert exported.check.images == 12
    assert exported.check.any_batch
    assert 0 <= exported.check.difference < 1e-5
    images = validation_images(small_run)
    wanted = load(small_run.path).predict(images)
    found = load(file).predict(images)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=1e-5)
    assert found.labels == wanted.labels


@pytest.mark.slow
def test_an_h5_file_with_its_preprocessing_is_loaded_as_such(
    small_run: RunFolder, tmp_path: Path
) -> None:
    file = tmp_path / "best.h5"
    export_model(small_run, "h5", file)
    images = validation_images(small_run)
    wanted = load(small_run.path).predict(images).probabilities
    np.testing.assert_allclose(load(file).predict(images).probabilities, wanted, atol=1e-5)


@pytest.mark.when_changed("exports")
def test_a_card_that_says_pixels_of_a_plain_model(small_run: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "best.keras"
    card = export_model(small_run, "keras", file, raw=True).card
    write_card(file, replace(card, input="pixels", output="probabilities"))
    with pytest.raises(ModelError, match=r"uint8 images that ends with a softmax.*Dense"):
        load(file).predict(validation_images(small_run))


def test_a_missing_extra_leaves_nothing(
    small_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[export\]'"):
        export_model(small_run, "litert", tmp_path / "deep" / "best.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_saved_model_replaces_an_earlier_one_and_nothing_else(
    small_run: RunFolder, tmp_path: Path
) -> None:
    target = tmp_path / "model"
    for inside in (False, True):
        exported = export_model(small_run, "saved_model", target, raw=not inside)
        assert exported.files == (target, card_path(target))
        assert sorted(tmp_path.iterdir()) == sorted(exported.files)
        assert read_card(target).input == ("pixels" if inside else "preprocessed")
        written = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
        assert written < 1.2 * small_run.best.stat().st_size  # no array is in it twice


def test_a_wrong_suffix_is_mended_in_the_message(small_run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"ends with \.h5.*model\.keras; name it model\.h5"):
        export_model(small_run, "h5", tmp_path / "deep" / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format(small_run: RunFolder) -> None:
    with pytest.raises(SettingError, match="`format` to be one of keras, h5, openvino, onnx"):
        export_model(small_run, "pmml")


def test_the_model_is_not_replaced_by_its_copy(small_run: RunFolder) -> None:
    with pytest.raises(SettingError, match="another file than the model itself"):
        export_model(small_run, "keras", small_run.best)


def test_an_unfinished_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(RunError, match=r"no study\.toml"):
        export_model(folder, "keras")
    folder.settings.write_text("")
    with pytest.raises(RunError, match=r"found no best\.keras; repeat its sweep"):
        export_model(folder, "keras")
    assert list(tmp_path.iterdir()) == [folder.settings]


def test_a_failure_leaves_nothing(
    small_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_written(_function: object, arguments: dict[str, Any], **_: object) -> dict[str, Any]:
        Path(arguments["target"]).write_bytes(b"half")
        raise ManyheadsError("Keras", "no memory", "buy some")

    monkeypatch.setattr(exporter.keras_process, "call", half_written)
    with pytest.raises(ManyheadsError, match="no memory"):
        export_model(small_run, "h5", tmp_path / "a" / "b" / "best.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.when_changed("exports")
def test_a_failure_keeps_what_was_exported_before(
    small_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = export_model(small_run, "keras", tmp_path / "best.keras", raw=True).files

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporter.shutil, "copyfile", full)
    with pytest.raises(ManyheadsError, match="no space left"):
        export_model(small_run, "keras", tmp_path / "best.keras", raw=True)
    assert sorted(tmp_path.iterdir()) == sorted(written)
    assert read_card(written[0]) == read_card(small_run.best)


def test_a_stopped_export_leaves_nothing(small_run: RunFolder, tmp_path: Path) -> None:
    job = stopped_job()
    with pytest.raises(Interrupted):
        export_model(small_run, "h5", tmp_path / "best.h5", job)
    assert list(tmp_path.iterdir()) == []


def test_models_are_written_with_their_side_files(tmp_path: Path) -> None:
    folder, write = RunFolder(tmp_path / "run"), FakeWriter()
    wanted = [(head(1), folder.best), (head(2), folder.checkpoints / "a.h5")]
    assert written(folder, wanted, write) == [folder.best, folder.checkpoints / "a.h5"]
    assert write.count == 2
    assert read_card(folder.best).selected["droprate"] == 0.0
    assert read_card(folder.checkpoints / "a.h5").selected["droprate"] == 0.5
    assert read_card(folder.best).classes == CLASSES
    assert sorted(path.name for path in folder.path.rglob("*") if path.is_file()) == [
        "a.h5", "a.h5.json", "best.keras", "best.keras.json",
    ]  # fmt: skip


def test_equal_models_are_left_alone(tmp_path: Path) -> None:
    folder, write = RunFolder(tmp_path), FakeWriter()
    wanted = [(head(1), folder.best)]
    written(folder, wanted, write)
    before = folder.best.stat()
    assert written(folder, wanted, write) == []
    assert write.count == 1
    assert folder.best.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    "spoil",
    [
        lambda best: best.write_bytes(b"cut off"),
        lambda best: best.unlink(),
        lambda best: card_path(best).unlink(),
        lambda best: card_path(best).write_text("{"),
    ],
)
def test_a_damaged_model_is_written_again(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    folder, write = RunFolder(tmp_path), FakeWriter()
    wanted = [(head(1), folder.best)]
    written(folder, wanted, write)
    spoil(folder.best)
    assert written(folder, wanted, write) == [folder.best]
    assert written(folder, wanted, write) == []


def test_another_head_replaces_the_model(tmp_path: Path) -> None:
    folder, write = RunFolder(tmp_path), FakeWriter()
    written(folder, [(head(1), folder.best)], write)
    assert written(folder, [(head(1, epoch=2), folder.best)], write) == [folder.best]
    assert read_card(folder.best).selected["epoch"] == 2


def test_a_failure_keeps_the_former_model_and_no_draft(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    written(folder, [(head(1), folder.best)], FakeWriter())
    with pytest.raises(ModelError):
        written(folder, [(head(2), folder.best)], FakeWriter(fails=True))
    assert read_card(folder.best).selected["candidate"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.keras", "best.keras.json"]


def test_a_stop_between_models_leaves_none(tmp_path: Path) -> None:
    folder, job = RunFolder(tmp_path), Job()

    def write(*arguments: Any) -> None:
        FakeWriter()(*arguments)
        job.stop()

    wanted = [(head(1), folder.best), (head(2), folder.checkpoints / "a.h5")]
    settings = small_settings(Path("data"))
    with pytest.raises(Interrupted, match="stopped before writing the model was finished"):
        write_models(settings, WEIGHTS, CLASSES, folder, wanted, write, job)
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_a_killed_process_are_cleared_away(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / ".drafts" / "0").mkdir(parents=True)
    (tmp_path / ".drafts" / "0" / "best.keras").write_bytes(b"half")
    written(folder, [(head(1), folder.best)], FakeWriter())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.keras", "best.keras.json"]


class FakeWriter:
    """Writes a few bytes for each network that is asked for."""

    def __init__(self, *, fails: bool = False) -> None:
        self.count, self.fails = 0, fails

    def __call__(self, *arguments: Any) -> None:
        *_, target, _stop = arguments
        self.count += 1
        target.write_bytes(f"model {self.count}".encode())
        if self.fails:
            raise ModelError("a head", "none", "train it again")


def written(
    folder: RunFolder, wanted: list[tuple[BestHead, Path]], write: FakeWriter
) -> list[Path]:
    return write_models(small_settings(Path("data")), WEIGHTS, CLASSES, folder, wanted, write)


def head(candidate: int, epoch: int = 1) -> BestHead:
    curve = [Metrics(0.5, 0.25, 0.5, 0.75)] * epoch
    trial = Trial(number=candidate, candidate=candidate, seed=0, fold=0)
    parameters = glorot_parameters(4, 8, 3, np.random.default_rng(0))
    about = about_head(small_settings(Path("data")), Outcome(trial, epoch, curve))
    return BestHead(candidate, about, parameters)


@pytest.mark.slow
def test_a_network_that_fixes_its_batch_is_exported_for_one_image(tmp_path: Path) -> None:
    code = """
import json, sys
from manyheads.core.keras_backend import import_keras
keras = import_keras()
from manyheads.backbones import keras_builds, registry
from manyheads.models.keras_models import convert
base = keras_builds.network(registry.get("efficientnet_b0"), 32, "channels_last")
keras.Model(base.inputs[0], keras.layers.Dense(3)(base.outputs[0])).save(sys.argv[1])
convert(sys.argv[1], "openvino", sys.argv[2], json.loads(sys.argv[3]))
"""
    saved, target = tmp_path / "model.keras", tmp_path / "model.xml"
    about = json.dumps({"classes": "[]", "card": "{}"})
    command = [sys.executable, "-c", code, str(saved), str(target), about]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": "openvino"})
    program = openvino_runtime.openvino().Core().compile_model(target, "CPU")
    assert program(np.zeros((1, 32, 32, 3), np.float32))[0].shape == (1, 3)
