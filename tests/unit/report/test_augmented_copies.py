"""What a report says of augmented copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from manyheads.data.dataset import open_dataset
from manyheads.report.augmented_copies import copies_section
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.studies import study_settings


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
