"""What `manyheads export` prints, for people and for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.study.folder import RunFolder


def test_an_export_says_what_it_wrote(
    small_run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "copy.keras"
    assert main(["export", str(small_run.path), "--out", str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" (")[0] for line in lines[:2]] == [str(target), f"{target}.json"]
    assert lines[0].endswith(" MB)")
    assert lines[2] == "takes uint8 RGB images: [n, 32, 32, 3]; gives probabilities: [n, 3]"
    assert re.fullmatch(
        r"checked: Keras \S+ on openvino gives the same 12 labels; probabilities differ by "
        r"\S+ at most \(12 validation images\)",
        lines[3],
    )
    assert main(["export", str(small_run.path), "--raw", "--out", str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "takes float32 images, preprocessed: [n, 32, 32, 3]; gives logits: [n, 3]"
    assert main(["export", str(target), "--raw", "--out", str(tmp_path / "again.keras")]) == 0
    capsys.readouterr()
    for wrong in (["nothing"], [str(small_run.path), "--format", "pmml"]):
        assert main(["export", *wrong]) == 1
        said = capsys.readouterr().err
        assert said.startswith("manyheads: expected ")
        assert said.count("\n") == 1


def test_an_export_for_programs(
    small_run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "best.xml"
    options = ["--format", "openvino", "--json", "--out", str(target)]
    assert main(["export", str(small_run.path), *options]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    files = [Path(file["path"]) for file in document["files"]]
    assert files == [target, target.with_suffix(".bin"), tmp_path / "best.xml.json"]
    assert [file["bytes"] for file in document["files"]] == [f.stat().st_size for f in files]
    assert document["classes"] == ["cat", "dog", "red panda"]
    assert (document["input"], document["output"]) == ("pixels", "probabilities")
    assert document["check"]["runtime"].startswith("OpenVINO ")
    assert document["check"]["any_batch"] is True
    assert document["check"]["difference"] < 1e-4
    assert said.err.splitlines() == [
        "converting to openvino …",
        "reading the study's validation images …",
        "checking with OpenVINO on 12 validation images …",
    ]
