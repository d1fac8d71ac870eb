"""Which file the text of a path means, and what is said where it means none."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.cell_paths import Finder
from manyheads.data.data_settings import TableSettings
from manyheads.data.remote_path import RemotePath
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


@pytest.mark.parametrize("cell", ["data:image/png;base64,x", "s3:/b/1.jpg", "http:/a.org/1.jpg"])
def test_what_names_no_file_is_refused(photos: Path, cell: str) -> None:
    with pytest.raises(DataError, match=r"write its path, or its address as in s3://"):
        found(photos, cell)


@pytest.mark.parametrize(
    "cell", ["https://a.org/1.jpg?size=2", "HTTP://a/b", "s3://b/a//1.jpg", "abfs://a@b/1.jpg"]
)
def test_an_address_is_taken_as_it_stands(photos: Path, cell: str) -> None:
    finder = Finder(photos / "t.csv", TableSettings())
    assert finder.find(f" {cell} ", 2) == (cell, None)
    assert finder.plain(cell) == cell


def test_an_address_with_a_secret_is_refused_and_not_shown(photos: Path) -> None:
    with pytest.raises(DataError, match="without a secret in row 7") as caught:
        Finder(photos / "t.csv", TableSettings()).find("https://a.org/1.jpg?sig=abcdef", 7)
    assert "abcdef" not in str(caught.value)


def test_paths_in_a_table_at_an_address_lie_beside_it() -> None:
    finder = Finder(RemotePath("s3://b/tables/t.csv"), TableSettings(suffix=".jpg"))
    finder.check()
    assert finder.find("cats/1", 2) == ("s3://b/tables/cats/1.jpg", None)
    assert finder.find("../1.jpg", 2) == ("s3://b/1.jpg", None)
    assert finder.find("https://a.org/1.jpg", 2) == ("https://a.org/1.jpg", None)
    in_folder = Finder(RemotePath("s3://b/t.csv"), TableSettings(images_in="gs://c/d"))
    assert in_folder.find("1.jpg", 2) == ("gs://c/d/1.jpg", None)
    assert finder.advice("1.jpg") is None
    for cell in ("/etc/passwd", "~/a.jpg", "C:\\a.jpg", "\\\\nas\\a.jpg", "file:///a.jpg"):
        with pytest.raises(DataError, match="an address, or a path from s3://b/tables"):
            finder.find(cell, 2)


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
