"""Opening a data set, its splits and content, and whether it can be trained on."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.data import dataset as dataset_module
from manyheads.data import file_index
from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import SplitSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.duplicates import label_conflict_words
from manyheads.data.folders import scan_folder
from manyheads.data.trainable import few_images_words, unvalidated_words
from manyheads.errors import DataError, Interrupted
from tests.files import an_hour_later
from tests.jobs import stopped_job
from tests.strategies import distinct_image

HALF = SplitSettings(validation=0.5, test=0.0)


def write_manifest(root: Path, rows: list[str], header: str = "path,label") -> Path:
    path = root / "data.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_class_folders_are_divided_by_content(image_folder):
    dataset = open_dataset(image_folder({"b": 30, "a": 30}))
    assert dataset.name == "data"
    assert dataset.layout == "class folders"
    assert dataset.classes == ("a", "b")
    assert dataset.labels.tolist() == [0] * 30 + [1] * 30
    assert set(dataset.splits) == {"train", "validation", "test"}
    assert dataset.divided == SplitSettings()
    assert not dataset.carved
    first = dataset.paths[0]
    assert dataset.digests[0] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert dataset.name_of(0) == str(Path("a", "0000.png"))


def test_adding_and_renaming_images_move_no_other(image_folder):
    root = image_folder({"a": 20, "b": 20})
    before = open_dataset(root)
    (root / "a" / "0003.png").rename(root / "a" / "zzz.png")
    distinct_image("new").save(root / "a" / "0000a.png")
    (root / "b" / "0005.png").unlink()
    after = open_dataset(root)
    old = dict(zip(before.digests, before.splits, strict=True))
    moved = [d for d, s in zip(after.digests, after.splits, strict=True) if old.get(d, s) != s]
    assert not moved
    assert after.content != before.content


def test_given_splits_are_kept(image_folder):
    root = image_folder({"train/a": 3, "train/b": 2, "val/a": 1, "val/b": 1, "test/b": 1})
    dataset = open_dataset(root)
    assert dataset.layout == "split folders"
    assert dataset.rows("train").tolist() == [0, 1, 2, 3, 4]
    assert dataset.rows("validation").tolist() == [5, 6]
    assert dataset.rows("test").tolist() == [7]
    assert dataset.divided is None
    dataset.require_trainable()


def test_missing_validation_is_carved_from_training(image_folder):
    root = image_folder({"train/a": 40, "train/b": 40, "test/a": 9, "test/b": 9})
    dataset = open_dataset(root, split=HALF)
    counts = Counter(dataset.splits)
    assert counts["test"] == 18
    assert 20 <= counts["validation"] <= 60
    assert dataset.carved
    # The share of test does not shrink what training and validation divide.
    assert open_dataset(root, split=replace(HALF, test=0.5)).splits == dataset.splits
    assert "validation" not in open_dataset(root, split=SplitSettings(validation=0)).splits


def test_a_manifest_with_groups(image_folder):
    root = image_folder({"a": 8, "b": 8})
    rows = [f"{c}/{n:04d}.png,{c} 🐈 x/y,g{n % 4}" for c in "ab" for n in range(8)]
    path = write_manifest(root, rows, "path,label,group")
    dataset = open_dataset(path, split=HALF)
    assert dataset.layout == "manifest"
    assert dataset.name == "data"
    assert dataset.classes == ("a 🐈 x/y", "b 🐈 x/y")
    assert dataset.groups is not None
    pairs = set(zip(dataset.groups, dataset.splits, strict=True))
    assert len(pairs) == 4


def test_a_manifest_without_validation_is_carved(image_folder):
    root = image_folder({"a": 10, "b": 10})
    rows = [f"{c}/{n:04d}.png,{c},train" for c in "ab" for n in range(10)]
    dataset = open_dataset(write_manifest(root, rows, "path,label,split"), split=HALF)
    assert set(dataset.splits) == {"train", "validation"}


def test_content_depends_on_bytes_labels_and_splits_only(image_folder, tmp_path):
    root = image_folder({"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1})
    dataset = open_dataset(root)
    root.rename(tmp_path / "moved")
    assert open_dataset(tmp_path / "moved").content == dataset.content
    others = [
        replace(dataset, splits=Categorical.of(["test", *dataset.splits[1:]])),
        replace(dataset, digests=Digests.of(["0" * 64, *dataset.digests[1:]])),
        replace(dataset, classes=("a", "c")),
        replace(dataset, labels=1 - dataset.labels),
    ]
    assert len({dataset.content, *(other.content for other in others)}) == 5


def test_only_one_split_is_kept_with_its_class_numbers(image_folder):
    root = image_folder({"train/cat": 2, "train/dog": 2, "test/dog": 3, "validation/dog": 1})
    dataset = open_dataset(root)
    kept = dataset.only("test")
    assert kept.classes == dataset.classes
    assert kept.labels.tolist() == [1, 1, 1]
    assert kept.splits == ["test"] * 3
    assert kept.digests == [dataset.digests[row] for row in dataset.rows("test")]
    assert len(dataset.only("train")) == 4


def test_without_drops_images_and_keeps_class_numbers(image_folder):
    root = image_folder({"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1})
    dataset = open_dataset(root).without([0, 1, 4])
    assert len(dataset) == 3
    assert dataset.classes == ("a", "b")
    assert dataset.labels.tolist() == [1, 1, 1]
    assert [path.parent.name for path in dataset.paths] == ["b", "b", "b"]
    assert len(dataset.digests) == len(dataset.splits) == 3
    with pytest.raises(DataError, match="two or more classes"):
        dataset.require_trainable()


def test_labels_cannot_be_changed_by_accident(image_folder):
    dataset = open_dataset(image_folder({"a": 1, "b": 1}))
    with pytest.raises(ValueError, match="read-only"):
        dataset.labels[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        dataset.without([0]).labels[0] = 1


def test_rows_of_an_unknown_split(image_folder):
    with pytest.raises(DataError, match="one of train, validation, test"):
        open_dataset(image_folder({"a": 1, "b": 1})).rows("val")


def test_repr_is_one_short_line(image_folder):
    root = image_folder({"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1})
    assert repr(open_dataset(root)) == (
        "<Dataset data: 6 images, 2 classes; train 4, validation 2, test 0>"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no/such/folder", "found nothing at 'no/such/folder'"),
        ("", "found nothing at ''"),
        ("clothes", r"did you mean 'clothing'\?"),
        ("digit", r"did you mean 'digits'\?"),
        ("no/such/table.csv", "found nothing at"),
        ("x" * 5000, "found nothing at 'xxx"),
        ("~nobody-by-this-name/data", "found nothing at '~nobody"),
        ("a\0b", "found nothing at"),
    ],
)
def test_a_source_that_is_not_there(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        open_dataset(source)


def test_a_file_that_is_no_manifest(tmp_path):
    (tmp_path / "image.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a folder or a table \(\.csv, \.tsv, \.xlsx, "):
        open_dataset(tmp_path / "image.png")


def test_one_class_is_refused(image_folder):
    with pytest.raises(DataError, match=r"two or more classes in .*found one: 'cat'"):
        open_dataset(image_folder({"cat": 3}))


def test_a_file_that_cannot_be_read_is_named(image_folder, monkeypatch):
    root = image_folder({"a": 2, "b": 1})
    (root / "a" / "0000.png").rename(root / "a" / "gone.png")

    def scanned_before_it_went(folder, **options):
        listing = scan_folder(folder, **options)
        (root / "a" / "gone.png").unlink()
        return listing

    monkeypatch.setattr(dataset_module, "scan_folder", scanned_before_it_went)
    with pytest.raises(DataError, match=r"to read .*gone\.png, found no such file"):
        open_dataset(root)


def test_damaged_images_stay_in_the_data_set(image_folder):
    root = image_folder({"a": 1, "b": 1})
    (root / "a" / "empty.jpg").write_bytes(b"")
    assert len(open_dataset(root)) == 3


def test_a_folder_here_goes_before_the_catalog(image_folder, monkeypatch):
    root = image_folder({"a": 1, "b": 1}, name="digits")
    monkeypatch.chdir(root.parent)
    assert len(open_dataset("digits")) == 2


def test_a_set_stop_interrupts(image_folder):
    job = stopped_job()
    with pytest.raises(Interrupted):
        open_dataset(image_folder({"a": 1, "b": 1}), job=job)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"train/a": 2, "train/c": 2, "test/b": 1, "test/d": 1}, "none of 'b', 'd'"),
        ({"val/a": 2, "val/b": 2}, "expected train images in data, found none; add train"),
        (
            {"train/a": 2, "train/b": 2, "val/a": 1},
            "two or more classes among the validation images .*found 'a'; add validation .*'b'",
        ),
        ({"train/a": 2, "val/a": 2, "val/b": 2}, "among the train images .*none of 'b'"),
    ],
)
def test_what_given_splits_lack(image_folder, counts, message):
    with pytest.raises(DataError, match=message):
        open_dataset(image_folder(counts)).require_trainable()


def test_folds_are_advised_for_few_images_without_given_validation(image_folder):
    few = open_dataset(image_folder({"a": 30, "b": 30}, name="few"))
    assert few_images_words(few) == (
        "with so few images, folds tell more: all 48 validate, instead of 12"
    )
    many = few.only("train")
    many = replace(many, labels=np.zeros(500, int), splits=Categorical.of(["train"] * 500))
    assert few_images_words(many) == ""
    given = image_folder({"train/a": 3, "train/b": 3, "val/a": 1, "val/b": 1}, name="given")
    assert few_images_words(open_dataset(given)) == ""


def test_a_share_of_zero_is_named_as_the_cause(image_folder):
    dataset = open_dataset(image_folder({"a": 3, "b": 3}), split=SplitSettings(validation=0))
    with pytest.raises(DataError, match=r"validation images .*validation share above 0"):
        dataset.require_trainable()


@pytest.mark.parametrize("above", ["", "train/"])
@pytest.mark.parametrize("seed", range(8))
def test_no_seed_leaves_a_small_class_out(image_folder, above, seed):
    root = image_folder({f"{above}{name}": 6 for name in "abcdefghij"})
    dataset = open_dataset(root, split=SplitSettings(seed=seed))
    dataset.require_trainable()
    counts = np.bincount(dataset.labels[dataset.rows("train")])
    assert counts.tolist() == [5 if above else 4] * 10


def test_rare_classes_train_and_two_classes_validate(image_folder):
    root = image_folder({"a": 20, "b": 20, "scarf": 2, "hat": 1})
    dataset = open_dataset(root)
    dataset.require_trainable()
    assert unvalidated_words(dataset) == "not validated: 'hat' (1 image); it only trains"
    with pytest.raises(DataError, match=r"classes among the validation .*found 'a'; add images of"):
        open_dataset(image_folder({"a": 20, "hat": 1}, name="two")).require_trainable()


def test_identical_images_of_a_class_are_one(image_folder):
    root = image_folder({"a": 20, "b": 0})
    for number in range(3):
        distinct_image("same").save(root / "b" / f"{number}.png")
    with pytest.raises(DataError, match="add images of 'b', or take the class out"):
        open_dataset(root).require_trainable()


def test_the_photographs_of_the_lesson(clothing):
    dataset = open_dataset(clothing)
    assert Counter(dataset.splits) == {"train": 3068, "validation": 341}
    assert len(dataset.classes) == 10
    assert np.bincount(dataset.labels).min() > 50
    dataset.require_trainable()


def peak_of_opening(root: Path, images: int) -> int:
    """Bytes at the peak of opening class folders of so many small files."""
    for number in range(images):
        folder = root / str(images) / f"class {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:07d}.jpg").write_bytes(number.to_bytes(4, "big"))
    gc.collect()
    tracemalloc.start()
    try:
        dataset = open_dataset(root / str(images))
        dataset.require_trainable()
        assert len(dataset.without([0]).contents) == images - 1
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.when_changed("data")
def test_an_image_more_costs_some_hundred_bytes_of_memory(tmp_path):
    peak_of_opening(tmp_path, 100)  # whatever is made once
    few, many = (peak_of_opening(tmp_path, images) for images in (500, 2500))
    assert (many - few) / 2000 < 500


def test_a_second_opening_is_the_same_without_reading(image_folder, monkeypatch):
    root = image_folder({"a": 5, "b": 5})
    with an_hour_later():
        first = open_dataset(root)
        monkeypatch.setattr(file_index, "digests_of", None)
        second = open_dataset(root)
    assert second.digests == first.digests
    assert second.content == first.content


def test_the_same_content_twice_is_one_of_the_contents(image_folder):
    root = image_folder({"a": 2, "b": 1})
    (root / "b" / "copy.png").write_bytes((root / "a" / "0001.png").read_bytes())
    dataset = open_dataset(root)
    assert len(dataset) == 4
    assert dataset.contents == list(dict.fromkeys(dataset.digests))
    assert len(dataset.contents) == 3


def test_opening_loads_no_heavy_library():
    code = (
        "import sys, manyheads.data.dataset, manyheads.data.checks\n"
        "heavy = {'keras', 'openvino', 'numba', 'matplotlib', 'sklearn', 'pyarrow', 'tensorflow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_labels_of_one_split_that_are_written_in_another_way_are_told(image_folder):
    root = image_folder({"all": 12})
    names = [("train", "001"), ("train", "002"), ("validation", "1"), ("validation", "002")]
    rows = [f"all/{n:04d}.png,{names[n % 4][1]},{names[n % 4][0]}" for n in range(12)]
    dataset = open_dataset(write_manifest(root, rows, "path,label,split"))
    with pytest.raises(DataError, match=r"none of '1'; did a spreadsheet .* not '1' for '001'"):
        dataset.require_trainable()


def test_images_with_several_labels_are_counted_once(image_folder):
    folder = image_folder({"cat": 2, "dog": 2, "hat": 1})
    assert label_conflict_words(open_dataset(folder)) == ""
    first = folder / "cat" / sorted(each.name for each in (folder / "cat").iterdir())[0]
    for name in ("dog/x", "hat/x", "cat/y"):
        (folder / name).with_suffix(first.suffix).write_bytes(first.read_bytes())
    words = label_conflict_words(open_dataset(folder))
    assert words.startswith("1 image has different labels (same bytes), such as cat/")
    second = first.with_name(sorted(each.name for each in (folder / "cat").iterdir())[1])
    (folder / "dog" / "z").with_suffix(second.suffix).write_bytes(second.read_bytes())
    assert label_conflict_words(open_dataset(folder)).startswith("2 images have ")
