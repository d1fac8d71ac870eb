"""No cell of a CSV file is a formula, and each comes back as the text that it was made of."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.dataset import open_dataset
from manyheads.data.manifest_writer import write_manifest
from manyheads.data.spreadsheet_cells import path_cell, row_cells, text_cell, text_of
from manyheads.models.prediction import Prediction
from manyheads.models.prediction_rows import RowForm
from manyheads.models.row_lines import CsvLines

FORMULAS = ["=1+1", "+cmd", "-x", "@SUM(A1)", "\tx", "\r=1", "\n=1", "\x00", "-", "--1", "-1-1"]
HARMLESS = ["cat", "", "a=b", " =1", "'quoted'", "'", "./-x", "ü", "1-2"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text: str) -> None:
    assert text_cell(text) == f"'{text}"
    assert path_cell(text) == f"./{text}"


@pytest.mark.parametrize("text", [*HARMLESS, "-1", "+1", "-0.5", "1e-3", "-.5", "+2.E+7"])
def test_other_texts_and_numbers_stay(text: str) -> None:
    assert text_cell(text) == text


@pytest.mark.parametrize("path", [*HARMLESS, "'=1.png", "C:\\=1.png", "/=1.png"])
def test_other_paths_stay(path: str) -> None:
    assert path_cell(path) == path


def test_what_is_no_text_stays() -> None:
    assert row_cells([-1.5, None, True, "=1", "-1"]) == [-1.5, None, True, "'=1", "-1"]


@pytest.mark.when_changed("data")
@given(st.text() | st.sampled_from(FORMULAS).map(lambda text: f"'{text}"))
def test_each_comes_back(text: str) -> None:
    assert text_of(text_cell(text)) == text
    assert os.path.normpath(path_cell(text) or ".") == os.path.normpath(text or ".")


def test_rows_of_predictions_hold_none_and_are_read_again() -> None:
    form = RowForm(classes=("=1+1", "-1", "@x"), given=True)
    entry = Prediction("-photos/=1.png", "=1+1", 0.75, {"=1+1": 0.75, "-1": 0.25, "@x": 0.0})
    lines = CsvLines()
    header = lines.header(form)
    assert header == b"image,label,confidence,'=1+1,-1,'@x,given,error\n"
    row = lines.written(form, entry, "@x")
    assert row == b"./-photos/=1.png,'=1+1,0.75,0.75,0.25,0.0,'@x,\n"
    read = lines.parsed(row, form)
    assert (read["image"], read["label"]) == (path_cell(entry.image), entry.label)


@pytest.mark.skipif(sys.platform == "win32", reason="such names are none there")
def test_a_manifest_holds_none_and_opens_as_the_same_images(
    image_folder: Callable[..., Path],
) -> None:
    root = image_folder({"train/=1+1": 3, "train/'=1+1": 3, "train/-1": 3, "validation/-1": 2})
    for place, each in enumerate(sorted(root.rglob("*.*"))):
        each.rename(each.with_name(f"@{place}{each.suffix}"))
    dataset = open_dataset(root)
    write_manifest(root / "train" / "m.csv", dataset)
    with (root / "train" / "m.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"'=1+1", "''=1+1", "-1"}
    starts = {row["path"][:3] for row in rows if not Path(row["path"]).is_absolute()}
    assert starts == {"./=", "'=1", "./-"}
    again = open_dataset(root / "train" / "m.csv")
    assert again.content == dataset.content
    assert tuple(again.classes) == tuple(dataset.classes)
