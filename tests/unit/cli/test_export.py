"""What `manyheads export` prints, for people and for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.study.folder import RunFolder


@pytest.mark.when_changed("commands")
def test_an_export_says_what_it_wrote(
    small_run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "copy.keras"
    assert main(["export", str(small_run.path), "--out", str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line.partition(" (")[0] for line in lines]
    assert told[:3] == [str(target), f"{target}.json", f"{target}.unlike.safetensors"]
    assert lines[0].endswith(" MB)")
    assert lines[3] == "takes uint8 RGB images: [n, 32, 32, 3]; gives probabilities: [n, 3]"
    assert re.fullmatch(
        r"checked: Keras \S+ on openvino gives the same 12 labels; probabilities differ by "
        r"\S+ at most \(12 validation images\)",
        lines[4],
    )
    assert main(["export", str(small_run.path), "--raw", "--out", str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "takes float32 images, preprocessed: [n, 32, 32, 3]; gives logits: [n, 3]"
    assert main(["export", str(target), "--raw", "--out", str(tmp_path / "again.keras")]) == 0
    capsys.readouterr()
    for wrong in (["nothing"], [str(small_run.path), "--format", "pmml"]):
        assert main(["export", *wrong]) == 1
        said = capsys.readouterr().err
        assert said.startswith("manyheads: expected ")
        assert said.count("\n") == 1


@pytest.mark.when_changed("exports")
def test_an_export_for_programs(
    small_run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "best.xml"
    options = ["--format", "openvino", "--json", "--out", str(target)]
    assert main(["export", str(small_run.path), *options]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    files = [Path(file["path"]) for file in document["files"]]
    beside = [tmp_path / f"best.xml.{end}" for end in ("json", "unlike.safetensors")]
    assert files == [target, target.with_suffix(".bin"), *beside]
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


@pytest.mark.when_changed("exports")
def test_a_quantised_export_says_what_it_costs(
    small_run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "best-f16.xml"
    asked = ["--format", "openvino", "--quantize", "f16", "--out", str(target)]
    assert main(["export", str(small_run.path), *asked]) == 0
    said = capsys.readouterr()
    assert "checked in float32: OpenVINO" in said.out
    assert re.search(r"score +float32 +f16 +difference \[95 %\]", said.out)
    assert re.search(r"Megabytes +[\d.]+ +[\d.]+ +−4\d %", said.out)
    assert re.search(r"Cost +100\.0 \[75\.8, 100\.0\] % of the 12 validation images get", said.out)
    assert "quantising to f16 …" in said.err
    assert "measuring both with OpenVINO on 12 validation images …" in said.err
    assert main(["export", str(small_run.path), *asked, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["quantised"]
    assert (record["kind"], record["calibrated"], record["cost"]["images"]) == ("f16", "", 12)
    for wrong, words in (
        (["--quantize", "int4"], "--quantize to be one of int8, f16"),
        (["--max-loss", "2"], "--quantize beside --max-loss, found none"),
        (["--format", "keras", "--quantize", "int8"], "openvino, onnx or litert, to quantise"),
        (["--format", "coreml"], "export litert"),
        (["--format", "onnx", "--trainable"], "the format keras, for --trainable"),
    ):
        assert main(["export", str(small_run.path), *wrong]) == 1
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
