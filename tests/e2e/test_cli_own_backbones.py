"""Networks and features of a user's own, on the command line: what works, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Said
from tests.networks import save_onnx
from tests.small_study import small_images
from tests.unit.report.page_reader import read_page

Command = Callable[..., Said]
SMALL = ("--epochs", 2, "--seeds", 1, "--size-inner", 4, "--droprate", "0.5", "--out", "run")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table with 16 rows for each of two classes, and features beside it."""
    values = np.random.default_rng(0).standard_normal((32, 5)).astype(np.float32)
    values[16:] += 2
    np.save(tmp_path / "features.npy", values)
    splits = (["train"] * 8 + ["validation"] * 5 + ["test"] * 3) * 2
    rows = [f"{'cat' if n < 16 else 'dog'},{split}" for n, split in enumerate(splits)]
    (tmp_path / "table.csv").write_text("\n".join(["label,split", *rows, ""]))
    return tmp_path / "table.csv"


@pytest.mark.when_changed("commands")
def test_a_study_on_an_onnx_file(command: Command, tmp_path: Path) -> None:
    save_onnx(tmp_path / "net.onnx")
    images = small_images(tmp_path / "images", train=4, validation=3, test=2)
    network = ("--backbone", "net.onnx", "--preprocessing", "torch", "--image-size", 32)
    told = command("extract", "images", *network)
    assert (told.code, "27 images, 6 features each" in told.out) == (0, True)
    told = command("sweep", "images", *network, *SMALL)
    assert told.code == 0, told.err
    assert "Backbone   net, 32×32, bicubic, preprocessing torch; weights: the file " in told.err
    assert "run/best.xml" in told.out
    told = command("predict", "run", next((images / "test").glob("*/*")), "--json")
    assert set(json.loads(told.out)[0]["probabilities"]) == {"cat", "dog", "red panda"}
    assert command("test", "run").code == 0
    assert command("report", "run").code == 0
    report = (tmp_path / "run" / "report.html").read_text()
    assert "--preprocessing torch" in read_page(report).by_id("repeat").text
    told = command("export", "run", "--format", "litert")
    assert (told.code, "the format openvino or onnx" in told.complaint) == (1, True)
    photo = next((images / "test").glob("*/*"))
    wanted = json.loads(command("predict", "run", photo, "--json").out)[0]["probabilities"]
    for more in ((), ("--raw",)):
        for name, file in (("openvino", "best.xml"), ("onnx", "best.onnx")):
            told = command("export", "run", "--format", name, *more)
            assert f"export/{file}" in told.out, told.err
            found = json.loads(command("predict", f"run/export/{file}", photo, "--json").out)[0]
            assert found["probabilities"] == pytest.approx(wanted, abs=1e-6)
    (tmp_path / "moved").mkdir()
    (tmp_path / "net.onnx").rename(tmp_path / "moved" / "net.onnx")
    moved = ("--backbone", "moved/net.onnx", *network[2:])
    assert "Time       none: " in command("sweep", "images", *moved, *SMALL).err


def test_a_file_needs_its_preprocessing(command: Command, tmp_path: Path, table: Path) -> None:
    save_onnx(tmp_path / "net.onnx")
    for name in ("sweep", "extract", "lesson"):
        told = command(name, table, "--backbone", "net.onnx")
        assert told.code == 1
        assert "found none; give --preprocessing tf, torch, caffe, unit, none or" in told.complaint
    told = command("sweep", table, "--preprocessing", "tf")
    assert "no other preprocessing for xception than its own" in told.complaint


@pytest.mark.when_changed("commands")
def test_a_study_on_features(command: Command, tmp_path: Path, table: Path) -> None:
    constant = ("--learning-rate-schedule", "constant")
    told = command("sweep", table, "--features", "features.npy", *SMALL, *constant)
    assert told.code == 0, told.err
    assert "Features   5 of each row, computed elsewhere" in told.err
    assert "Time       about 0:04: 1 head × " in told.err
    told = command("predict", "run", "features.npy", "--csv")
    assert told.out.splitlines()[1].startswith("row 0,")
    assert len(told.out.splitlines()) == 33
    told = command("predict", "run", table)
    assert (told.code, "this model takes no images" in told.complaint) == (1, True)
    assert command("test", "run").code == 0
    assert command("compare", "run").code == 0
    assert command("report", "run").code == 0
    report = (tmp_path / "run" / "report.html").read_text()
    assert "no images to show" in report
    assert "--features" in report
    assert "--backbone" not in report
    told = command("claims", "run", "--ensemble", "--longer", "--epochs", 4)
    assert told.code == 0, told.err
    assert {file.suffix for file in (tmp_path / "run" / "claims").iterdir()} >= {".json", ".csv"}


@pytest.mark.when_changed("commands")
def test_features_of_a_parquet_table(command: Command, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    values = np.random.default_rng(0).standard_normal((60, 3))
    columns = {"label": ["a", "b"] * 30, "features": values.tolist(), "n": range(60)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    told = command("sweep", "t.parquet", "--features", "features", "n", "--folds", 3, *SMALL)
    assert told.code == 0, told.err
    assert "Features   4 of each row, computed elsewhere: features n" in told.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--augmented-copies", 1), "images for augmented_copies"),
        (("--dropblock", "0.3"), "images for dropblock"),
        (("--random-erasing", "0.3", "--augmented-copies", 1), "images for"),
        (("--backbone", "xception"), "--backbone as well"),
        (("--image-size", 64), "--image-size as well"),
        (("--no-exif",), "--exif as well"),
        (("--weights", "random:0"), "--weights as well"),
    ],
)
def test_what_needs_images_is_refused(
    command: Command, table: Path, options: tuple[object, ...], words: str
) -> None:
    told = command("sweep", table, "--features", "features.npy", *options, *SMALL)
    assert (told.code, words in told.complaint) == (1, True), told.complaint


@pytest.mark.when_changed("commands")
def test_another_array_is_another_study(command: Command, tmp_path: Path, table: Path) -> None:
    assert command("sweep", table, "--features", "features.npy", *SMALL).code == 0
    values = np.load(tmp_path / "features.npy")
    np.save(tmp_path / "same.npy", values.astype(np.float64))
    told = command("sweep", table, "--features", "same.npy", *SMALL)
    assert "Time       none: " in told.err
    np.save(tmp_path / "other.npy", values + 1)
    told = command("sweep", table, "--features", "other.npy", *SMALL)
    assert told.code == 1
    assert "expected the settings and images of the study" in told.complaint
