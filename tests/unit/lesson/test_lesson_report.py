"""The report of a lesson: its stages as a story, and the lesson's claims."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

import manyheads
from manyheads.cli.main import main
from manyheads.errors import RunError, SettingError
from manyheads.findings.settling import settling_study
from manyheads.findings.study_findings import read_findings
from manyheads.lesson.lesson_report import is_lesson, write_lesson_report
from manyheads.lesson.longer_claim import longer_claim
from manyheads.lesson.stages import STAGES
from manyheads.study.folder import RunFolder
from tests.small_study import small_images
from tests.unit.report.page_reader import Element, read_page

pytestmark = pytest.mark.when_changed("studies")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished lesson; read only."""
    root = tmp_path_factory.mktemp("lesson")
    studies = manyheads.run_lesson(
        small_images(root / "images"), learning_rate=[0.001, 0.01], size_inner=[0, 4, 8],
        droprate=[0.0, 0.5], epochs=2, droprate_epochs=3, seeds=2, backbone="mobilenet",
        weights="random:0", image_size=32, out=root / "run", progress=False,
    )  # fmt: skip
    assert [study.path.name for study in studies] == [*STAGES]
    return root / "run"


@pytest.fixture
def own(lesson: Path, tmp_path: Path) -> Path:
    return shutil.copytree(lesson, tmp_path / "my lesson")


def page_of(file: Path) -> Element:
    return read_page(file.read_text(encoding="utf-8"))


def test_the_stages_are_a_story_with_links_to_their_reports(lesson: Path) -> None:
    page = page_of(lesson / "report.html")
    titles = [each.text for each in page.all("h2")]
    assert titles[1:5] == [
        "Stage 1: learning rate", "Stage 2: inner layer", "Stage 3: dropout rate",
        "The lesson's claims",
    ]  # fmt: skip
    (table,) = page.by_id("answer").all("table")
    rows = [[cell.text for cell in row.all("th", "td")] for row in table.all("tr")][1:]
    assert [row[1] for row in rows] == [
        "learning_rate 0.001, 0.01", "size_inner none, 4, 8", "droprate 0, 0.5",
    ]  # fmt: skip
    assert rows[1][-1] in ("4", "8")  # dropout needs units to hide
    facts = [each.text for each in page.by_id("answer").all("dt", "dd")]
    assert facts[facts.index("Models trained") + 1 :][:2] == ["14", "7 settings × 2 seeds"]
    links = [each.attributes["href"] for each in page.all("a")]
    stages = [each for each in links if not each.startswith("#")]
    assert stages == [f"{name}/report.html" for name in STAGES]
    assert all((lesson / each).is_file() for each in stages)
    for stage in ("more-1", "more-2", "more-3"):
        section = page.by_id(stage)
        assert "Use " in section.text
        assert len(list(section.all("figure"))) >= 2


def test_the_answer_names_the_study_that_would_make_it_surer(lesson: Path) -> None:
    step = settling_study(read_findings(RunFolder(lesson / STAGES[-1])))
    assert step is not None
    assert step.command in [each.text for each in page_of(lesson / "report.html").all("code")]


def test_what_was_not_tested_has_commands_that_test_it(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lesson_report(own)
    section = page_of(own / "report.html").by_id("more-4")
    assert [each.text for each in section.all("td")].count("not tested yet") == 3
    commands = [shlex.split(each.text)[1:] for each in section.all("code")]
    assert [each[0] for each in commands] == ["claims", "claims", "shortcut", "report"]
    quick = {"--longer": ["--epochs", "5", "--patience", "2"], "--class": ["--dry-run"]}
    for each in commands:
        more = [word for name, words in quick.items() if name in each for word in words]
        assert main([*each, *more]) == 0, capsys.readouterr().err
    page = page_of(own / "report.html")
    cells = [each.text for each in page.by_id("more-4").all("td")]
    assert cells.count("not tested yet") == 1
    titles = [each.text for each in page.all("h2")]
    assert "Dropout as an ensemble" in titles
    assert "Longer training" in titles
    assert str(own / "report.html") in capsys.readouterr().out


def test_evidence_stands_beside_its_claim(own: Path) -> None:
    claim = longer_claim(own / STAGES[-1], epochs=5, patience=2)
    write_lesson_report(own)
    rows = [each.text for each in page_of(own / "report.html").by_id("more-4").all("tr")]
    (found,) = [each for each in rows if each.startswith("Dropout must train longer")]
    assert claim.sentences[0] in found


def test_links_are_followed_from_where_the_page_is(own: Path) -> None:
    out = own.parent / "else" / "page.html"
    out.parent.mkdir()
    assert manyheads.write_report(own, out) == out
    links = [each.attributes["href"] for each in page_of(out).all("a")]
    assert links[-3:] == [f"../my%20lesson/{name}/report.html" for name in STAGES]


def test_reports_of_stages_are_made_anew_with_what_was_asked(own: Path) -> None:
    for name in STAGES:
        (own / name / "report.html").unlink()
    assert manyheads.write_report(own, figures=True) == own / "report.html"
    assert all((own / name / "report.html").is_file() for name in STAGES)
    assert (own / STAGES[0] / "figures" / "scores.png").is_file()


def test_a_lesson_that_is_not_finished_is_an_error(own: Path) -> None:
    shutil.rmtree(own / STAGES[-1])
    assert is_lesson(own)
    with pytest.raises(RunError, match=f"found no stage {STAGES[-1]}"):
        write_lesson_report(own)
    before = (own / STAGES[0] / "report.html").stat().st_mtime_ns
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"baseline": 1}, SettingError, "a lesson without a baseline"),
        ({"out": own / "page.txt"}, SettingError, "ends with .html"),
        ({}, RunError, f"found no stage {STAGES[-1]}"),
    ]
    for asked, error, words in wrong:
        with pytest.raises(error, match=words):
            manyheads.write_report(own, **asked)
    assert (own / STAGES[0] / "report.html").stat().st_mtime_ns == before


def test_a_stage_and_a_missing_folder_are_no_lesson(lesson: Path) -> None:
    assert is_lesson(lesson)
    assert not is_lesson(lesson / STAGES[0])
    assert not is_lesson(lesson / "none")
