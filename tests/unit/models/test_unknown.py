"""Unknown images: what is written beside a model, what it says, and what it refuses to say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.errors import ModelError, SettingError
from manyheads.models import unlike_files
from manyheads.models.card import card_path, side_files, unlike_path
from manyheads.models.classifier import load
from manyheads.models.export.exporter import export_model
from manyheads.models.prediction import Prediction
from manyheads.models.unknown_answers import UnknownRule, rate_of
from manyheads.models.unlike_files import read_unlikeness, write_unlikeness
from manyheads.stats.unlikeness import Unlikeness, as_kept
from manyheads.study.folder import RunFolder
from tests.strategies import distinct_image


@pytest.fixture(scope="module")
def files(small_run: RunFolder) -> list[Path]:
    return sorted((small_run.path.parent / "images").glob("*/*/*.png"))


@pytest.fixture
def copy(small_run: RunFolder, tmp_path: Path) -> Path:
    """A copy of the best model with its side files."""
    for file in (small_run.best, *side_files(small_run.best)):
        shutil.copyfile(file, tmp_path / file.name)
    return tmp_path / small_run.best.name


def known(model: Path) -> Unlikeness:
    found = read_unlikeness(model)
    assert found is not None
    return found


def test_a_study_keeps_what_its_images_are_like(small_run: RunFolder) -> None:
    found = known(small_run.best)
    assert len(found.kept) == 21  # training images
    assert len(found.held_out) == 12  # validation images
    lengths = np.linalg.norm(found.kept.astype(np.float64), axis=1)
    assert lengths == pytest.approx(np.ones(21), abs=1e-3)


def test_validation_images_are_as_unlike_as_their_scores_say(
    small_run: RunFolder, files: list[Path]
) -> None:
    validation = [file for file in files if file.parts[-3] == "validation"]
    found = load(small_run.path).predict(validation, unknown=0.25)
    scores = sorted(each.unlike for each in found if each.unlike is not None)
    assert scores == pytest.approx([n / 13 for n in range(12)], abs=1e-9)
    assert sum(each.unknown for each in found) == 2  # 10 of 13 are needed: ⌈13 · 0.75⌉
    assert [each.label == "unknown" for each in found] == [each.unknown for each in found]
    # Training images are among those kept, and have nearer neighbours.
    train = load(small_run.path).predict([f for f in files if f not in validation], unknown=0.25)
    assert np.mean([each.unlike for each in train]) < np.mean(scores)  # pyright: ignore


def test_nothing_else_changes_by_asking(small_run: RunFolder, files: list[Path]) -> None:
    model = load(small_run.path)
    plain, asked = model.predict(files[:9]), model.predict(files[:9], unknown="25%")
    np.testing.assert_array_equal(plain.probabilities, asked.probabilities)
    assert [each.confidence for each in plain] == [each.confidence for each in asked]
    assert {each.unlike for each in plain} == {None}
    rows = list(model.stream(files[:9], unknown=0.25, min_confidence=0.99))
    for row, other in zip(rows, asked, strict=True):
        assert (row.unlike, row.unknown) == (other.unlike, other.unknown)
        assert row.abstained == (row.confidence < 0.99)
        assert row.label == ("unknown" if row.unknown else None)
        assert row.word == ("unknown" if row.unknown else "unsure")


def test_a_rate_that_so_few_images_cannot_hold(small_run: RunFolder, files: list[Path]) -> None:
    with pytest.raises(SettingError, match=r"from 7.7 %, the least rate that the 12 held-out"):
        load(small_run.path).predict(files[:1], unknown=0.05)
    load(small_run.path).predict(files[:1], unknown="7.7%")


@pytest.mark.parametrize("given", ["0", "0%", 0.0, -0.1, "60%", 0.6, "many", "5 percent", "nan"])
def test_what_is_no_rate(given: Any) -> None:
    with pytest.raises(SettingError, match="unknown"):
        rate_of(given)


def test_a_rate_in_percent_or_as_a_share() -> None:
    assert rate_of("5%") == rate_of("0.05") == rate_of(0.05) == rate_of(" 5 % ") == 0.05
    assert rate_of(None) is None


def test_an_unknown_image_has_no_other_label() -> None:
    kept = Unlikeness(as_kept(np.eye(3)), np.linspace(0, 0.1, 9, dtype=np.float32), 1)
    rule = UnknownRule(kept, 0.2, Path("best.keras"))
    far, near = np.ones(3, np.float32), np.eye(3, dtype=np.float32)[0]
    said = Prediction("a.png", "a;b", 0.9, {"a": 0.9, "b": 0.9}, labels=("a", "b"), features=far)
    found = rule.applied(said)
    assert (found.label, found.labels, found.unknown, found.unlike) == ("unknown", (), True, 0.9)
    found = rule.applied(replace(said, features=near))
    assert (found.label, found.labels, found.unknown, found.unlike) == ("a;b", ("a", "b"), False, 0)
    found = rule.applied(Prediction("a.png", None, 0.3, {"a": 0.3}, abstained=True, features=far))
    assert (found.label, found.labels, found.word) == ("unknown", None, "unknown")
    unread = Prediction("a.png", None, float("nan"), {}, error="no image")
    assert rule.applied(unread) is unread


def test_words_of_a_rule() -> None:
    kept = Unlikeness(as_kept(np.eye(3)), np.linspace(0, 1, 341, dtype=np.float32))
    rule = UnknownRule(kept, 0.05, Path("best.keras"))
    assert rule.words == "more unlike the training images than 95 % of 341 held-out images"
    assert rule.remark.endswith(
        "called unknown: from 2.9 % to 7.5 %, as the limit comes from 341 images"
    )
    assert "about 0.5 % are" in UnknownRule(kept, 0.005, Path("best.keras")).remark


def test_a_model_of_an_earlier_version_gets_it_from_its_study(
    small_run: RunFolder, files: list[Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(small_run.path, run)
    wanted = unlike_path(run / small_run.best.name).read_bytes()
    unlike_path(run / small_run.best.name).unlink()
    found = load(run).predict(files[:3], unknown=0.25)
    assert {each.unlike is not None for each in found} == {True}
    assert unlike_path(run / small_run.best.name).read_bytes() == wanted


def test_a_model_that_nothing_is_known_of(copy: Path, files: list[Path]) -> None:
    unlike_path(copy).unlink()
    with pytest.raises(ModelError, match=r"best.keras.unlike.safetensors beside .* found none"):
        load(copy).predict(files[:1], unknown=0.25)
    load(copy).predict(files[:1])


def test_the_images_of_the_study_are_gone(
    small_run: RunFolder, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(small_run.path, run)
    unlike_path(run / small_run.best.name).unlink()

    def gone(*_: object, **__: object) -> None:
        raise ModelError("images", "none", "look for them")

    monkeypatch.setattr(unlike_files, "open_data", gone)
    with pytest.raises(ModelError, match="repeat it where the study's images are"):
        load(run).predict(files[:1], unknown=0.25)


def test_the_file_of_another_model_is_not_used(copy: Path) -> None:
    card = card_path(copy)
    found = known(copy)
    text = card.read_text(encoding="utf-8")
    digest = text.split('"file_sha256": "')[1][:64]
    card.write_text(text.replace(digest, "0" * 64), encoding="utf-8")
    write_unlikeness(copy, found)
    card.write_text(text, encoding="utf-8")
    assert read_unlikeness(copy) is None


@pytest.mark.parametrize("fault", ["cut", "text", "order", "shape"])
def test_a_damaged_file_is_one_line(copy: Path, files: list[Path], fault: str) -> None:
    path, found = unlike_path(copy), known(copy)
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    elif fault == "text":
        path.write_text("nothing")
    elif fault == "order":
        write_unlikeness(copy, Unlikeness(found.kept, found.held_out[::-1].copy()))
    else:
        write_unlikeness(copy, Unlikeness(found.kept[:, :7], found.held_out))
    with pytest.raises(ModelError, match=r"unlike.safetensors|says what the images"):
        load(copy).predict(files[:1], unknown=0.25)
    load(copy).predict(files[:1])


@pytest.mark.when_changed("studies")
def test_a_program_of_its_own_gives_features_too(
    copy: Path, files: list[Path], small_run: RunFolder, own_cache: Path
) -> None:
    del own_cache  # without the backbone's program
    wanted = load(small_run.path).predict(files[:8])
    plain = load(copy).predict(files[:8])
    found = load(copy).predict(files[:8], unknown=0.25)
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)
    assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-4)
    assert {each.unlike is not None for each in found} == {True}


@pytest.mark.when_changed("models")
@pytest.mark.parametrize("form", ["openvino", "onnx", "litert"])
def test_an_export_says_the_same(
    form: str, small_run: RunFolder, files: list[Path], tmp_path: Path
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    if form == "litert":
        pytest.importorskip("ai_edge_litert")
    suffix = {"openvino": ".xml", "onnx": ".onnx", "litert": ".tflite"}[form]
    exported = export_model(small_run, form, tmp_path / f"pets{suffix}")
    target = tmp_path / f"pets{suffix}"
    assert unlike_path(target) in exported.files
    wanted = load(small_run.path).predict(files, unknown=0.25)
    found = load(target).predict(files, unknown=0.25)
    np.testing.assert_array_equal(found.probabilities, load(target).predict(files).probabilities)
    pairs = list(zip(found, wanted, strict=True))
    assert max(abs(a.unlike - b.unlike) for a, b in pairs) <= 1 / 13 + 1e-9  # pyright: ignore
    assert np.mean([a.unknown == b.unknown for a, b in pairs]) > 0.9


def test_another_picture_has_a_row_for_it(small_run: RunFolder) -> None:
    found = load(small_run.path).predict(distinct_image("elsewhere", 40), unknown=0.25)
    assert found[0].unlike is not None
    assert f"{found}".count("elsewhere") == 0
