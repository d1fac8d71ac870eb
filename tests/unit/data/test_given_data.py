"""Data sets in memory become manifests in the cache, named by their content."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads.data.data_settings import ImageSettings, TableSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.given_data import given_data
from manyheads.data.image_inputs import named, square_of
from manyheads.data.images import load_pixels
from manyheads.data.kept_images import KeptImages
from manyheads.errors import DataError, ImageError
from tests.image_files import FILES, turned
from tests.strategies import distinct_image

LABELS = ["cat", "dog", "cat", "dog"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Four images, in the current folder."""
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    names = [f"photos/{place}.png" for place in range(4)]
    (tmp_path / "photos").mkdir()
    for name in names:
        distinct_image(name).save(name)
    return names


def opened(given: Any, table: TableSettings | None = None):
    found = given_data(given, table)
    return open_dataset(found.source, table=found.table)


def test_a_path_and_a_name_stay_as_they_are(photos: list[str]) -> None:
    del photos
    table = TableSettings(path_column="file", encoding="cp1252")
    assert given_data("photos", table) == ("photos", table)
    assert given_data(Path("photos")) == (Path("photos"), TableSettings())


def test_paths_with_labels_are_the_data_set_of_their_manifest(
    photos: list[str], tmp_path: Path
) -> None:
    rows = "".join(f"{path},{label}\n" for path, label in zip(photos, LABELS, strict=True))
    (tmp_path / "list.csv").write_text(f"path,label\n{rows}")
    found, wanted = opened((photos, LABELS)), open_dataset(tmp_path / "list.csv")
    assert list(found.paths) == list(wanted.paths) == [tmp_path / path for path in photos]
    assert found.content == wanted.content


def test_the_same_data_are_the_same_file(photos: list[str], tmp_path: Path) -> None:
    one = given_data((photos, LABELS)).source
    assert Path(one).parent == tmp_path / "cache" / "datasets" / "tables"
    written = Path(one).stat().st_mtime_ns
    absolute = [tmp_path / path for path in photos]
    assert given_data(zip(absolute, LABELS, strict=True)).source == one
    assert Path(one).stat().st_mtime_ns == written
    assert given_data((photos, LABELS[::-1])).source != one


def test_the_settings_of_a_table(photos: list[str]) -> None:
    ids = [Path(path).stem for path in photos]
    columns = {"id": list(map(int, ids)), "label": ["cat", "dog", "?", "dog"]}
    table = TableSettings(
        path_column="id", images_in="photos", suffix=".png", missing_labels=("?",)
    )
    found = opened(columns, table)
    assert [path.name for path in found.paths] == ["0.png", "1.png", "3.png"]
    with pytest.raises(DataError, match="`encoding`, found dict; leave it out"):
        given_data(columns, TableSettings(encoding="utf-8"))
    with pytest.raises(DataError, match="the folder that `images_in` names"):
        given_data(columns, TableSettings(images_in="nowhere"))


def test_given_splits_and_groups(photos: list[str]) -> None:
    columns = {"path": photos, "label": LABELS, "split": ["train", "train", "val", "val"],
               "group": ["x", None, "y", ""]}  # fmt: skip
    found = opened(columns)
    assert list(found.splits) == ["train", "train", "validation", "validation"]
    assert found.groups is not None
    assert list(found.groups) == ["x", "", "y", ""]


def test_files_that_are_not_there(photos: list[str]) -> None:
    with pytest.raises(
        DataError, match=r"file that row 1 names, found no file 'no.png', and so fo"
    ):
        given_data(([photos[0], "no.png", "none.png"], LABELS[:3]))
    with pytest.raises(DataError, match=r"did you mean `images_in` photos\?"):
        given_data((["0.png"], ["cat"]))
    with pytest.raises(DataError, match="without a secret in row 0"):
        given_data((["https://host/a.png?token=abcdef"], ["cat"]))
    with pytest.raises(DataError, match="a path in row 1, found none"):
        given_data(([photos[0], None], LABELS[:2]))


