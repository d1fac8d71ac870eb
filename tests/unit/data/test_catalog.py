"""Data sets by name: complete or not there, fetched once, and clear about what went wrong."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from manyheads.core import download
from manyheads.data import catalog
from manyheads.data.dataset import open_dataset
from manyheads.errors import DataError, DiskError, DownloadError, Interrupted
from tests.jobs import HeardJob, stopped_job
from tests.unit.data.test_archives import ARCHIVE, FILES, packed
from tests.unit.servers import Site, serving


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """A cache of the test's own, still without a folder."""
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0))
    return tmp_path / "cache"


@pytest.fixture
def site(monkeypatch):
    """A server in the place of the archive's home, with a small archive."""
    monkeypatch.setitem(catalog._ARCHIVES, "clothing", ARCHIVE)
    with serving(Site({ARCHIVE.address: packed(FILES)})) as site:
        monkeypatch.setenv("MANYHEADS_CATALOG_URL", f"{site.url}/")
        yield site


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".complete"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def nothing_left(cache: Path) -> bool:
    return [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_the_names():
    assert catalog.names() == ("clothing", "digits")
    assert catalog.nearest("Clothng") == "clothing"
    assert catalog.nearest("mnist") is None
    with pytest.raises(DataError, match="'digit', which is close to 'digits'"):
        catalog.locate("digit")


class TestArchive:
    def test_fetched_once_and_whole(self, site, empty_cache):
        job = HeardJob()
        folder = catalog.locate("clothing", job=job)
        assert folder == empty_cache / "datasets" / "clothing"
        assert contents(folder) == FILES
        assert catalog.locate("clothing") == folder
        assert site.requests == [(f"/{ARCHIVE.address}", None)]
        assert job.steps("fetching the data set")[-1][0] == len(site.files[ARCHIVE.address])
        assert list((empty_cache / "downloads").glob("*.gz*")) == [
            empty_cache / "downloads" / "name.tar.gz.lock"
        ]

    @pytest.mark.usefixtures("site")
    def test_opens_by_name(self):
        dataset = open_dataset("clothing")
        assert dataset.name == "clothing"
        assert dataset.layout == "split folders"
        assert not dataset.ignored
        assert dataset.classes == ("hat", "t-shirt")

    def test_interrupted_half_way_and_resumed(self, site):
        half = len(site.files[ARCHIVE.address]) // 4
        site.drops = [half] * 3
        with pytest.raises(DownloadError, match="continues where it stopped"):
            catalog.locate("clothing")
        assert contents(catalog.locate("clothing")) == FILES
        assert site.requests[-1][1] == f"bytes={3 * half}-"

    def test_a_server_without_ranges(self, site):
        site.ranges = False
        site.drops = [100]
        assert contents(catalog.locate("clothing")) == FILES

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (packed(FILES)[:-300], "a damaged one"),
            (b"<html>sorry</html>", "a damaged one"),
            (packed(FILES | {"train/hat/0.jpg": b"other"}), "with the digest"),
        ],
    )
    def test_a_wrong_archive_leaves_nothing_and_the_next_call_helps(
        self, site, empty_cache, data, message
    ):
        good = site.files[ARCHIVE.address]
        site.files[ARCHIVE.address] = data
        with pytest.raises(DownloadError, match=message):
            catalog.locate("clothing")
        assert nothing_left(empty_cache)
        site.files[ARCHIVE.address] = good
        assert contents(catalog.locate("clothing")) == FILES

    def test_a_full_disk_costs_no_second_download(self, site, monkeypatch):
        from manyheads.data import archives

        real = archives._copy

        def full(*_: object) -> str:
            raise DiskError("to write", "no space left on device", "free some space")

        monkeypatch.setattr(archives, "_copy", full)
        with pytest.raises(DiskError):
            catalog.locate("clothing")
        monkeypatch.setattr(archives, "_copy", real)
        assert contents(catalog.locate("clothing")) == FILES
        assert len(site.requests) == 1

    def test_not_found(self, site, empty_cache):
        site.files.clear()
        with pytest.raises(DownloadError, match="HTTP status 404"):
            catalog.locate("clothing")
        assert nothing_left(empty_cache)

    def test_no_network(self, monkeypatch):
        monkeypatch.setenv("MANYHEADS_CATALOG_URL", "http://127.0.0.1:1")
        with pytest.raises(DownloadError, match="check the network"):
            catalog.locate("clothing")

    def test_its_home_is_the_default(self, monkeypatch):
        asked = []

        def refuse(url: str, *_: object, **__: object) -> None:
            asked.append(url)
            raise DownloadError("a network in this test", "none", "do without")

        monkeypatch.delenv("MANYHEADS_CATALOG_URL", raising=False)
        monkeypatch.setattr(catalog, "download", refuse)
        with pytest.raises(DownloadError):
            catalog.locate("clothing")
        assert asked == [
            "https://codeload.github.com/alexeygrigorev/clothing-dataset-small/tar.gz/1196151"
        ]


class TestDigits:
    def test_the_images(self):
        dataset = open_dataset("digits")
        assert len(dataset) == 1797
        assert dataset.classes == tuple("0123456789")
        assert {path.suffix for path in dataset.paths} == {".png"}
        dataset.require_trainable()

    def test_the_pixels_are_scikit_learns(self):
        import numpy as np
        from PIL import Image
        from sklearn.datasets import load_digits

        folder = catalog.locate("digits")
        images, labels = load_digits(return_X_y=True)
        for number in (0, 1, 900, 1796):
            image = Image.open(folder / str(labels[number]) / f"{number:04d}.png")
            assert image.mode == "L"
            expected = np.round(images[number].reshape(8, 8) * 255 / 16)
            np.testing.assert_array_equal(np.asarray(image), expected)

    def test_their_content_is_pinned(self):
        # Other bytes would be divided otherwise, and every figure in the guides would change.
        assert open_dataset("digits").content == (
            "7911460e637c7f164d733e85b40a724a591c1afc561d7d0d10a045fd5b394d57"
        )

    def test_they_are_written_once(self):
        folder = catalog.locate("digits")
        before = (folder / "0" / "0000.png").stat().st_mtime_ns
        catalog.locate("digits")
        assert (folder / "0" / "0000.png").stat().st_mtime_ns == before

    @pytest.mark.when_changed("data")
    @pytest.mark.parametrize("harm", ["marker", "image", "crash"])
    def test_an_incomplete_folder_is_made_again(self, empty_cache, harm):
        if harm == "crash":
            leftover = empty_cache / "datasets" / ".digits-crashed"
            (leftover / "0").mkdir(parents=True)
        else:
            folder = catalog.locate("digits")
            (folder / (".complete" if harm == "marker" else "0/0000.png")).unlink()
        folder = catalog.locate("digits")
        assert len(contents(folder)) == 1797
        assert sorted(path.name for path in folder.parent.iterdir()) == ["digits", "digits.lock"]

    @pytest.mark.when_changed("data")
    def test_two_processes_at_once(self):
        context = multiprocessing.get_context("spawn")
        with context.Pool(2) as pool:
            folders = pool.map(catalog.locate, ["digits"] * 2)
        assert folders[0] == folders[1]
        assert len(contents(folders[0])) == 1797

    def test_a_set_stop_interrupts(self):
        job = stopped_job()
        with pytest.raises(Interrupted):
            catalog.locate("digits", job=job)

    def test_a_cache_that_cannot_be_written(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("not a folder")
        monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "file"))
        with pytest.raises(DiskError):
            catalog.locate("digits")
