"""Links between folders, and names of classes that hardly differ."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from pathlib import Path

import pytest

from manyheads.data.data_settings import SplitSettings
from manyheads.data.folders import scan_folder
from manyheads.data.image_lists import list_images
from manyheads.errors import DataError
from tests.folders import counts, left, picture

HALF = SplitSettings(validation=0.5, test=0.0)


# Links.


def test_links_are_the_same_for_training_and_for_predict(image_folder, tmp_path):
    root = image_folder({"cat": 2, "dog": 1})
    elsewhere = tmp_path / "elsewhere"
    for name in ("1.png", "2.png"):
        picture(elsewhere / name)
    (root / "cat" / "more").symlink_to(elsewhere)
    (root / "cat" / "again").symlink_to(elsewhere)
    (root / "cat" / "one.png").symlink_to(elsewhere / "1.png")
    (root / "cat" / "zero.png").symlink_to(root / "cat" / "0000.png")
    (root / "cat" / "loop").symlink_to(root / "cat")
    (root / "dog" / "up").symlink_to(tmp_path)
    (root / "dog" / "self").symlink_to(root / "dog" / "self")
    assert counts(root) == {"cat": 4, "dog": 1}
    assert left(root) == {
        "cat/more": "links to folders that are read already",
        "cat/loop": "links to folders that are read already",
        "cat/one.png": "links to images that are read already",
        "cat/zero.png": "links to images that are read already",
        "dog/up": "links to folders that are read already",
        "dog/self": "broken links",
    }
    read = {Path(str(path)).resolve() for path in list_images(root).paths}
    assert read == {Path(str(path)).resolve() for path in scan_folder(root).paths}
    assert len(list_images(root).paths) == 5


def test_a_file_that_a_link_leads_to_first_is_kept_once(image_folder):
    root = image_folder({"cat": 2, "dog": 1})
    (root / "cat" / "00.png").symlink_to("0000.png")
    paths = [path.name for path in scan_folder(root).paths]
    assert paths == ["0000.png", "0001.png", "0000.png"]


# Names.


def test_composed_and_decomposed_letters_are_one_class(image_folder):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    root = image_folder({f"train/{composed}": 1, "train/tea": 1, f"test/{decomposed}": 1})
    picture(root / "train" / decomposed / "more.png")
    assert counts(root) == {f"train/{composed}": 2, "train/tea": 1, f"test/{composed}": 1}


@pytest.mark.parametrize(
    "twin", ["Cat", "cat ", " cat", "cat\r", "cat\n", "c at", "cat\u00a0", "cat\u200b", "CAT\t"]
)
@pytest.mark.parametrize("other", ["{}", "test/{}"])
def test_names_that_hardly_differ_are_told_apart(image_folder, twin, other):
    folders = (
        [other.format(twin), "train/cat", "train/dog"] if "/" in other else [twin, "cat", "dog"]
    )
    root = image_folder(dict.fromkeys(folders, 1))
    with pytest.raises(DataError, match="differ in more than case, white space or line ends") as e:
        scan_folder(root)
    assert repr("cat") in e.value.found
    assert repr(twin) in e.value.found


def test_white_space_at_the_ends_is_no_part_of_a_class(image_folder):
    root = image_folder({"cat\r": 1, " dog ": 1})
    assert counts(root) == {"cat": 1, "dog": 1}
    with pytest.raises(DataError, match=r"class folders with a name, found ' '"):
        scan_folder(image_folder({" ": 1, "a": 1}, name="nameless"))


def test_a_folder_as_deep_as_a_path_may_be(image_folder):
    root = image_folder({"a": 1, "b": 1})
    here = os.open(root / "a", os.O_RDONLY)
    try:
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            inner = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
    finally:
        os.close(here)
    try:
        assert counts(root) == {"a": 1, "b": 1}
    finally:
        # Python recurses when it removes a tree.
        subprocess.run(["rm", "-rf", str(root / "a")], check=True)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["trainA", "trainB", "testA", "testB"], True),
        (["train_cat", "val_cat", "train_dog", "val_dog"], True),
        (["cat-test", "cat-training", "dog-test", "dog-training"], True),
        (["train station", "test tube"], False),
        (["train_cat", "test_cat", "train_dog", "hat"], False),
        (["cat", "dog"], False),
    ],
)
def test_classes_that_are_named_after_splits_too_are_said(
    image_folder, names: list[str], said: bool
) -> None:
    listing = scan_folder(image_folder(dict.fromkeys(names, 2)))
    assert sorted(listing.labels.names) == sorted(names)
    assert any("are of a split and a class" in line for line in listing.remarks) is said
