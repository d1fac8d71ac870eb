"""`manyheads predict --unknown` in every form: labels, columns, words, resuming, and refusals."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.study.folder import RunFolder


@pytest.fixture(scope="module")
def photos(small_run: RunFolder) -> Path:
    return small_run.path.parent / "images" / "validation"


def test_a_table_and_a_summary(
    small_run: RunFolder, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(small_run.path), str(photos), "--unknown", "25%"]) == 0
    out, err = capsys.readouterr()
    head, _, *rows = out.splitlines()
    assert head.split() == ["image", "class", "probability", "unlike", "next"]
    at = head.index("class")
    found = [row[at:].split(maxsplit=3) for row in rows]
    unknown = [cells for cells in found if cells[0] == "unknown"]
    assert len(unknown) == 2
    for _, probability, unlike, following in unknown:
        assert float(unlike) >= 0.76
        assert following.split(",")[0].endswith(probability)  # the class that it would have been
    assert "unknown 2 (more unlike the training images than 75 % of 12 held-out images)" in err
    assert "of images of the model's own classes about 25 % are called unknown: from " in err


def test_rows_for_programs(
    small_run: RunFolder, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", str(small_run.path), str(photos), "--unknown", "0.25"]
    assert main([*command, "--csv", "--min-confidence", "0.4"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert main([*command, "--jsonl", "--min-confidence", "0.4"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, line in zip(table, lines, strict=True):
        assert float(row["unlike"]) == line["unlike"]
        assert row["unknown"] == str(line["unknown"]).lower()
        assert row["label"] == (line["label"] or "")
        assert (line["label"] == "unknown") == line["unknown"] == (line["unlike"] >= 10 / 13)


def test_without_it_not_a_byte_is_another(
    small_run: RunFolder, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("--csv", "--jsonl", "--json"):
        assert main(["predict", str(small_run.path), str(photos), form]) == 0
        plain = capsys.readouterr()
        assert "unlike" not in plain.out + plain.err
        assert "unknown" not in plain.out + plain.err


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_goes_on_and_counts_what_it_has(
    suffix: str,
    small_run: RunFolder,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"answers{suffix}"
    command = ["predict", str(small_run.path), str(photos), "--unknown", "25%", "--out", str(file)]
    assert main(command) == 0
    whole = file.read_bytes()
    capsys.readouterr()
    if suffix != ".parquet":
        lines = whole.splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:-4]))
    assert main(command) == 0
    assert file.read_bytes() == whole
    assert "unknown 2 (more unlike" in capsys.readouterr().err
    other = [*command[:4], "30%", *command[5:]]
    assert main(other) == 1
    assert "unknown: 0.25 → 0.3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("1%", "--unknown from 7.7 %, the least rate that the 12 held-out images of best.keras"),
        ("0", "--unknown to be a number above 0 to 0.5, found 0.0"),
        ("photo.jpg", "name the images before it, or give a rate such as 5%"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    given: str,
    words: str,
    small_run: RunFolder,
    photos: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict", str(small_run.path), str(photos), "--unknown", given]) == 1
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
