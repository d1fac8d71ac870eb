"""Overlays and contact sheets as files: none lost, each with what its colours mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DiskError
from manyheads.models.explain.explanation import Explanation, Explanations
from manyheads.report.contact_sheet import PAGE, write_sheets
from manyheads.report.overlays import file_names, scale_words, write_overlays

METHODS = ("occlusion", "cam")
LIMITS = {"occlusion": 0.5, "cam": 20.0}
GREY = np.full((30, 40, 3), 128, np.uint8)


def entry(image: str, target: str = "t-shirt", **changes) -> Explanation:
    given = {
        "source": GREY,
        "settings": ImageSettings(size=32),
        "label": "t-shirt",
        "confidence": 0.9,
        "occlusion": np.eye(3, dtype=np.float32),
        "cam": 20 * np.eye(3, dtype=np.float32),
    }
    return Explanation(image=image, target=target, **(given | changes))


def unread(image: str) -> Explanation:
    settings = ImageSettings(size=32)
    return Explanation(image=image, source=Path(image), settings=settings, error="no such file")


def test_a_file_is_called_by_image_class_and_method() -> None:
    assert file_names([entry("a/photo.jpg")], METHODS) == [
        {"occlusion": "photo_t-shirt_occlusion.png", "cam": "photo_t-shirt_cam.png"}
    ]


def test_images_of_one_name_keep_files_of_their_own() -> None:
    images = ["a/1.jpg", "b/1.png", "c/1-2.jpg", "d/1.JPG", "e/X.jpg", "f/x.jpg"]
    names = [each["cam"] for each in file_names([entry(image) for image in images], METHODS)]
    assert len({name.casefold() for name in names}) == len(images)
    assert names[0] == "1_t-shirt_cam.png"


@pytest.mark.parametrize("name", ["a/b", "..", "x" * 300, "é" * 300, "", "a\nb", "con:*?", "狐"])
def test_classes_and_images_of_any_name_give_file_names(tmp_path: Path, name: str) -> None:
    (names,) = file_names([entry(name, target=name)], ("cam",))
    assert Path(names["cam"]).name == names["cam"]
    assert len(names["cam"].encode()) < 200
    (tmp_path / names["cam"]).touch()
    assert names["cam"].isprintable()


def test_overlays_are_written_with_their_legend(tmp_path: Path) -> None:
    entries = Explanations((3, 3), [entry("1.jpg"), unread("2.jpg"), entry("b/1.jpg")])
    files = write_overlays(tmp_path / "out", entries, METHODS, LIMITS)
    assert files[1] == {}
    paths = [path for each in files for path in each.values()]
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())
    assert len(paths) == 4
    with Image.open(files[0]["cam"]) as image:
        assert image.width == 646  # the longer side of the picture, twice
        assert (np.asarray(image)[:240, :320] == 128).all()  # the photograph as it is
        legend = np.asarray(image)[240:]
        assert (legend == 255).all(axis=2).mean() > 0.5
        assert (legend.sum(axis=2) < 100).any()
        # From the first colour to the last, left to right.
        colours = legend[(legend != 255).any(axis=2).sum(axis=1).argmax()].astype(int)
        assert colours[8].min() > 240
        assert colours[-8, 2] < 100 < 200 < colours[-8, 0]


def test_a_narrow_image_has_room_for_its_legend(tmp_path: Path) -> None:
    narrow = entry("1.jpg", source=np.full((400, 10, 3), 9, np.uint8), target="x" * 100)
    (files,) = write_overlays(tmp_path, Explanations((3, 3), [narrow]), ("cam",), LIMITS)
    with Image.open(files["cam"]) as image:
        assert image.width >= 200


def test_a_legend_says_what_the_colours_mean() -> None:
    assert scale_words("occlusion", 0.5) == "≤ 0 … ≥ 0.5: log-odds lost without it"
    assert "logit" in scale_words("cam", 20)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError):
        write_overlays(tmp_path / "file", Explanations((3, 3), [entry("1")]), ("cam",), LIMITS)


@pytest.mark.when_changed("pages")
def test_many_images_take_several_sheets(tmp_path: Path) -> None:
    entries = [entry(f"{n} 🦊 $x$.jpg") for n in range(PAGE + 1)]
    entries.insert(0, unread("2.jpg"))
    sheets = write_sheets(tmp_path, Explanations((3, 3), entries), METHODS, LIMITS)
    assert [sheet.name for sheet in sheets] == ["contact-sheet-1.png", "contact-sheet-2.png"]
    assert sorted(tmp_path.iterdir()) == sheets
    first, second = (np.asarray(Image.open(sheet).convert("RGB")) for sheet in sheets)
    assert first.shape[0] > 4 * second.shape[0]
    assert (second != 255).any()


def test_few_images_take_one_sheet_of_the_map_that_is_asked_for(tmp_path: Path) -> None:
    entries = Explanations((3, 3), [entry("1.jpg", target="hat"), entry("2.jpg")])
    (sheet,) = write_sheets(tmp_path, entries, ("cam",), LIMITS)
    (both,) = write_sheets(tmp_path / "both", entries, METHODS, LIMITS)
    assert sheet.name == "contact-sheet.png"
    with Image.open(sheet) as one, Image.open(both) as two:
        assert one.width < two.width
