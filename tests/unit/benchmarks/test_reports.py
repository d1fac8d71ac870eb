"""What the benchmarks write: tables, their ratios, what is missing, and the figure."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from benchmarks import extraction, figure, heads, images, lesson, machine
from benchmarks.extraction import Rate
from benchmarks.heads import Cost
from benchmarks.images import SampleCost
from benchmarks.machine import Run

COSTS = [
    Cost("manyheads", "", 1, 50.0),
    Cost("manyheads", "", 4, 25.0),
    Cost("manyheads", "", 64, 20.0),
    Cost("Keras on TensorFlow", "jit", 1, 300.0),
    Cost("JAX, stacked", "scan", 64, 100.0),
    Cost("PyTorch, stacked", "", 1, "not installed: get it"),
]


def cells(lines: list[str], start: str) -> list[str]:
    """The cells of the only row that begins with `start`."""
    (row,) = [line for line in lines if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_heads_are_compared_at_as_many_heads() -> None:
    lines = heads.report(COSTS, ideal=10.0, practical=15.0)
    assert cells(lines, "manyheads | 4")[2:] == ["25.0", "0.60", ""]
    assert cells(lines, "Keras on TensorFlow (jit)")[2:] == ["300.0", "0.05", "12.0"]
    assert cells(lines, "JAX, stacked (scan)")[1:] == ["64", "100.0", "0.15", "5.0"]
    assert cells(lines, "PyTorch, stacked")[2] == "not installed: get it"


def test_extraction_stands_beside_its_bound() -> None:
    rates = [
        Rate("manyheads", 40.0, 44.0, 0),
        Rate("Keras on TensorFlow", 32.0, 22.0, 1e-5),
        Rate("ONNX Runtime", "not installed: get it", 0, 0),
    ]
    lines = extraction.report(rates, 50.0, 640)
    assert cells(lines, "manyheads")[1:] == ["40.0", "0.80", "1.00", "44.0", "1.00", ""]
    assert cells(lines, "Keras on TensorFlow")[2:] == ["0.64", "1.25", "22.0", "2.00", "1e-05"]
    assert cells(lines, "ONNX Runtime")[1] == "not installed: get it"


def test_the_lesson_is_compared_with_its_script() -> None:
    runs = {"cold": Run(60.0, 2**30, ""), "warm": Run(4.0, 2**29, "")}
    lines = lesson.report(12_000.0, runs, None)
    assert cells(lines, "`manyheads sweep`, cold")[1:] == ["60.0", "200", "1.00 GiB"]
    assert cells(lines, "`manyheads sweep`, warm")[1:] == ["4.0", "3,000", "0.50 GiB"]
    assert any("100.0 s for one whole epoch" in line for line in lines)
    without = lesson.report("not installed: get it", runs, None)
    assert cells(without, "the lesson's Keras script on TensorFlow")[1] == "not installed: get it"
    assert cells(without, "`manyheads sweep`, cold")[2] == ""


def test_images_are_listed_and_what_did_not_fit() -> None:
    found = [
        SampleCost("manyheads", 1_000, 9.5),
        SampleCost("manyheads", 1_000_000, "needs 7.6 GiB"),
    ]
    lines = images.report(found)
    assert cells(lines, "manyheads | 1,000")[2] == "9.5"
    assert cells(lines, "manyheads | 1,000,000")[2] == "needs 7.6 GiB"


def test_the_figure_names_what_it_shows(tmp_path: Path) -> None:
    file = figure.draw(tmp_path, COSTS, [SampleCost("manyheads", 1_000, 9.5)], bound=15.0)
    drawn = file.read_text(encoding="utf-8")
    assert file.suffix == ".svg"
    for label in ("manyheads", "Keras on TensorFlow", "practical bound"):
        assert f"<!-- {label} -->" in drawn
    assert "<!-- PyTorch, stacked -->" not in drawn


def test_a_result_carries_the_machine_and_the_versions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.write_result(tmp_path / "new", "heads", machine.table([("a", "b"), (1, 2)]))
    (file,) = (tmp_path / "new").iterdir()
    text = file.read_text(encoding="utf-8")
    assert file.name == f"{datetime.date.today()}-heads.md"
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |" in text
    assert "cores" in text
    assert "numpy" in text
    assert text in capsys.readouterr().out
