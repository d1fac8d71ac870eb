"""A check for shortcuts as a section of the report."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.errors import RunError
from manyheads.findings.shortcut_record import ShortcutFiles
from manyheads.findings.shortcut_words import sentences
from manyheads.findings.study_findings import read_findings
from manyheads.lesson.shortcut.picture import MarkedRow, draw_marked
from manyheads.report.content import Picture
from manyheads.report.from_study import report_content
from manyheads.report.page import write_report
from manyheads.report.shortcut_section import shortcut_section
from manyheads.study.folder import RunFolder
from tests.shortcuts import record

PIXELS = np.full((40, 40, 3), 90, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder with a check in it."""
    files, kept = ShortcutFiles.of(tmp_path), record()
    files.record.parent.mkdir()
    kept.write(files.record, sentences(kept))
    return RunFolder(tmp_path)


def test_without_a_check_there_is_no_section(tmp_path: Path) -> None:
    assert shortcut_section(RunFolder(tmp_path)) is None


def test_it_says_what_the_command_said(folder: RunFolder) -> None:
    section = shortcut_section(folder)
    assert section is not None
    assert section.title == "Is a logo learnt instead of t-shirt?"
    assert section.paragraphs[:-1] == sentences(record())
    assert section.paragraphs[-1].startswith("Conditions: control: control in words; marked: ")
    called, recall, clean = section.tables
    assert called.caption == "60 images of other classes with the logo called t-shirt"
    assert [row[:2] for row in called.rows] == [
        (condition, f"droprate {rate}")
        for condition in ("control", "marked", "everywhere")
        for rate in ("0", "0.8")
    ]
    for table in (called, recall, clean):
        assert {len(row) for row in table.rows} == {len(table.columns)}
    assert re.fullmatch(r"\d+\.\d \[\d+\.\d, \d+\.\d\]", called.rows[2][3])
    assert [row[4] for row in called.rows][:4] == ["", "", "worse", "worse"]


@pytest.mark.parametrize("same", [True, False])
def test_a_check_on_other_images_than_the_studys_says_so(folder: RunFolder, same: bool) -> None:
    kept = replace(record(), about={"content": "abc"})
    kept.write(ShortcutFiles.of(folder.path).record, sentences(kept))
    content = "abc" if same else "def"
    folder.settings.write_text(f'[resolved]\ncontent = "{content}"\n', encoding="utf-8")
    section = shortcut_section(folder)
    assert section is not None
    assert any("not made on the study's images" in each for each in section.paragraphs) != same


def test_the_picture_is_in_it(folder: RunFolder) -> None:
    draw_marked(ShortcutFiles.of(folder.path).picture, "a", [MarkedRow("b", [PIXELS])])
    section = shortcut_section(folder)
    assert section is not None
    (picture,) = section.figures
    assert isinstance(picture, Picture)
    assert picture.data.startswith(b"\x89PNG")


def test_the_report_of_a_study_shows_it(
    folder: RunFolder, small_run: RunFolder, tmp_path: Path
) -> None:
    draw_marked(ShortcutFiles.of(folder.path).picture, "a", [MarkedRow("b", [PIXELS])])
    run = RunFolder(shutil.copytree(small_run.path, tmp_path / "study"))
    shutil.copytree(folder.claims, run.claims)
    content = report_content(read_findings(run))
    assert shortcut_section(run) in content.sections
    write_report(run.report, content)
    page = run.report.read_text(encoding="utf-8")
    assert "Is a logo learnt instead of t-shirt?" in page
    assert "60 images of other classes with the logo called t-shirt" in page
    assert "data:image/png;base64," in page


def test_a_damaged_record_is_named(folder: RunFolder) -> None:
    ShortcutFiles.of(folder.path).record.write_text("{")
    with pytest.raises(RunError, match=r"shortcut\.json"):
        shortcut_section(folder)


def test_the_sheet_has_room_for_every_row(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    heights = []
    for count in (1, 3):
        draw_marked(path, "$a_b$ 🐈", [MarkedRow("any", [PIXELS] * 9)] * count)
        with Image.open(path) as image:
            heights.append(image.height)
    assert heights[1] > 2 * heights[0]
