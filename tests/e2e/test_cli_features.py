"""`manyheads features`: what one machine computed, another one trains on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import manyheads
from manyheads.errors import DataError
from tests.e2e.conftest import Command, refused
from tests.small_study import small_images
from tests.studies import outcome_of, rows_of

IMAGES = ("--backbone", "mobilenet", "--weights", "random:0", "--image-size", 32)
GRID = ("--epochs", 3, "--seeds", 2, "--size-inner", 8, "--droprate", 0, 0.5, "--no-baselines")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return small_images(tmp_path / "photos", test=2)


def test_a_study_of_a_pack_is_the_study_of_its_images(
    command: Command, photos: Path, tmp_path: Path
) -> None:
    told = command("features", "pack", photos, *IMAGES, "--test", "--out", "all.safetensors")
    assert told.code == 0, told.err
    assert "Images     photos: 39 images, 3 classes; train 21, validation 12, test 6" in told.out
    assert "Features   1,024 each, float32, of mobilenet, 32×32, bicubic" in told.out
    assert command("sweep", photos, *IMAGES, *GRID, "--out", "images").code == 0
    shutil.rmtree(photos)
    told = command("sweep", "all.safetensors", *GRID, "--out", "packed")
    assert told.code == 0, told.err
    assert "Features   1,024 each, float32, of mobilenet, 32×32, bicubic" in told.err
    assert outcome_of(tmp_path / "packed") == outcome_of(tmp_path / "images")
    assert "manyheads predict packed PHOTO.jpg" in told.out
    for name in ("test", "compare", "report"):
        assert command(name, "packed").code == 0
    # Elsewhere, also under another name.
    Path("all.safetensors").rename("moved.safetensors")
    Path("packed/test.json").unlink()
    told = command("test", "packed")
    assert (told.code, "if the data set was moved" in told.complaint) == (1, True)
    assert command("test", "packed", "--data", "moved.safetensors").code == 0


@pytest.mark.when_changed("commands")
def test_what_is_left_out(command: Command, photos: Path) -> None:
    out = command("features", "pack", photos, *IMAGES, "--out", "p.safetensors", "--licence", "CC0")
    assert "Left out   6 test images, so that nobody selects by them; --test packs them" in out.out
    assert "; licence: CC0" in out.out
    pack = manyheads.read_features("p.safetensors")
    assert (len(pack.features), set(pack.splits or ())) == (33, {"train", "validation"})
    told = command("features", "pack", photos, *IMAGES, "--no-labels", "--out", "bare.safetensors")
    assert "Next       manyheads features unpack bare.safetensors" in told.out
    bare = manyheads.read_features("bare.safetensors")
    assert list(bare.contents) == sorted(bare.contents) == sorted(pack.contents)
    assert b"panda" not in Path("bare.safetensors").read_bytes()
    told = command("sweep", "bare.safetensors")
    assert "found none: it was packed without; have it packed with labels" in told.complaint
    assert command("sweep", "p.safetensors", *GRID, "--out", "run").code == 0
    told = command("test", "run")
    assert "have test images packed too (--test of `manyheads features pack`)" in told.complaint


@pytest.mark.when_changed("commands")
def test_half_precision_is_half_as_large(command: Command, photos: Path) -> None:
    pack = ("features", "pack", photos, *IMAGES)
    assert command(*pack, "--out", "p.safetensors").code == 0
    told = command(*pack, "--storage", "f16", "--out", "half.safetensors", "--json")
    document = json.loads(told.out)
    spared = Path("p.safetensors").stat().st_size - document["bytes"]
    assert spared == pytest.approx(document["images"] * document["features"] * 2, abs=64)
    a, b = (manyheads.read_features(f"{name}.safetensors").features for name in ("p", "half"))
    np.testing.assert_allclose(b, a, rtol=2**-10, atol=1e-6)
    told = command("sweep", "half.safetensors", *GRID, "--out", "halves")
    assert "Features   1,024 each, float16, of mobilenet" in told.err
    refused(command("features", "unpack", "half.safetensors"), "float16", "train on the pack")


@pytest.mark.when_changed("commands")
def test_unpacked_features_need_no_pass(
    command: Command, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("features", "pack", photos, *IMAGES, "--out", "p.safetensors").code == 0
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "another"))
    told = command("features", "unpack", "p.safetensors")
    assert told.code == 0, told.err
    assert "Cache      33 images added\n" in told.out
    next_ = "manyheads sweep PHOTOS --backbone mobilenet --image-size 32 --interpolation bicubic"
    assert next_ in told.out
    told = command("features", "unpack", "p.safetensors", "--json")
    assert (json.loads(told.out)["added"], json.loads(told.out)["known"]) == (0, 33)
    told = command("extract", photos, *IMAGES, "--json")
    assert json.loads(told.out)["backbone_passes"] == 6  # the test images


@pytest.mark.when_changed("commands")
def test_its_model_classifies_packs_and_photographs(command: Command, photos: Path) -> None:
    assert command("features", "pack", photos, *IMAGES, "--out", "p.safetensors").code == 0
    assert command("sweep", "p.safetensors", *GRID, "--out", "run").code == 0
    rows = json.loads(command("predict", "run", "p.safetensors", "--json").out)
    pack = manyheads.read_features("p.safetensors")
    photo = photos / (pack.names or ("",))[0]
    found = json.loads(command("predict", "run", photo, "--no-cache", "--json").out)[0]
    assert found["probabilities"] == pytest.approx(rows[0]["probabilities"], abs=1e-6)
    other = ("--backbone", "mobilenet", "--weights", "random:0", "--image-size", 48)
    assert command("features", "pack", photos, *other, "--out", "o.safetensors").code == 0
    told = command("predict", "run", "o.safetensors")
    assert "found mobilenet, 48×48, bicubic; pack them by the same recipe" in told.complaint


@pytest.mark.when_changed("commands")
def test_the_pack_of_a_study(command: Command, photos: Path) -> None:
    assert command("sweep", photos, *IMAGES, *GRID, "--out", "run").code == 0
    told = command("features", "pack", "run", "--out", "p.safetensors")
    assert told.code == 0, told.err
    assert "Images     photos: 33 images" in told.out
    told = command("features", "pack", "run", "--backbone", "xception", "--out", "q.safetensors")
    assert (told.code, "a study alone, whose backbone" in told.complaint) == (1, True)
    assert command("sweep", "p.safetensors", *GRID, "--out", "packed").code == 0
    assert rows_of(Path("packed/results.csv")) == rows_of(Path("run/results.csv"))
    told = command("features", "pack", "packed", "--out", "q.safetensors")
    assert "pass on p.safetensors itself" in told.complaint
    told = command("sweep", "p.safetensors", "--config", "run", "--out", "from-images")
    assert told.code == 0, told.err
    told = command("sweep", photos, "--config", "packed", *IMAGES, "--out", "from-pack")
    assert told.code == 0, told.err
    assert rows_of(Path("from-pack/results.csv")) == rows_of(Path("run/results.csv"))
    next(photos.glob("train/*/*")).unlink()
    told = command("features", "pack", "run", "--out", "q.safetensors")
    assert (told.code, "has changed since" in told.complaint) == (1, True)
    assert not Path("q.safetensors").exists()


def test_from_python(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = {"backbone": "mobilenet", "weights": "random:0", "image_size": 32}
    out = tmp_path / "p.safetensors"
    packed = manyheads.pack_features(photos, out, licence="CC0", progress=False, **images)
    assert (packed.test, packed.unreadable, packed.pack.licence) == (6, {}, "CC0")
    with pytest.raises(DataError, match="for nothing is overwritten"):
        manyheads.pack_features(photos, out, **images)
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "another"))
    assert manyheads.unpack_features(out, progress=False).added == 33
    monkeypatch.chdir(tmp_path)
    assert manyheads.Study(out).path == Path("runs/p")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("pack", "photos", "--out", "p.npz"), "ends with .safetensors"),
        (("pack", "photos", "--out", "p.safetensors", "--storage", "f8"), "--storage to be one of"),
        (("pack", "photos", "--out", "p.safetensors", "--licence", "a\nb"), "in one line"),
        (("pack", "nowhere", "--out", "p.safetensors"), "nothing at 'nowhere'"),
        (("unpack", "photos"), "found a folder"),
        (("unpack", "nowhere.safetensors"), "found no such file"),
    ],
)
def test_bad_input(command: Command, photos: Path, words: tuple[str, ...], found: str) -> None:
    refused(command("features", *words), found)
    assert not list(photos.parent.glob("*.safetensors"))


@pytest.mark.parametrize("name", ["check", "fit", "lesson", "extract"])
def test_what_needs_images_says_so(command: Command, name: str, tmp_path: Path) -> None:
    (tmp_path / "p.safetensors").write_bytes(b"")
    told = command(name, "p.safetensors")
    assert (told.code, "this takes images; a study (" in told.complaint) == (1, True)
