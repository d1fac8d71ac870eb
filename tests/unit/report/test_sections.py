"""The sections of a report that some studies have: what they say, and what they draw."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads.data.dataset import open_dataset
from manyheads.lesson.ensemble_claim import ensemble_claim
from manyheads.lesson.longer_claim import longer_claim
from manyheads.report import svg
from manyheads.report.content import Section
from manyheads.report.page_tables import panel_table
from manyheads.report.panel import Panel
from manyheads.report.sections import claim_sections, copies_section
from manyheads.run.pipeline import Finished
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.small_study import finished_study
from tests.studies import study_settings


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder with both claims checked; read only."""
    finished = finished_study(tmp_path_factory.mktemp("checked"), seeds=3)
    ensemble_claim(finished.folder.path, candidate=2)
    longer_claim(finished.folder.path, epochs=9, patience=4)
    return finished.folder


@pytest.fixture
def sections(checked: RunFolder) -> tuple[Section, Section]:
    ensemble, longer = claim_sections(checked)
    return ensemble, longer


def panels(section: Section) -> list[Panel]:
    return [each for each in section.figures if isinstance(each, Panel)]


def test_a_study_without_claims_has_no_section(small_study: Finished) -> None:
    assert claim_sections(small_study.folder) == ()


@pytest.mark.when_changed("pages")
def test_a_claim_that_was_checked_alone_stands_alone(checked: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(checked.path, tmp_path / "run"))
    (run.claims / "ensemble.json").unlink()
    assert [each.title for each in claim_sections(run)] == ["Longer training"]


@pytest.mark.when_changed("pages")
def test_every_way_has_a_row_and_sizes_have_ticks(sections: tuple[Section, Section]) -> None:
    section = sections[0]
    ways, contrasts = section.tables
    assert [row[0] for row in ways.rows][:2] == [
        "one random subnetwork",
        "the average of 2 subnetworks",
    ]
    assert len(contrasts.rows) == 6
    for panel in panels(section):
        assert [words for _, words in panel.x_ticks] == [
            "1",
            "2",
            "3",
            "5",
            "10",
            "20",
            "50",
            "100",
        ]
        assert svg.draw_panel(panel).x_ticks[-1][1] == "100"
        names = [series.name for series in panel.series]
        assert names == ["averages of random subnetworks", "weight scaling", "ensembles of seeds"]
        # One seed is weight scaling, so all three meet what they are compared with.
        assert panel.series[2].y[0] == panel.series[1].y[0] == panel.series[1].y[-1]
        table = panel_table(panel)
        assert [row[0] for row in table.rows] == [words for _, words in panel.x_ticks]


def test_longer_training_is_drawn_epoch_by_epoch(sections: tuple[Section, Section]) -> None:
    section = sections[1]
    (panel,) = panels(section)
    assert [series.name for series in panel.series] == ["droprate 0", "droprate 0.5"]
    longest = max(series.x[-1] for series in panel.series)
    assert panel.x_axis.low < 1 < longest < panel.x_axis.high
    assert panel.highlight_words == "epoch of the lowest loss (mean)"
    reach, contrasts = section.tables
    assert [row[0] for row in reach.rows] == ["droprate 0", "droprate 0.5"]
    assert len(contrasts.rows) == 2
    assert all(math.isfinite(value) for series in panel.series for value in series.y)


def test_the_price_of_copies_stands_beside_that_of_live_augmentation(
    image_folder: Callable[..., Path],
) -> None:
    dataset = open_dataset(image_folder({"train/a": 3, "train/b": 2, "validation/a": 1}))
    grid = Grid((0.1,), (4,), (0.5,), augmented_copies=(0, 3), epochs=(10, 20))
    section = copies_section(StudySettings(data="none", grid=grid, seeds=3), dataset)
    assert section is not None
    assert "For each of 5 training images, heads drew" in section.paragraphs[0]
    assert "the image itself or one of up to 3 augmented copies" in section.paragraphs[0]
    assert "other copies would have given is in no interval" in section.paragraphs[1]
    (table,) = section.tables
    passes = [int(row[1].replace(",", "")) for row in table.rows]
    assert passes == [3 * 5, 20 * 5, (10 + 20) * 5 * 3]


def test_a_study_of_plain_images_has_no_such_section(image_folder: Callable[..., Path]) -> None:
    dataset = open_dataset(image_folder({"train/a": 1, "train/b": 1}))
    assert copies_section(study_settings(), dataset) is None
