"""Marks on images: what each looks like, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.core.settings import digest
from manyheads.data.marks import FORMS, POSITIONS, Mark
from manyheads.errors import ImageError, SettingError
from tests.strategies import distinct_image, encoded

CONTENT = hashlib.sha256(b"an image").hexdigest()
GREY = np.full((60, 60, 3), 128, np.uint8)
DRAWN = [form for form in FORMS if form != "file"]


def picture(mode: str = "RGBA", colour: tuple[int, ...] = (0, 200, 0, 255)) -> bytes:
    return encoded(Image.new(mode, (20, 10), colour))


@pytest.mark.parametrize("form", DRAWN)
def test_every_mark_is_seen(form: str) -> None:
    marked = Mark.usual(form)(GREY, CONTENT)
    assert marked.shape == GREY.shape
    assert marked.dtype == np.uint8
    assert (marked != GREY).any()


@pytest.mark.parametrize(
    ("position", "row", "column"),
    [
        ("top-left", 0, 0), ("top-right", 0, 2), ("bottom-left", 2, 0), ("bottom-right", 2, 2),
        ("centre", 1, 1),
    ],
)  # fmt: skip
def test_it_is_where_it_should_be(position: str, row: int, column: int) -> None:
    covered = Mark(form="patch", position=position).covered(60, CONTENT)
    thirds = covered.reshape(3, 20, 3, 20).any(axis=(1, 3))
    assert np.argwhere(thirds).tolist() == [[row, column]]


def test_a_random_position_depends_on_the_content_alone() -> None:
    mark = Mark(form="patch", position="random")
    places = {tuple(np.argwhere(mark.covered(60, f"{number:064x}"))[0]) for number in range(50)}
    assert len(places) > 40
    assert (mark.covered(60, CONTENT) == mark.covered(60, CONTENT)).all()


@pytest.mark.parametrize("size", [0.2, 0.5, 1.0])
def test_its_size_is_a_share_of_the_side(size: float) -> None:
    for form in ("patch", "logo"):
        rows = Mark(form=form, size=size).covered(60, CONTENT).any(axis=1)
        assert rows.sum() == pytest.approx(60 * size, abs=1)


def test_opacity_mixes_colours() -> None:
    marked = Mark(form="patch", colour="#ff0000", opacity=0.5)(GREY, CONTENT)
    assert marked[30, 30].tolist() == [192, 64, 64]


def test_a_tint_covers_all_and_a_border_the_edge() -> None:
    assert Mark.usual("tint").covered(60, CONTENT).all()
    border = Mark.usual("border").covered(60, CONTENT)
    assert border[0].all()
    assert not border[3:57, 3:57].any()


@pytest.mark.parametrize("text", ["I", "MMMMMMMMMM", "Ä g"])
def test_any_text_fits_into_the_image(text: str) -> None:
    assert Mark(form="text", text=text, size=1.0)(GREY, CONTENT).shape == GREY.shape


def test_a_picture_keeps_its_proportions_and_what_is_transparent() -> None:
    mark = Mark.usual("file", picture=picture(), size=0.5)
    assert mark.covered(60, CONTENT).sum() == 30 * 15
    assert mark(GREY, CONTENT)[30, 30].tolist() == [0, 200, 0]
    clear = Mark.usual("file", picture=picture(colour=(0, 200, 0, 0)))
    assert (clear(GREY, CONTENT) == GREY).all()
    assert Mark.usual("file", picture=picture("RGB", (0, 200, 0))).covered(60, CONTENT).any()


def test_a_picture_is_known_by_its_bytes() -> None:
    mark = Mark.usual("file", picture=picture())
    assert mark.digest == hashlib.sha256(picture()).hexdigest()
    assert mark == Mark.usual("file", picture=picture())
    other = Mark.usual("file", picture=picture(colour=(0, 0, 0, 255)))
    assert digest(mark) != digest(other)
    assert "picture" not in asdict(mark)


def test_the_picture_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(picture())
    assert Mark.of_file(path, position="top-left") == Mark.usual(
        "file", picture=picture(), position="top-left"
    )
    for data in (b"", b"no image", encoded(distinct_image("a", 30), "PNG")[:200]):
        path.write_bytes(data)
        with pytest.raises(ImageError, match=r"logo\.png"):
            Mark.of_file(path)
    with pytest.raises(ImageError, match="to read"):
        Mark.of_file(tmp_path / "none.png")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"form": "smudge"}, "one of logo, patch"),
        ({"position": "left"}, "one of top-left"),
        ({"size": 0}, "above 0"),
        ({"size": 1.1}, "to 1"),
        ({"opacity": 0}, "above 0"),
        ({"colour": "mauvish"}, "such as #d81b60"),
        ({"text": " "}, "1 to 40 letters"),
        ({"text": "x" * 41}, "1 to 40 letters"),
        ({"text": "a\nb"}, "1 to 40 letters"),
        ({"form": "file"}, "without one"),
        ({"picture": b"x"}, "with one"),
    ],
)
def test_what_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Mark(**wrong)


def test_words_tell_marks_apart() -> None:
    marks = [Mark.usual(form) for form in DRAWN]
    marks += [replace(marks[0], position=position) for position in POSITIONS[:4]]
    marks += [replace(marks[0], opacity=0.5), replace(marks[0], size=0.1)]
    assert len({mark.words() for mark in marks}) == len(marks)
