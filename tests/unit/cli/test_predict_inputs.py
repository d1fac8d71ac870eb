"""Which images `manyheads predict` means by its arguments."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from manyheads.cli.predict_inputs import Inputs
from manyheads.data.data_settings import TableSettings
from manyheads.data.image_places import PlacedImage
from manyheads.errors import DataError


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for name in ("b.png", "a.PNG", "below/c.jpg", "notes.txt"):
        (folder / name).write_text("")
    return folder


def names(*given: str) -> list[str]:
    return [image.path for image in Inputs(list(given))]


def listed(monkeypatch: pytest.MonkeyPatch, text: bytes, *, null: bool = False) -> list[str]:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    return [image.path for image in Inputs(["-"], null=null)]


def test_files_folders_and_globs(photos: Path) -> None:
    assert names("photos/b.png") == ["photos/b.png"]
    assert names("photos") == ["photos/a.PNG", "photos/b.png", "photos/below/c.jpg"]
    assert names("photos/") == names("photos")
    assert names("photos/*.png") == ["photos/b.png"]
    assert names("photos/**/*.jpg") == ["photos/below/c.jpg"]
    assert names(str(photos / "b.png")) == [str(photos / "b.png")]


def test_a_quoted_glob_finds_folders_too(photos: Path) -> None:
    assert names("photos/*") == ["photos/a.PNG", "photos/b.png", "photos/below/c.jpg"]
    assert names("phot*") == names("photos")
    (photos / "empty").mkdir()
    with pytest.raises(DataError, match=r"no image in 'photos/emp\*'"):
        names("photos/emp*")


def test_folders_come_in_the_order_of_their_names(photos: Path) -> None:
    for name in ("below.png", "Below.png", "below-.png"):
        (photos / name).write_text("")
    images = (path for path in photos.rglob("*") if path.suffix.lower() in (".png", ".jpg"))
    assert names(str(photos)) == list(map(str, sorted(images)))


def test_a_link_to_a_folder_above_is_no_endless_search(photos: Path) -> None:
    (photos / "below" / "loop").symlink_to(photos, target_is_directory=True)
    (photos / "below" / "d.png").symlink_to(photos / "b.png")
    assert names("photos/below") == ["photos/below/c.jpg", "photos/below/d.png"]


def test_a_file_is_meant_once_and_in_the_order_given(photos: Path) -> None:
    del photos
    assert names("photos/below", "photos", "photos/b.png") == [
        "photos/below/c.jpg", "photos/a.PNG", "photos/b.png"
    ]  # fmt: skip


def test_a_name_with_the_signs_of_a_glob_is_itself(photos: Path) -> None:
    (photos / "b.png").rename(photos / "x[1].png")
    assert names("photos/x[1].png") == ["photos/x[1].png"]


@pytest.mark.parametrize(
    "pattern", ["photos", "photos/*", "photos/**", "photos/*/*", "photos/**/*"]
)
def test_a_pattern_passes_over_what_a_folder_does(photos: Path, pattern: str) -> None:
    for name in ("@eaDir/t.png", "@eaDir/deep/t.png", "runs/a/study.toml", "runs/a/curves.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_text("")
    for name in ("b.png", "a.PNG"):
        (photos / name).rename(photos / "below" / name)
    (photos / "below" / "Thumbs.db").write_text("")
    inputs = Inputs([pattern])
    assert [Path(image.path).name for image in inputs] == ["a.PNG", "b.png", "c.jpg"]
    assert "1 system file" in inputs.left_out
    assert "1 system folder (@eaDir)" in inputs.left_out
    assert "1 folder that manyheads has written (a)" in inputs.left_out


def test_linked_folders_are_searched_and_a_file_is_meant_once(photos: Path) -> None:
    elsewhere = photos.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "z.png").write_text("")
    (photos / "linked").symlink_to(elsewhere)
    (photos / "z.png").symlink_to(elsewhere / "z.png")
    inputs = Inputs(["photos", "elsewhere", "./photos/b.png"])
    assert [image.path for image in inputs] == [
        "photos/a.PNG", "photos/b.png", "photos/below/c.jpg", "photos/linked/z.png"
    ]  # fmt: skip
    assert "1 link to an image that is read already (z.png)" in inputs.left_out


def test_a_file_that_is_named_is_read_whatever_its_name(photos: Path) -> None:
    (photos / "._b.png").write_text("")
    assert names("photos/._b.png", "photos/notes.txt") == ["photos/._b.png", "photos/notes.txt"]


def test_a_folder_without_an_image_says_what_it_holds(photos: Path) -> None:
    (photos / "docs").mkdir()
    (photos / "docs" / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"no image in 'photos/docs' \(1 of 1 files") as caught:
        Inputs(["photos/docs"])
    assert "1 file that is no image (a.txt)" in caught.value.found
    (photos / "study.toml").write_text("")
    with pytest.raises(DataError, match="a run folder that manyheads has written"):
        Inputs(["photos"])


@pytest.mark.parametrize(
    "given",
    ["nothing.png", "photos/*.webp", "empty", "", "x" * 5000, "a\0b", "~nobody-of-that-name"],
)
def test_what_leads_to_no_file_is_an_error(photos: Path, given: str) -> None:
    (photos.parent / "empty").mkdir()
    with pytest.raises(DataError, match="expected an image, a folder of images or a glob"):
        Inputs(["photos/b.png", given])


def test_a_manifest_with_and_without_labels(photos: Path) -> None:
    manifest = photos / "list.csv"
    manifest.write_text("path,label\nb.png,cat\nabsent.png,\nb.png, dog \n")
    inputs = Inputs([str(manifest)])
    assert inputs.labelled
    where = str(photos)
    assert list(inputs) == [
        PlacedImage(f"{where}/b.png", "cat"),
        PlacedImage(f"{where}/absent.png", None),
        PlacedImage(f"{where}/b.png", "dog"),
    ]
    manifest.write_text("path\nb.png\n")
    inputs = Inputs([str(manifest)])
    assert not inputs.labelled
    assert list(inputs) == [PlacedImage(f"{where}/b.png")]


def test_a_manifest_whose_first_image_has_no_label(photos: Path) -> None:
    (photos / "list.csv").write_text("path,label\nb.png,\na.PNG,cat\n")
    assert Inputs(["photos/list.csv"]).labelled


def test_a_parquet_manifest(photos: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"path": ["b.png"], "label": ["cat"]})
    parquet.write_table(table, photos / "list.parquet")
    assert list(Inputs(["photos/list.parquet"])) == [PlacedImage("photos/b.png", "cat")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file\nb.png\n", "the column path, once, .* did you mean `path_column` file"),
        ("path,path\nb.png,b.png\n", "the column path, once, "),
        ("path,x\n\nb.png\n ,1\n", "row 4"),
        ("path,label\n,cat\n", "a path in row 2"),
    ],
)
def test_a_manifest_that_is_none(photos: Path, text: str, told: str) -> None:
    (photos / "list.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        list(Inputs(["photos/list.csv"]))


def test_a_list_on_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listed(monkeypatch, b"a.jpg\n\nsub/b c.jpg\r\nlast.jpg") == [
        "a.jpg", "sub/b c.jpg", "last.jpg"
    ]  # fmt: skip
    assert listed(monkeypatch, b"a\nb.jpg\0c.jpg\0", null=True) == ["a\nb.jpg", "c.jpg"]
    odd = b"\xff.jpg\n"
    assert [os.fsencode(name) for name in listed(monkeypatch, odd)] == [b"\xff.jpg"]
    assert listed(monkeypatch, b"") == []
    many = b"".join(b"%d.jpg\n" % number for number in range(50_000))
    assert listed(monkeypatch, many) == [f"{number}.jpg" for number in range(50_000)]
    with pytest.raises(DataError, match="one list on stdin"):
        Inputs(["-", "-"])


def test_the_options_of_a_table(photos: Path) -> None:
    (photos.parent / "ids.csv").write_text("id,kind\nb,cat\nb,NA\nabsent,None\n")
    with pytest.raises(DataError, match="did you mean `path_column` id"):
        Inputs(["ids.csv"])
    with pytest.raises(DataError, match=r"did you mean `images_in` photos `suffix` \.png"):
        Inputs(["ids.csv"], table=TableSettings(path_column="id"))
    table = TableSettings(path_column="id", label_column="kind", images_in="photos", suffix=".png")
    inputs = Inputs(["ids.csv"], table=table)
    assert inputs.labelled
    assert list(inputs) == [
        PlacedImage("photos/b.png", "cat"), PlacedImage("photos/b.png", "NA"),
        PlacedImage("photos/absent.png", None),
    ]  # fmt: skip
