"""Data sets at addresses: read once, opened again without reading, and without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.core.job import Job
from manyheads.data import remote_files
from manyheads.data.checks import check_dataset
from manyheads.data.data_settings import ImageSettings, TableSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.image_places import place_of
from manyheads.data.images import load_pixels
from manyheads.errors import DataError, DownloadError
from tests.remote_stores import Bucket, pets, picture
from tests.unit.servers import Site, serving

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """The pets in a folder here."""
    for name, data in pets().items():
        file = tmp_path / "local" / "pets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return tmp_path / "local" / "pets"


def lists(bucket: Bucket) -> tuple[int, int]:
    """How many listings and other requests the last opening made."""
    asked = bucket.asked()
    listings = sum("list-type" in each for each in asked)
    return listings, len(asked) - listings


def test_a_bucket_is_the_same_data_set_as_a_folder(bucket: Bucket, local: Path) -> None:
    address = bucket.put({**pets(), "cat/notes.txt": b"no image", ".hidden/1.png": b"x"})
    found, here = open_dataset(address), open_dataset(local)
    assert (found.content, found.name, found.classes) == (here.content, "pets", here.classes)
    assert [found.name_of(n) for n in range(12)] == [here.name_of(n) for n in range(12)]
    assert str(found.paths[0]) == f"{address}/cat/00.png"
    assert "1 file that is no image (notes.txt)" in found.left_out


def test_each_file_is_read_once_and_then_never(bucket: Bucket) -> None:
    address = bucket.put(pets())
    dataset = open_dataset(address)
    assert bucket.read() == [f"pets/{name}" for name in pets()]
    for path in dataset.paths:
        load_pixels(path, ImageSettings(size=32))
    assert not check_dataset(dataset).unreadable
    assert bucket.asked() == []
    assert open_dataset(address).content == dataset.content
    assert lists(bucket) == (3, 0)


def test_a_changed_object_is_read_again_and_no_other(bucket: Bucket) -> None:
    address = bucket.put(pets())
    before = open_dataset(address)
    bucket.put({"cat/03.png": picture(999)})
    after = open_dataset(address)
    assert bucket.read() == ["pets/cat/03.png"]
    differ = [a != b for a, b in zip(before.digests, after.digests, strict=True)]
    assert differ == [n == 3 for n in range(12)]
    assert load_pixels(after.paths[3], ImageSettings(size=32)).any()


def test_check_reads_everything_again(bucket: Bucket) -> None:
    address = bucket.put(pets())
    open_dataset(address)
    bucket.asked()
    open_dataset(address, reread=True)
    assert bucket.read() == [f"pets/{name}" for name in pets()]


def test_copies_are_bounded_and_may_be_none(
    bucket: Bucket, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = bucket.put(pets())
    monkeypatch.setenv("MANYHEADS_REMOTE_COPIES", "0")
    dataset = open_dataset(address)
    assert [*(own_cache / "remote").glob("copies/*/*")] == []
    bucket.asked()
    load_pixels(dataset.paths[1], ImageSettings(size=32))
    assert bucket.read() == ["pets/cat/01.png"]


@pytest.mark.when_changed("data")
def test_a_damaged_copy_is_none(bucket: Bucket, own_cache: Path) -> None:
    dataset = open_dataset(bucket.put(pets()))
    copies = [*(own_cache / "remote").glob("copies/*/*")]
    assert len(copies) == 12
    for file in copies:
        file.write_bytes(file.read_bytes()[:-1])
    bucket.asked()
    load_pixels(dataset.paths[0], ImageSettings(size=32))
    assert bucket.read() == ["pets/cat/00.png"]


def test_without_a_network_what_is_known_is_opened(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = bucket.put(pets())
    before = open_dataset(address)
    bucket.asked()
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    assert open_dataset(address).content == before.content
    for other in (f"{address}/cat", "s3://another/pets", f"{address}/t.csv"):
        with pytest.raises(DownloadError, match="by which no network is to be used"):
            open_dataset(other)
    with pytest.raises(DownloadError):
        place_of(f"{address}/cat/00.png")
    assert bucket.asked() == []


@pytest.mark.when_changed("data")
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "xlsx"])
def test_tables_in_a_bucket(
    bucket: Bucket, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put(pets(3))
    rows = [(f"../pets/{name}", name.partition("/")[0]) for name in pets(3)]
    table = tmp_path / f"t.{form}"
    if form == "csv":
        table.write_text("path,label\n" + "".join(f"{path},{label}\n" for path, label in rows))
    elif form == "jsonl":
        table.write_text("".join(json.dumps({"path": p, "label": n}) + "\n" for p, n in rows))
    elif form == "parquet":
        import pyarrow
        from pyarrow import parquet

        columns = {"path": [p for p, _ in rows], "label": [n for _, n in rows]}
        parquet.write_table(pyarrow.table(columns), table)
    else:
        import openpyxl

        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        for row in [("path", "label"), *rows]:
            sheet.append(row)
        book.save(table)
    address = bucket.put({f"t.{form}": table.read_bytes()}, "tables")
    dataset = open_dataset(f"{address}/t.{form}")
    assert (dataset.name, dataset.layout, len(dataset)) == ("t", "manifest", 6)
    assert dataset.name_of(0) == f"{bucket.address}/pets/cat/00.png"
    bucket.asked()
    assert open_dataset(f"{address}/t.{form}").content == dataset.content
    assert bucket.read() == [f"tables/t.{form}"]
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    assert open_dataset(f"{address}/t.{form}").content == dataset.content
    assert bucket.asked() == []


def test_a_table_here_may_name_addresses(bucket: Bucket, local: Path) -> None:
    address = bucket.put(pets())
    table = local.parent / "t.csv"
    here = "".join(f"pets/dog/{n:02d}.png,dog\n" for n in range(6))
    there = "".join(f"{address}/cat/{n:02d}.png,cat\n" for n in (*range(6), 5))
    table.write_text(f"path,label\n{here}{there}")
    dataset = open_dataset(table)
    assert len(dataset) == 12
    assert "1 repeated row" in dataset.left_out
    assert {dataset.name_of(0), dataset.name_of(6)} == {
        "pets/dog/00.png", f"{address}/cat/00.png"
    }  # fmt: skip
    assert len(bucket.read()) == 6
    assert open_dataset(table).content == dataset.content
    assert bucket.read() == []
    named = TableSettings(images_in=f"{address}/cat")
    table.write_text("path,label\n00.png,a\n01.png,a\n02.png,b\n03.png,b\n")
    assert open_dataset(table, table=named).name_of(0) == f"{address}/cat/00.png"


def test_a_missing_object_is_named(bucket: Bucket, tmp_path: Path) -> None:
    address = bucket.put(pets(1))
    table = tmp_path / "t.csv"
    table.write_text(f"path,label\n{address}/cat/00.png,cat\n{address}/cat/99.png,dog\n")
    with pytest.raises(DataError, match=r"cat/99.png, found nothing there; check the address, or"):
        open_dataset(table)
    for empty in (f"{address}/none", "s3://no-bucket-of-that-name", f"{address}/none.csv"):
        with pytest.raises(DataError, match=r"found (nothing there|no such bucket); check the add"):
            open_dataset(empty)


def test_a_secret_in_a_table_is_never_shown_or_kept(tmp_path: Path, own_cache: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("path,label\nhttps://a.org/1.jpg?X-Amz-Signature=abcdef,cat\n")
    for source in (table, "https://ann:abcdef@a.org/photos", "s3://k:abcdef@b/t.csv"):
        with pytest.raises(DataError, match="without a secret") as caught:
            open_dataset(source)
        assert "abcdef" not in str(caught.value)
    kept = [file.read_bytes() for file in own_cache.rglob("*") if file.is_file()]
    assert not any(b"abcdef" in data for data in kept)


def test_a_path_that_was_an_address_is_explained() -> None:
    with pytest.raises(DataError, match="give it as text: pathlib takes a slash away"):
        open_dataset(Path("s3://bucket/pets"))


def test_a_web_server_with_faults(monkeypatch: pytest.MonkeyPatch, local: Path) -> None:
    monkeypatch.setattr(remote_files, "_FIRST_PAUSE", 0.01)
    files = {f"pets/{name}": data for name, data in pets().items()}
    faults = {"drops": [3, 0, 30], "statuses": []}
    with serving(Site(files, **faults)) as site:
        dataset = open_dataset(f"{site.url}/pets")
        assert dataset.content == open_dataset(local).content
        site.requests.clear()
        site.statuses = [503, 500, 429]
        assert open_dataset(f"{site.url}/pets/").content == dataset.content
        read = [path for path, _ in site.requests if path.endswith(".png")]
        assert [path for path in read if not path.startswith("HEAD ")] == []


def test_names_in_web_addresses_are_decoded() -> None:
    files = {f"{name}/{n}.png": picture(n) for name in ("red%20panda", "cat") for n in range(3)}
    with serving(Site(files)) as site:
        dataset = open_dataset(site.url)
        assert dataset.classes == ("cat", "red panda")
        assert str(dataset.paths[3]) == f"{site.url}/red%20panda/0.png"


def test_a_server_that_tells_no_version_is_read_every_time() -> None:
    files = {f"pets/{name}": data for name, data in pets().items()}
    with serving(Site(files, etag=None)) as site:
        dataset = open_dataset(f"{site.url}/pets")
        site.requests.clear()
        assert open_dataset(f"{site.url}/pets").content == dataset.content
        assert sum(path.startswith("/pets/cat/0") for path, _ in site.requests) == 6


def test_a_web_page_in_place_of_an_image_is_told(tmp_path: Path) -> None:
    page = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>"
    with serving(Site({"1.png": picture(1), "2.png": page, "3.png": picture(3)})) as site:
        table = tmp_path / "t.csv"
        rows = "".join(f"{site.url}/{n}.png,{n % 2}\n" for n in (1, 2, 3))
        table.write_text(f"path,label\n{rows}")
        (unreadable,) = check_dataset(open_dataset(table)).unreadable
    assert unreadable.reason == "a web page (HTML), no image"


def test_what_predictions_are_asked_of(bucket: Bucket) -> None:
    address = bucket.put(pets(2) | {"t.csv": b"path\ncat/00.png\ndog/00.png\n"})
    assert [each.path for each in place_of(address)] == [f"{address}/{name}" for name in pets(2)]
    assert [each.path for each in place_of(f"{address}/t.csv")] == [
        f"{address}/cat/00.png", f"{address}/dog/00.png",
    ]  # fmt: skip
    bucket.asked()
    assert [each.path for each in place_of(f"{address}/cat/00.png")] == [f"{address}/cat/00.png"]
    assert bucket.asked() == []
    with pytest.raises(DataError, match="a glob"):
        place_of(f"{address}/*/00.png")
    with pytest.raises(DataError, match="nothing there"):
        place_of(f"{address}/none")


def test_files_in_memory(local: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    for name, data in pets().items():
        store.pipe_file(f"/pets/{name}", data)
    try:
        dataset = open_dataset("memory://pets", job=Job())
        assert dataset.content == open_dataset(local).content
        assert open_dataset("memory://pets").content == dataset.content
    finally:
        store.rm("/pets", recursive=True)
