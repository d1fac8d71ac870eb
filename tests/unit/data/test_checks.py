"""The check: what it counts, what it finds, what it says, and that it changes nothing."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from PIL import Image

from manyheads.core.settings import plain
from manyheads.data.checks import Extent, check_dataset
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.shares import share_shifts
from manyheads.errors import Interrupted
from tests.jobs import HeardJob, stopped_job
from tests.strategies import distinct_image, encoded

SOUND = {
    f"{split}/{name}": count
    for split, count in (("train", 20), ("validation", 10), ("test", 10))
    for name in ("a", "b")
}


def check(root, **image):
    return check_dataset(open_dataset(root), ImageSettings(**image))


def copy(root, source: str, *targets: str) -> None:
    for target in targets:
        (root / target).write_bytes((root / source).read_bytes())


def test_a_sound_data_set_has_no_problems(image_folder):
    report = check(image_folder(SOUND))
    assert report.problems == ()
    assert report.images == 80
    assert report.classes == ("a", "b")
    assert report.counts == {
        "train": {"a": 20, "b": 20},
        "validation": {"a": 10, "b": 10},
        "test": {"a": 10, "b": 10},
    }
    assert report.shares["test"] == {"a": 0.5, "b": 0.5}
    assert report.widths == report.heights == Extent(8, 8.0, 8)
    assert report.formats == {"PNG": 80}
    assert report.modes == {"RGB": 80}
    assert report.identical == report.unreadable == report.ignored == report.torn_groups == ()


def test_the_report_is_plain(image_folder):
    root = image_folder(SOUND)
    copy(root, "train/a/0000.png", "validation/b/x.png")
    text = json.dumps(plain(check(root)))
    assert json.loads(text)["identical"][0]["labels"] == ["a", "b"]


def test_sizes_modes_and_formats(image_folder):
    root = image_folder(SOUND)
    Image.new("L", (30, 10)).save(root / "train/a/grey.gif")
    Image.new("CMYK", (5, 50)).save(root / "train/a/print.jpg")
    report = check(root)
    assert report.widths == Extent(5, 8.0, 30)
    assert report.heights == Extent(8, 8.0, 50)
    assert report.formats == {"PNG": 80, "GIF": 1, "JPEG": 1}
    assert report.modes["CMYK"] == 1


def test_unreadable_files_are_named_with_their_reason(image_folder):
    root = image_folder(SOUND)
    (root / "train/a/empty.jpg").write_bytes(b"")
    (root / "train/a/text.jpg").write_text("words")
    (root / "train/b/half.png").write_bytes(encoded(distinct_image("x", 50))[:-500])
    report = check(root)
    reasons = {entry.name: entry.reason for entry in report.unreadable}
    assert reasons["train/a/empty.jpg"] == "an empty file"
    assert set(reasons) == {"train/a/empty.jpg", "train/a/text.jpg", "train/b/half.png"}
    (line,) = report.problems
    assert line.startswith("3 files that cannot be read: train/a/empty.jpg: an empty file; ")


def test_identical_images_within_and_across_splits(image_folder):
    root = image_folder(SOUND)
    copy(root, "train/a/0000.png", "train/a/again.png")
    copy(root, "train/a/0001.png", "validation/a/leak.png", "test/a/leak.png")
    report = check(root)
    assert [same.names for same in report.identical] == [
        ("train/a/0000.png", "train/a/again.png"),
        ("train/a/0001.png", "validation/a/leak.png", "test/a/leak.png"),
    ]
    assert [same.across_splits for same in report.identical] == [False, True]
    assert [same.within_split for same in report.identical] == [True, False]
    leak, repeat = report.problems
    assert "more than one split: train/a/0001.png = validation/a/leak.png" in leak
    assert "(test and train and validation)" in leak
    assert "1 set of identical images within a split: train/a/0000.png" in repeat


def test_identical_images_with_different_labels_come_first(image_folder):
    root = image_folder(SOUND)
    copy(root, "train/a/0000.png", "validation/b/other.png")
    report = check(root)
    assert report.identical[0].differs_in_label
    assert (
        "different labels: train/a/0000.png = validation/b/other.png (a and b)"
        in (report.problems[0])
    )


def test_groups_torn_between_given_splits(image_folder):
    root = image_folder(SOUND)
    rows = ["path,label,split,group"]
    for number in range(20):
        rows += [f"train/{c}/{number:04d}.png,{c},train,{c}{number}" for c in "ab"]
    for number in range(10):
        rows += [f"validation/{c}/{number:04d}.png,{c},val,{c}{number + 19}" for c in "ab"]
    (root / "m.csv").write_text("\n".join(rows))
    report = check(root / "m.csv")
    assert report.torn_groups == ("a19", "b19")
    assert report.problems[0].startswith("2 groups with images in more than one split: a19, b19")
    assert report.images == 60


def test_what_was_left_out_is_told(image_folder):
    root = image_folder(SOUND | {"train/empty": 0})
    (root / "train/a/notes.txt").write_text("words")
    (root / "readme.md").write_text("words")
    report = check(root)
    assert set(report.ignored) == {"train/a/notes.txt", "readme.md", "train/empty"}
    files, folders = report.problems
    assert folders == "1 class folder without images left out: train/empty"
    assert files == "2 files that are no images left out: readme.md, train/a/notes.txt"
    assert report.left_out == (
        "2 of 82 files (2.4 %): 2 files that are no images (readme.md, …); "
        "1 class folder without images (empty)"
    )


def test_the_recorded_orientation_is_counted(image_folder):
    root = image_folder(SOUND)
    exif = Image.Exif()
    exif[0x0112] = 6
    distinct_image("turned", 16).save(root / "train/a/turned.jpg", exif=exif)
    assert check(root).rotated == 1
    assert check(root).problems == ()
    (line,) = check(root, exif=False).problems
    assert line.startswith("1 image with an EXIF orientation that is ignored")


def test_images_of_few_of_their_bits_are_told(image_folder):
    root = image_folder(SOUND)
    for value in (100, 4095):
        dark = Image.fromarray(np.full((9, 9), value, np.uint16))
        dark.save(root / f"train/a/{value}.png")
    report = check(root)
    assert (report.deep, report.bits) == (2, 12)
    assert report.problems == (
        "2 images with more than 8 bits a channel use 12 of 16 bits at most, and are nearly black; "
        "train with `depth` 12 to scale them by what they use",
    )
    assert check(root, depth=12).problems == ()
    (line,) = check(root, depth=8).problems
    assert "values of 12 bits are beyond the white of depth 8" in line


def test_files_without_their_end_are_counted(image_folder):
    root = image_folder(SOUND)
    whole = encoded(distinct_image("cut", 40), "JPEG")
    (root / "train/a/cut.jpg").write_bytes(whole[:-2])
    (root / "train/a/truncated.jpg").write_bytes(whole[:-200])
    report = check(root)
    assert report.cut == 1
    assert [each.name for each in report.unreadable] == ["train/a/truncated.jpg"]
    assert "1 file without the end of the format" in report.problems[-1]


def test_classes_of_very_unequal_size_get_advice(image_folder):
    report = check(image_folder(SOUND | {"train/a": 3, "train/b": 30}))
    (line,) = [each for each in report.problems if "very unequal" in each]
    assert "30 images of b and 3 of a (10 times)" in line
    assert "--class-weight none balanced --select last_balanced_accuracy" in line


def test_small_classes_are_named(image_folder):
    report = check(image_folder(SOUND | {"train/c": 3, "validation/c": 1}))
    assert "classes with fewer than 20 train images: c 3" in report.problems
    assert "classes with fewer than 10 validation images: c 1" in report.problems
    assert "classes with fewer than 10 test images: c 0" in report.problems


def test_a_data_set_that_cannot_be_trained_on_says_so_first(image_folder):
    report = check(image_folder(SOUND | {"validation/c": 30}))
    assert report.problems[0].startswith("no heads can be trained: expected every class among the")


def test_a_class_that_nothing_validates_is_named(image_folder):
    report = check(image_folder(SOUND | {"train/c": 30}))
    assert report.problems[0] == "not validated: 'c' (30 images); it only trains"
    assert report.spoiling == 0


def test_a_class_of_unreadable_images_cannot_be_trained_on(image_folder):
    root = image_folder(SOUND)
    for path in (root / "validation" / "b").iterdir():
        path.write_bytes(b"")
    report = check(root)
    assert "classes among the validation images in data, found 'a'" in report.problems[0]
    assert "10 files that cannot be read" in report.problems[1]
    assert "and 7 more" in report.problems[1]


def test_classes_of_a_manifest_that_differ_in_case(image_folder):
    root = image_folder({"a": 40, "b": 40})
    rows = [f"a/{n:04d}.png,Cat" for n in range(40)] + [f"b/{n:04d}.png,cat" for n in range(40)]
    (root / "m.csv").write_text("\n".join(["path,label", *rows]))
    report = check_dataset(
        open_dataset(root / "m.csv", split=SplitSettings(validation=0.5, test=0.0))
    )
    assert "classes that differ only in case: 'Cat' and 'cat'" in report.problems


def test_shares_of_the_lessons_kind_of_shift():
    counts = {
        "train": {"shoes": 200, "hat": 2868},
        "validation": {"shoes": 26, "hat": 315},
        "test": {"shoes": 73, "hat": 299},
    }
    first, second, third = share_shifts(counts)
    assert (first.first, first.second) == ("train", "validation")
    assert first.points == pytest.approx(100 * (26 / 341 - 200 / 3068))
    assert first.errors < 3
    assert (second.first, second.second) == ("train", "test")
    assert second.points == pytest.approx(100 * (73 / 372 - 200 / 3068))
    assert second.total_variation == pytest.approx(73 / 372 - 200 / 3068)
    assert second.errors > 3
    assert third.points > 0


def test_a_shift_is_a_problem_if_it_is_large_and_certain(image_folder):
    sure = {"train/a": 100, "train/b": 100, "validation/a": 80, "validation/b": 20}
    (line,) = check(image_folder(sure)).problems
    assert line == (
        "class shares differ between train and validation, by more than chance: a is 50.0 % of one "
        "and 80.0 % of the other; their scores are not comparable"
    )
    chance = {"train/a": 30, "train/b": 30, "validation/a": 15, "validation/b": 11}
    report = check(image_folder(chance, name="chance"))
    assert report.shifts[0].points == pytest.approx(100 * (15 / 26 - 0.5))
    assert report.problems == ()


def test_nothing_is_changed(image_folder):
    root = image_folder(SOUND)
    (root / "train/a/empty.jpg").write_bytes(b"")

    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}

    before = state()
    check(root)
    assert state() == before


def test_progress_and_stop(image_folder):
    dataset = open_dataset(image_folder(SOUND))
    heard = HeardJob()
    check_dataset(dataset, job=heard)
    assert heard.steps("checking")[-1] == (80, 80)
    job = stopped_job()
    with pytest.raises(Interrupted, match="checking the images"):
        check_dataset(dataset, job=job)


def test_the_photographs_of_the_lesson_are_sound(clothing):
    dataset = open_dataset(clothing)
    report = check_dataset(dataset.without(range(len(dataset.rows("train")))))
    assert report.unreadable == ()
    assert report.formats == {"JPEG": 341}
    assert report.shares["validation"]["shoes"] == pytest.approx(0.076, abs=0.0005)


def a_table(image_folder, labels):
    """A table in which classes of 20 images have these labels."""
    root = image_folder({"all": 20 * len(labels)})
    paths = sorted(path.relative_to(root) for path in root.rglob("*.png"))
    rows = [f"{path},{labels[number % len(labels)]}" for number, path in enumerate(paths)]
    (root / "m.csv").write_text("\n".join(["path,label", *rows]))
    return root / "m.csv"


def in_a_table(image_folder, labels):
    """The problems of `a_table`."""
    return check_dataset(open_dataset(a_table(image_folder, labels))).problems


def test_classes_that_are_one_number_are_said(image_folder):
    problems = in_a_table(image_folder, ["1", "1.0", "2"])
    assert "classes that are one number, written in several ways: '1' and '1.0'" in problems


def test_a_class_that_may_mean_no_label_is_said(image_folder):
    problems = in_a_table(image_folder, ["NA", "cat"])
    assert (
        "'NA' taken as a class (20 images); if it means no label, leave these out with "
        "`missing_labels` NA"
    ) in problems


def test_another_class_is_not_said_to_mean_no_label(image_folder):
    assert not any("taken as a class" in line for line in in_a_table(image_folder, ["a", "nab"]))


def test_the_way_to_leave_out_a_class_keeps_out_what_is_left_out_already(image_folder):
    labels = ["NA", "cat", "nan", "#N/A", "dog", ""]
    path = a_table(image_folder, labels)
    problems = check_dataset(open_dataset(path)).problems
    (line,) = (line for line in problems if "taken as a class" in line)
    given = shlex.split(line.partition("`missing_labels` ")[2])
    assert given == ["NA", "#N/A", "nan"]
    table = TableSettings(missing_labels=tuple(given))
    assert open_dataset(path, table=table).classes == ("cat", "dog")


@pytest.mark.parametrize("text", ["?", "#n/a", "(null)", "<na>", "N.A.", "Nan"])
def test_signs_of_no_label_that_are_taken_as_a_class_are_said(image_folder, text):
    assert any(
        line.startswith(f"'{text}' taken as a class")
        for line in in_a_table(image_folder, [text, "cat"])
    )


def test_several_classes_that_may_mean_no_label_are_said_together(image_folder):
    problems = in_a_table(image_folder, ["NA", "none", "cat"])
    assert any("if they mean no label, leave these out with" in line for line in problems)
