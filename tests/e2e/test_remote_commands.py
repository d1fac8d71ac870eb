"""The commands on data in a bucket: the same answers as here, and no request for what is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.study.folder import RunFolder
from tests.remote_stores import Bucket
from tests.small_study import small_images

NETWORK = ["--backbone", "mobilenet", "--weights", "random:0", "--image-size", "32"]


def uploaded(bucket: Bucket, folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*.png"))
    return bucket.put({str(path.relative_to(folder)): path.read_bytes() for path in files}, "data")


@pytest.mark.when_changed("commands")
def test_extract_reads_each_image_once_and_then_asks_nobody(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = uploaded(bucket, small_images(tmp_path / "images"))
    assert main(["extract", address, *NETWORK]) == 0
    read = bucket.read()
    assert len(read) == len(set(read)) == 33
    assert main(["extract", address, *NETWORK, "--offline"]) == 0
    assert bucket.asked() == []
    capsys.readouterr()
    assert main(["check", address, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["root"], report["images"]) == (address, 33)
    assert main(["extract", f"{address}/train", *NETWORK, "--offline"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("manyheads: expected to fetch s3://")


@pytest.mark.slow
def test_a_study_in_a_bucket_is_that_of_the_folder(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = small_images(tmp_path / "images")
    address = uploaded(bucket, images)
    options = [*NETWORK, "--droprate", "0,0.5", "--size-inner", "8", "--epochs", "2"]
    for data, run in ((str(images), "here"), (address, "there")):
        assert main(["sweep", data, *options, "--out", str(tmp_path / run)]) == 0
    here, there = (RunFolder(tmp_path / run).path / "history.csv" for run in ("here", "there"))
    assert there.read_bytes() == here.read_bytes()
    document = (tmp_path / "there" / "study.toml").read_text()
    assert f'data = "{address}"' in document
    page = (tmp_path / "there" / "report.html").read_text()
    assert page.count("data:image/jpeg") == (tmp_path / "here" / "report.html").read_text().count(
        "data:image/jpeg"
    )
    bucket.asked()
    capsys.readouterr()
    # The same command goes on, without a network too.
    assert main(["sweep", address, *options, "--out", str(tmp_path / "there"), "--offline"]) == 0
    assert bucket.asked() == []


@pytest.mark.when_changed("commands")
def test_predictions_from_a_bucket_into_a_bucket(
    bucket: Bucket, tmp_path: Path, small_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    images = small_images(tmp_path / "images")
    address, target = uploaded(bucket, images), f"{bucket.address}/answers.jsonl"
    bucket.put({"broken.png": b"<html><body>no</body></html>"}, "data/train/cat")
    assert main(["predict", str(small_run.path), address, "--out", target]) == 0
    rows = [json.loads(line) for line in bucket.get("answers.jsonl").splitlines()]
    assert (
        main(["predict", str(small_run.path), str(images), "--out", str(tmp_path / "a.jsonl")]) == 0
    )
    here = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    broken = [row for row in rows if row.get("error")]
    assert [row["error"] for row in broken] == ["a web page (HTML), no image"]
    sound = [row for row in rows if not row.get("error")]
    assert [row["image"].removeprefix(address) for row in sound] == [
        row["image"].removeprefix(str(images)) for row in here
    ]
    assert [row["probabilities"] for row in sound] == [row["probabilities"] for row in here]
    capsys.readouterr()
    assert main(["predict", str(small_run.path), f"{address}/none.png"]) == 1
    assert "nothing there" in capsys.readouterr().err


def test_results_of_studies_stay_here(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    images = small_images(tmp_path / "images")
    assert main(["sweep", str(images), *NETWORK, "--out", f"{bucket.address}/run"]) == 1
    assert (
        f"expected a place on this machine as --out, found the address {bucket.address}/run"
        in capsys.readouterr().err.replace("\n", " ")
    )
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("s3")] == []
