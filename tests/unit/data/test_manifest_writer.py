"""A data set written as a manifest opens as the same images."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from manyheads.data.columns import Categorical
from manyheads.data.data_settings import TableSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.manifest_writer import write_manifest
from manyheads.errors import DataError

SPLITS = {"train/cat": 4, "train/dog, brown": 4, "validation/cat": 2, "test/dog, brown": 2}


def rows_of(dataset: Dataset, *, splits: bool = True) -> list[tuple[str, ...]]:
    groups = dataset.groups or [""] * len(dataset)
    return sorted(
        (
            os.path.realpath(str(dataset.paths[n])), dataset.classes[dataset.labels[n]],
            dataset.splits[n] if splits else "", groups[n],
        )
        for n in range(len(dataset))
    )  # fmt: skip


@pytest.mark.parametrize("below", [".", "data", "elsewhere/deep"])
def test_it_opens_as_the_same_images_from_wherever_it_lies(
    tmp_path: Path, image_folder: Callable[..., Path], below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder({**SPLITS, "validation/dog, brown": 2})
    dataset = open_dataset(root)
    dataset = replace(
        dataset, groups=Categorical.of(["", "g, 1", "g, 1", *[""] * (len(dataset) - 3)])
    )
    monkeypatch.chdir(tmp_path)
    write_manifest(Path(below) / "groups.csv", dataset)
    again = open_dataset(tmp_path / below / "groups.csv")
    assert rows_of(again) == rows_of(dataset)
    assert again.content == dataset.content
    assert again.divided is None


def test_paths_below_the_manifest_are_relative_so_that_both_can_move_together(
    tmp_path: Path, image_folder: Callable[..., Path]
) -> None:
    dataset = open_dataset(image_folder(SPLITS, name="data"))
    (tmp_path / "both").mkdir()
    write_manifest(tmp_path / "groups.csv", dataset)
    for name in ("data", "groups.csv"):
        (tmp_path / name).rename(tmp_path / "both" / name)
    assert open_dataset(tmp_path / "both" / "groups.csv").content == dataset.content


def test_images_without_splits_are_divided_by_their_groups(
    tmp_path: Path, image_folder: Callable[..., Path]
) -> None:
    dataset = open_dataset(image_folder({"cat": 30, "dog": 30}))
    assert len({*dataset.splits[:12]}) > 1
    grouped = replace(dataset, groups=Categorical.of(["g"] * 12 + [""] * 48))
    write_manifest(tmp_path / "groups.csv", grouped)
    header, *_ = (tmp_path / "groups.csv").read_text().splitlines()
    assert header == "path,label,group"
    again = open_dataset(tmp_path / "groups.csv")
    assert len({*again.splits[:12]}) == 1
    # Of the cats, 18 are left to even out what the group has brought.
    assert {split: [*again.splits[:30]].count(split) for split in again.splits.names} == {
        split: [*dataset.splits[:30]].count(split) for split in dataset.splits.names
    }
    assert list(again.splits[30:]) == list(dataset.splits[30:])


def test_derived_splits_are_written_if_asked_for(
    tmp_path: Path, image_folder: Callable[..., Path]
) -> None:
    dataset = open_dataset(image_folder({"cat": 9, "dog": 9}))
    write_manifest(tmp_path / "divided.csv", dataset, divided=True)
    again = open_dataset(tmp_path / "divided.csv")
    assert again.divided is None
    assert rows_of(again) == rows_of(dataset)


def test_validation_that_was_carved_is_carved_again(
    tmp_path: Path, image_folder: Callable[..., Path]
) -> None:
    dataset = open_dataset(image_folder({"train/cat": 20, "train/dog": 20, "test/cat": 3}))
    assert dataset.carved
    write_manifest(tmp_path / "groups.csv", dataset)
    assert "validation" not in (tmp_path / "groups.csv").read_text()
    again = open_dataset(tmp_path / "groups.csv")
    assert again.carved
    assert rows_of(again) == rows_of(dataset)


def test_names_of_all_kinds_come_back(tmp_path: Path, image_folder: Callable[..., Path]) -> None:
    root = image_folder({'say "cat"': 2, "dog": 2})
    (root / "dog" / "0000.png").rename(root / "dog" / '🐈, "a"\r\nb .png')
    dataset = open_dataset(root)
    write_manifest(tmp_path / "groups.csv", dataset)
    assert rows_of(open_dataset(tmp_path / "groups.csv")) == rows_of(dataset)


def test_what_is_there_is_never_overwritten(
    tmp_path: Path, image_folder: Callable[..., Path]
) -> None:
    dataset = open_dataset(image_folder({"cat": 2, "dog": 2}))
    mine = tmp_path / "mine.csv"
    mine.write_text("mine")
    with pytest.raises(DataError, match="nothing is overwritten"):
        write_manifest(mine, dataset)
    assert mine.read_text() == "mine"
    with pytest.raises(DataError, match=r"ends in \.csv"):
        write_manifest(tmp_path / "mine.txt", dataset)


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")
def test_a_name_that_is_no_text_is_a_clear_error(
    tmp_path: Path, image_folder: Callable[..., Path]
) -> None:
    root = image_folder({"cat": 2, "dog": 2})
    os.rename(root / "cat" / "0000.png", os.fsencode(root / "cat") + b"/\xff.png")  # noqa: PTH104
    with pytest.raises(DataError, match="UTF-8"):
        write_manifest(tmp_path / "groups.csv", open_dataset(root))
    assert not (tmp_path / "groups.csv").exists()


def test_a_class_that_a_table_takes_for_none_is_refused(image_folder, tmp_path):
    dataset = open_dataset(image_folder({"None": 2, "dog": 2}))
    with pytest.raises(DataError, match="'None', which means none there; rename"):
        write_manifest(tmp_path / "groups.csv", dataset)
    assert not (tmp_path / "groups.csv").exists()


def test_a_label_among_others_that_means_none_in_a_table_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    for place, name in enumerate("ab"):
        Image.new("L", (8, 8), place).save(tmp_path / f"{name}.png")
    table.write_text("path,labels\na.png,red;nan\nb.png,red\n", encoding="utf-8")
    settings = TableSettings(label_column="labels", label_separator=";", missing_labels=())
    dataset = open_dataset(table, table=settings)
    with pytest.raises(DataError, match="'nan', which means none there"):
        write_manifest(tmp_path / "new.csv", dataset)
