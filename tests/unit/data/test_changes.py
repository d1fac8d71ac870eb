"""What has changed in a data set is said image by image."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from manyheads.data.changes import KEPT_BYTES, Changes, Listed, changes_words
from manyheads.data.columns import Categorical
from manyheads.data.dataset import open_dataset
from tests.strategies import distinct_image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for split, count in (("train", 5), ("validation", 2)):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                distinct_image(f"{split} {name} {number}", 8).save(folder / f"{number}.png")
    return root


def remove(root: Path, *names: str) -> None:
    for name in names:
        (root / name).unlink()


def add(root: Path, *names: str) -> None:
    for name in names:
        distinct_image(f"new {name}", 8).save(root / name)


def move(root: Path, name: str, to: str) -> None:
    (root / to).parent.mkdir(exist_ok=True)
    (root / name).rename(root / to)


def rename_class(root: Path, old: str, new: str) -> None:
    for split in ("train", "validation"):
        (root / split / old).rename(root / split / new)


def shift(root: Path) -> None:
    """The first image goes, and the others move up."""
    remove(root, "train/cat/0.png")
    for number in range(1, 5):
        move(root, f"train/cat/{number}.png", f"train/cat/{number - 1}.png")


def other_photos(root: Path) -> None:
    for file in sorted(root.rglob("*.png")):
        distinct_image(f"other {file.relative_to(root)}", 8).save(file.with_name(f"x{file.name}"))
        file.unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: add(root, "train/cat/a.png"), "1 image added (train/cat/a.png)"),
        (
            lambda root: remove(root, *(f"train/cat/{number}.png" for number in range(4))),
            "4 images removed (train/cat/0.png, train/cat/1.png, train/cat/2.png, and 1 more)",
        ),
        (lambda root: add(root, "train/cat/0.png"),
         "1 image with other content (train/cat/0.png)"),
        (
            lambda root: move(root, "train/cat/1.png", "train/dog/x.png"),
            "1 image with another label (train/cat/1.png (cat → dog))",
        ),
        (
            lambda root: move(root, "train/cat/1.png", "validation/cat/x.png"),
            "1 image in another split (train/cat/1.png (train → validation))",
        ),
        (
            lambda root: move(root, "train/cat/1.png", "validation/dog/x.png"),
            "1 image with another label (train/cat/1.png (cat → dog)), "
            "1 image in another split (train/cat/1.png (train → validation))",
        ),
        (lambda root: rename_class(root, "cat", "kitten"), "class 'cat' is now called 'kitten'"),
        (
            lambda root: (rename_class(root, "cat", "kitten"), add(root, "train/kitten/a.png")),
            "1 image added (train/kitten/a.png), class 'cat' is now called 'kitten'",
        ),
        (
            lambda root: move(root, "train/cat/1.png", "train/cow/1.png"),
            "1 image with another label (train/cat/1.png (cat → cow))",
        ),
        (shift, "1 image removed (train/cat/0.png)"),
        (
            lambda root: (remove(root, "train/cat/1.png"), add(root, "train/dog/a.png")),
            "1 image added (train/dog/a.png), 1 image removed (train/cat/1.png)",
        ),
        (
            lambda root: move(root, "train/cat/0.png", "train/cat/z.png"),
            "1 image renamed (train/cat/0.png → train/cat/z.png)",
        ),
        (other_photos, "another data set: none of its 14 images is among the 14 there"),
    ],
)  # fmt: skip
def test_each_change_has_its_number_and_first_names(
    photos: Path, change: Callable[[Path], None], words: str
) -> None:
    before = open_dataset(photos)
    kept = Listed.of(before)
    change(photos)
    now = open_dataset(photos)
    assert now.content != before.content
    assert changes_words(kept, Listed.of(now)) == words


def test_images_of_one_content_are_told_apart_by_their_names(photos: Path) -> None:
    shutil.copy(photos / "train/cat/0.png", photos / "train/cat/twin.png")
    kept = Listed.of(open_dataset(photos))
    remove(photos, "train/cat/twin.png")
    words = changes_words(kept, Listed.of(open_dataset(photos)))
    assert words == "1 image removed (train/cat/twin.png)"


def test_another_order_of_the_same_images_is_told(tmp_path: Path, photos: Path) -> None:
    rows = [f"{file},{file.parent.name}" for file in sorted(photos.rglob("*.png"))]
    table = tmp_path / "table.csv"
    lists = []
    for order in (rows, rows[::-1]):
        table.write_text("\n".join(["path,label", *order]))
        lists.append(Listed.of(open_dataset(table)))
    assert changes_words(*lists) == "the same images in another order"


def listed(names: str, labels: list[str], contents: list[int]) -> Listed:
    """Images with one-letter names, all of them for training."""
    digests = np.array([[content] * KEPT_BYTES for content in contents], np.uint8)
    splits = Categorical.of(["train"] * len(names))
    return Listed([*names], digests, Categorical.of(labels), splits)


def test_changes_are_counted_and_classes_that_come_and_go_are_named() -> None:
    before = listed("abcd", ["cat", "cat", "dog", "owl"], [1, 2, 3, 4])
    now = listed("abce", ["cat", "dog", "hound", "emu"], [1, 2, 3, 5])
    found = Changes.between(before, now)
    assert len(found.same) == 3
    assert (list(found.added), list(found.removed)) == ([3], [3])
    assert [pair.before for pair in found.relabelled] == [1, 2]
    assert found.new_classes == {"emu": 1, "hound": 1}
    assert found.gone_classes == ["owl"]
    assert found.any_content
    moved = listed("xyzw", ["cat", "cat", "dog", "owl"], [1, 2, 3, 4])
    assert not Changes.between(before, moved).any_content
    renamed = Changes.between(before, listed("abcd", ["cat", "cat", "hound", "owl"], [1, 2, 3, 4]))
    assert renamed.renamed == {"dog": "hound"}
    assert (renamed.new_classes, renamed.gone_classes, renamed.relabelled) == ({}, [], [])