def test_addresses_stay_as_they_are() -> None:
    table = Path(given_data((["s3://b/a//1.png", "https://host/2.png"], ["cat", "dog"])).source)
    assert "s3://b/a//1.png,cat,,\nhttps://host/2.png,dog,,\n" in table.read_text()


def test_images_in_memory_are_written_once_without_loss(photos: list[str], tmp_path: Path) -> None:
    pixels = np.stack([np.asarray(Image.open(path)) for path in photos])
    found = opened((pixels, LABELS))
    kept = [Path(path) for path in found.paths.texts()]
    assert all(path.is_relative_to(tmp_path / "cache" / "datasets" / "images") for path in kept)
    assert [path.stem for path in kept] == list(found.digests)
    np.testing.assert_array_equal(np.stack([np.asarray(Image.open(p)) for p in kept]), pixels)
    written = [path.stat().st_mtime_ns for path in kept]
    images = [Image.fromarray(each) for each in pixels]
    assert list(opened((images, LABELS)).paths) == kept
    assert [path.stat().st_mtime_ns for path in kept] == written


def test_a_content_that_comes_again_is_another_sample(photos: list[str]) -> None:
    image = Image.open(photos[0])
    image.load()
    found = opened({"train": [(image, "cat"), (image, "cat")], "val": [(image, "dog")]})
    assert len(found) == 3
    assert len(set(found.digests)) == 1


@pytest.mark.parametrize("file", [name for name in FILES if name != "16-bit grey and opacity"])
def test_a_kept_image_is_seen_as_it_was(file: str, photos: list[str]) -> None:
    del photos
    for decoded in (False, True):
        image = Image.open(io.BytesIO(FILES[file]))
        if decoded:
            image.load()
        for settings in (ImageSettings(size=32), ImageSettings(size=32, exif=False)):
            wanted = square_of(named(image, 0).source, settings, "image 0")
            if decoded and image.mode in ("I", "F"):
                with pytest.raises(ImageError, match="8 or 16 bits"):
                    KeptImages().path_of(image, 0)
                continue
            kept = KeptImages().path_of(image, 0)
            np.testing.assert_array_equal(load_pixels(kept, settings), wanted)


def test_the_orientation_of_a_decoded_image_is_kept(photos: list[str]) -> None:
    del photos
    image = Image.open(io.BytesIO(turned(6)))
    image.load()
    kept = KeptImages().path_of(image, 0)
    with Image.open(str(kept)) as seen:
        assert (seen.format, seen.getexif()[0x0112]) == ("PNG", 6)


@pytest.mark.parametrize(
    "shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (300, 99, 3)]
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, ">u2"])
def test_arrays_of_every_depth_are_kept(shape: tuple[int, ...], kind: Any, photos: list[str]):
    del photos
    values = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, endpoint=True)
    pixels = values.astype(kind)
    kept = KeptImages().path_of(pixels, 0)
    for settings in (ImageSettings(size=32), ImageSettings(size=32, depth=12)):
        np.testing.assert_array_equal(
            load_pixels(kept, settings), square_of(pixels, settings, "array 0")
        )


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros((4, 8, 8, 3), np.float32), r"in array 0, found float32 \[8, 8, 3\]"),
        (np.zeros((4, 3, 8, 8), np.uint8), r"found uint8 \[3, 8, 8\]; .*the channels last"),
        (np.zeros((4, 8), np.uint8), r"found uint8 \[8\]"),
        ([b"text"] * 4, "the bytes of an image's file in bytes 0"),
        ([object()] * 4, "object in place 0"),
        (
            [Image.new("F", (4, 4))] * 4,
            "8 or 16 bits a channel in image 0, found one of the mode F",
        ),
    ],
)
def test_what_is_no_image_is_told_with_what_is_taken(images: Any, found: str, photos: list[str]):
    del photos
    with pytest.raises(ImageError, match=found):
        given_data((images, LABELS))


def test_features_need_no_paths(photos: list[str]) -> None:
    del photos
    source, table = given_data({"label": LABELS}, images=False)
    assert Path(source).read_text() == "path,label,split,group\n" + "".join(
        f",{label},,\n" for label in LABELS
    )
    assert table == TableSettings()
