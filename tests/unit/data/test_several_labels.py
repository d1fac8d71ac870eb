"""Tables with several labels per image: a separator in the cells, or a column for each label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.core.label_sets import LabelSets, labels_in, require_one_label, set_text
from manyheads.data.data_settings import TableSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.given_data import given_data
from manyheads.data.manifest import manifest_images
from manyheads.data.manifest_writer import write_manifest
from manyheads.errors import DataError, SettingError
from tests.several_labels import LABELS, labelled_table, pictures, write_rows


def columns_table(folder: Path) -> Path:
    """The same pictures, with a column of 0 and 1 for each label."""
    rows = [[name, *(str(int(each in labels)) for each in LABELS)]
            for name, labels in pictures(folder)]  # fmt: skip
    return write_rows(folder / "columns.csv", ["path", *LABELS], rows)


def same(one: Dataset, other: Dataset) -> bool:
    """Whether two data sets have the same images, labels and splits."""
    return one.content == other.content and one.label_names == other.label_names


@pytest.mark.parametrize("separator", [";", "|", ","])
def test_a_separator_is_given_or_seen_in_a_column_called_labels(
    tmp_path: Path, separator: str
) -> None:
    table = labelled_table(tmp_path, separator)
    seen = open_dataset(table)
    given = open_dataset(table, table=TableSettings(label_separator=separator))
    assert seen.label_names == LABELS == seen.outputs
    assert same(seen, given)
    assert "have no label: an example without any" in seen.remarks[0]
    assert seen.counts(np.arange(60)).tolist() == [
        sum(name in labels_in(seen.classes[number]) for number in seen.labels) for name in LABELS
    ]


def test_columns_of_0_and_1_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    cells = open_dataset(labelled_table(tmp_path / "one"))
    table = columns_table(tmp_path / "two")
    forms: tuple[Any, ...] = (LABELS, "big,dark,red", ["big,dark,red"])
    for given in forms:
        found = open_dataset(table, table=TableSettings(label_columns=given))
        assert same(found, cells)


def test_a_column_called_label_holds_one_unless_a_separator_is_given(tmp_path: Path) -> None:
    table = labelled_table(tmp_path, ", ", column="label")
    one = open_dataset(table)
    assert not one.label_names
    assert "may be several labels of an image: if so, give `label_separator` ','" in one.remarks[0]
    several = open_dataset(table, table=TableSettings(label_separator=","))
    assert several.label_names == LABELS
    assert len(several) == 60 > len(one)


def test_spaces_order_and_repetition_do_not_matter(tmp_path: Path) -> None:
    names = [name for name, _ in pictures(tmp_path, 4)]
    cells = [" red ; big", "big;red;big", ";red;", ""]
    table = write_rows(
        tmp_path / "t.csv",
        ["path", "label"],
        [list(pair) for pair in zip(names, cells, strict=True)],
    )
    found = open_dataset(table, table=TableSettings(label_separator=";"))
    assert [found.classes[number] for number in found.labels] == [
        "big;red", "big;red", "red", "(none)"
    ]  # fmt: skip


def test_lists_and_frames_are_read_as_tables_are(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    found = pictures(tmp_path)
    paths = [tmp_path / name for name, _ in found]
    lists = given_data((paths, [labels for _, labels in found]))
    whole = open_dataset(lists.source, table=lists.table)
    frame = pandas.DataFrame(
        {"path": paths, **{each: [each in labels for _, labels in found] for each in LABELS}}
    )
    columns = given_data(frame, TableSettings(label_columns=LABELS))
    assert whole.label_names == LABELS
    assert same(whole, open_dataset(columns.source, table=columns.table))
    joined = pandas.DataFrame({"path": paths, "label": ["|".join(each) for _, each in found]})
    one = given_data(joined, TableSettings(label_separator="|"))
    assert same(whole, open_dataset(one.source, table=one.table))


def test_a_split_that_was_written_is_read_as_the_same(tmp_path: Path) -> None:
    dataset = open_dataset(labelled_table(tmp_path))
    write_manifest(tmp_path / "split.csv", dataset, divided=True)
    again = open_dataset(tmp_path / "split.csv", table=TableSettings(label_separator=";"))
    assert same(dataset, again)


def test_images_to_predict_have_their_label_sets(tmp_path: Path) -> None:
    table = labelled_table(tmp_path)
    dataset = open_dataset(table)
    given = [label for _, label in manifest_images(table)]
    assert given == [dataset.classes[number] for number in dataset.labels]
    plain = write_rows(tmp_path / "plain.csv", ["path"], [[dataset.name_of(0)]])
    assert [label for _, label in manifest_images(plain)] == [None]


@pytest.mark.parametrize(
    ("cell", "found"), [("2", "'2'"), ("", "an empty cell"), ("maybe", "'maybe'")]
)
def test_a_cell_that_is_neither_0_nor_1_is_refused(tmp_path: Path, cell: str, found: str) -> None:
    names = [name for name, _ in pictures(tmp_path, 2)]
    table = write_rows(tmp_path / "t.csv", ["path", "a", "b"], [[names[0], "1", "0"],
                                                               [names[1], "0", cell]])  # fmt: skip
    with pytest.raises(DataError, match=f"0 or 1 in the column 'b', row 3 .*found {found}"):
        open_dataset(table, table=TableSettings(label_columns=("a", "b")))


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    table = columns_table(tmp_path)
    with pytest.raises(DataError, match="one column 'small', which `label_columns` names"):
        open_dataset(table, table=TableSettings(label_columns=("big", "small")))


def test_one_label_alone_is_no_study(tmp_path: Path) -> None:
    names = [name for name, _ in pictures(tmp_path, 2)]
    table = write_rows(tmp_path / "t.csv", ["path", "label"], [[names[0], "red"], [names[1], ""]])
    with pytest.raises(DataError, match="two or more labels"):
        open_dataset(table, table=TableSettings(label_separator=";"))


@pytest.mark.parametrize("label", ["a;b", "(none)"])
def test_a_label_that_would_be_read_as_others_is_refused(tmp_path: Path, label: str) -> None:
    names = [name for name, _ in pictures(tmp_path, 2)]
    rows = [[names[0], f"{label}|c"], [names[1], "c"]]
    table = write_rows(tmp_path / "t.csv", ["path", "label"], rows)
    settings = TableSettings(label_separator="|")
    if label == "(none)":  # as `write_manifest` writes it
        assert open_dataset(
            write_rows(
                tmp_path / "u.csv", ["path", "label"], [[names[0], "a|b"], [names[1], label]]
            ),
            table=settings,
        ).label_names == ("a", "b")
        return
    with pytest.raises(DataError, match="labels without ';'"):
        open_dataset(table, table=settings)


def test_labels_without_a_training_image_are_an_error_and_without_validation_a_line(
    tmp_path: Path,
) -> None:
    names = [name for name, _ in pictures(tmp_path, 6)]
    cells = ["a;b", "a", "b", "a", "a;c", ""]
    splits = ["train", "train", "train", "validation", "validation", "train"]
    rows = [list(row) for row in zip(names, cells, splits, strict=True)]
    table = write_rows(tmp_path / "t.csv", ["path", "labels", "split"], rows)
    dataset = open_dataset(table)
    with pytest.raises(DataError, match=r"every label among the train images.*none of 'c'"):
        dataset.require_trainable()
    rows[4][1] = "a"
    write_rows(table, ["path", "labels", "split"], rows)
    dataset = open_dataset(table)
    dataset.require_trainable()
    from manyheads.data.trainable import unvalidated_words

    assert unvalidated_words(dataset) == "not validated: 'b' (2 images); it only trains"


def test_settings_refuse_two_ways_at_once() -> None:
    with pytest.raises(SettingError, match="one way to give labels"):
        TableSettings(label_columns=("a", "b"), label_separator=";")
    with pytest.raises(SettingError, match="two or more columns, each once"):
        TableSettings(label_columns=("a", "a"))
    with pytest.raises(SettingError, match="a separator that is no space"):
        TableSettings(label_separator=" ")


def test_label_sets_are_texts_and_back() -> None:
    assert set_text(["b", "a", "b"]) == "a;b"
    assert set_text([]) == "(none)"
    sets = LabelSets.of(("a", "b"), ("(none)", "a;b", "b"))
    assert sets is not None
    assert sets.members.tolist() == [[False, False], [True, True], [False, True]]
    assert sets.positives(np.array([1, 2, 2, 0])).tolist() == [1, 3]
    assert LabelSets.of((), ("x",)) is None
    require_one_label((), "a fit")
    with pytest.raises(DataError, match="one class per image, for a fit"):
        require_one_label(("a", "b"), "a fit")
