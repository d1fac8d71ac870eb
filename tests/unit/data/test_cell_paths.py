"""Which file the text of a path means, and what is said where it means none."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.cell_paths import Finder
from manyheads.data.data_settings import TableSettings
from manyheads.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder" / "images"
    (folder / "cats").mkdir(parents=True)
    names = ("1.jpg", "2.JPG", "cats/b c.png", "x\\y.png", "~/t.png", "~odd.png", " s.png")
    for name in (*names, "caf\u00e9.png", "100%25.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def found(folder: Path, cell: str, **table: Any) -> str | None:
    known = Finder(folder / "t.csv", TableSettings(**table)).find(cell, 2)
    return None if known is None else Path(known[0]).relative_to(folder).as_posix()


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("1.jpg", "1.jpg"), ("  1.jpg\t", "1.jpg"), (" s.png", " s.png"),
        ("cats\\b c.png", "cats/b c.png"), ("x\\y.png", "x\\y.png"), (".\\cats\\b c.png",) * 2,
        ("~/t.png", "~/t.png"), ("~odd.png", "~odd.png"), ("cats/../1.jpg",) * 2,
        (unicodedata.normalize("NFD", "café.png"), "café.png"), ("100%25.png", "100%25.png"),
        ("cats", None), ("", None), ("3.jpg", None), ("b c.png", None), ("1.JPG", None),
    ],
)  # fmt: skip
def test_texts_of_paths(photos: Path, cell: str, name: str | None) -> None:
    at = found(photos, cell)
    assert (at is None) == (name is None)
    if at is not None and name is not None:
        meant = name.replace("\\", "/") if name.startswith(".") else name
        assert (photos / at).samefile(photos / meant)


def test_the_home_folder(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(photos))
    assert found(photos, "~/cats/b c.png") == "cats/b c.png"


def test_file_addresses(photos: Path) -> None:
    for address in ((photos / "cats/b c.png").as_uri(), (photos / "100%25.png").as_uri()):
        assert found(photos, address) in ("cats/b c.png", "100%25.png")
    assert found(photos, f"file://localhost{photos.as_posix().replace(' ', '%20')}/1.jpg")
    assert found(photos, "file://elsewhere/1.jpg") is None


def test_a_folder_and_a_suffix(photos: Path) -> None:
    table = photos.parent / "t.csv"
    finder = Finder(table, TableSettings(images_in="images", suffix=".jpg"))
    assert finder.find("1", 2) == finder.find("1.jpg", 2)
    assert finder.find("1", 2) is not None
    assert finder.plain("1") == str(photos / "1.jpg")
    in_full = Finder(Path("elsewhere/t.csv"), TableSettings(images_in=str(photos)))
    assert in_full.find("1.jpg", 2) is not None
    for name in ("image", "~nobody-of-that-name", "x" * 5000, "a\0b"):
        with pytest.raises(DataError, match=r"the folder that `images_in` names"):
            Finder(table, TableSettings(images_in=name)).check()


@pytest.mark.parametrize(
    "cell", ["https://a.org/1.jpg", "HTTP://a", "s3://b/1.jpg", "gs://b", "data:image/png;base64,x"]
)
def test_addresses_are_refused_by_the_reason(photos: Path, cell: str) -> None:
    with pytest.raises(DataError, match=r"the address .* nothing is fetched; download the images"):
        found(photos, cell)


def advised(folder: Path, cell: str, **table: Any) -> str | None:
    return Finder(folder / "t.csv", TableSettings(**table)).advice(cell)


def test_advice_names_the_options(photos: Path) -> None:
    above = photos.parent
    assert advised(photos, "1") == "did you mean `suffix` .jpg?"
    assert advised(above, "1") == "did you mean `images_in` images `suffix` .jpg?"
    assert advised(above, "1.jpg") == "did you mean `images_in` images?"
    assert advised(above, "1", suffix=".jpg") == "did you mean `images_in` images?"
    assert advised(above.parent, "images/1.jpg") == 'did you mean `images_in` "a folder"?'
    assert advised(photos, "2", suffix=".jpg") == "did you mean `suffix` .JPG?"
    assert advised(above, "1", images_in="images") == "did you mean `suffix` .jpg?"
    assert advised(photos, "nothing") is None
    assert advised(photos, "n\0") is None


def test_advice_knows_paths_of_other_machines(photos: Path) -> None:
    for folder in ("/volume1/ann/cats/", "C:\\ann\\cats\\", "\\\\nas\\ann\\cats\\"):
        cell = f"{folder}b c.png"
        advice = advised(photos, cell)
        assert advice is not None
        assert "'cats/b c.png' lies in" in advice
        before = folder.removesuffix("cats/").removesuffix("cats\\")
        assert f"take {before!r} away from the paths" in advice
    assert (
        advised(photos, "D:\\x.png") == "that is a path of Windows: write it relative to the table"
    )
    assert advised(photos, "1.JPG") == "did you mean '1.jpg'? Upper and lower case differ"
