"""Class folders and split folders: what is found, what is left out, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manyheads.data.folders import scan_folder
from manyheads.errors import DataError
from tests.strategies import distinct_image


def found(root):
    listing = scan_folder(root)
    splits = listing.splits or [None] * len(listing.paths)
    names = [Path(str(path)).relative_to(root).as_posix() for path in listing.paths]
    return list(zip(splits, listing.labels, names, strict=True))


def test_class_folders_in_sorted_order(image_folder):
    root = image_folder({"b": 1, "a/deep/er": 2, "a/x": 1})
    assert scan_folder(root).layout == "class folders"
    assert found(root) == [
        (None, "a", "a/deep/er/0000.png"),
        (None, "a", "a/deep/er/0001.png"),
        (None, "a", "a/x/0000.png"),
        (None, "b", "b/0000.png"),
    ]


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "Validation"])
def test_split_folders_under_every_name(image_folder, validation):
    root = image_folder({f"{validation}/a": 1, "train/a": 1, "train/b": 1, "test/b": 1})
    assert scan_folder(root).layout == "split folders"
    assert [split for split, _, _ in found(root)] == ["train", "train", "validation", "test"]


def test_unicode_names_are_fine(image_folder):
    root = image_folder({"T-shirt & co.": 1, "🐈 cat": 1, "ЁЖ": 1})
    assert {label for _, label, _ in found(root)} == {"T-shirt & co.", "🐈 cat", "ЁЖ"}


def test_hidden_files_are_not_there_and_others_are_told(image_folder):
    root = image_folder({"a": 1, "b": 1, "empty": 0, ".hidden": 1})
    for name in ("a/notes.txt", "readme.md", "loose.png", "a/.DS_Store", "a/.x.png", "a/B.JPEG"):
        (root / name).write_bytes(b"x")
    listing = scan_folder(root)
    told = zip(listing.ignored, listing.ignored.reasons, strict=True)
    assert {Path(str(path)).relative_to(root).as_posix(): reason for path, reason in told} == {
        ".hidden": "hidden folders",
        "loose.png": "images outside the class folders",
        "readme.md": "files that are no images",
        "a/.DS_Store": "system files",
        "a/.x.png": "hidden files",
        "a/notes.txt": "files that are no images",
        "empty": "class folders without images",
    }
    assert [name for _, _, name in found(root)] == ["a/0000.png", "a/B.JPEG", "b/0000.png"]


def test_links_are_followed_once_and_loops_end(image_folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    distinct_image("x").save(elsewhere / "x.png")
    root = image_folder({"a/sub": 1, "b": 1})
    (root / "a" / "sub" / "up").symlink_to(root / "a")
    (root / "a" / "root").symlink_to(root)
    (root / "a" / "self").symlink_to(root / "a" / "self")
    (root / "a" / "linked").symlink_to(elsewhere)
    (root / "a" / "twice").symlink_to(elsewhere)
    (root / "b" / "x.png").symlink_to(elsewhere / "x.png")
    assert [name for _, _, name in found(root)] == [
        "a/linked/x.png",
        "a/sub/0000.png",
        "b/0000.png",
        "b/x.png",
    ]


def test_a_loop_between_split_folders_ends(image_folder):
    root = image_folder({"train/a": 1, "train/b": 1})
    (root / "train" / "a" / "again").symlink_to(root / "train")
    assert len(found(root)) == 2


def test_a_class_folder_may_be_a_link(image_folder):
    root = image_folder({"a": 1, "b": 1})
    (root / "c").symlink_to(root / "a")
    assert [label for _, label, _ in found(root)] == ["a", "b", "c"]


def test_a_pipe_with_an_images_name_is_left_out(image_folder):
    root = image_folder({"a": 1, "b": 1})
    os.mkfifo(root / "a" / "pipe.png")
    assert len(found(root)) == 2


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "an empty folder"),
        ({"a": 0, "b": 0}, r"no image \(2 class folders without images \(a, …\)\)"),
        ({"train": 1, "test/a": 1}, r"class folders in .*train, found images without"),
        ({"train/a": 1, "cat": 1}, "both: 'train' beside 'cat'"),
        ({"val/a": 1, "valid/a": 1}, "one validation folder in .*'val' and 'valid'"),
        ({"Shoes": 1, "shoes": 1}, "'Shoes' and 'shoes'"),
        ({"train/Shoes": 1, "validation/shoes": 1}, "'Shoes' and 'shoes'"),
        ({"train/STRASSE": 1, "test/straße": 1}, "'STRASSE' and 'straße'"),
    ],
)
def test_what_is_no_data_set_is_refused(image_folder, counts, message):
    with pytest.raises(DataError, match=message) as caught:
        scan_folder(image_folder(counts))
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_images_without_class_folders_are_refused(image_folder):
    root = image_folder({})
    distinct_image("x").save(root / "x.png")
    with pytest.raises(DataError, match="images without class folders") as caught:
        scan_folder(root)
    assert "named after the class" in caught.value.remedy


def test_a_class_name_that_is_not_text_is_refused(image_folder):
    root = image_folder({"a": 1})
    strange = root / os.fsdecode(b"\xff\xfe")
    try:
        strange.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    distinct_image("x").save(strange / "x.png")
    with pytest.raises(DataError, match="UTF-8"):
        scan_folder(root)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_read_is_named(image_folder):
    root = image_folder({"a": 1, "b": 1})
    (root / "a").chmod(0)
    try:
        with pytest.raises(DataError, match="permission denied"):
            scan_folder(root)
    finally:
        (root / "a").chmod(0o755)
