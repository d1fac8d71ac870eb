"""Thumbnails in memory: sizes, bounds, and what an unreadable file gives."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from manyheads.errors import ImageError, SettingError
from manyheads.web.studio.pictures import SIZES, PictureCache
from tests.strategies import distinct_image


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    distinct_image("photo", 300).resize((600, 300)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("side", SIZES)
def test_a_thumbnail_keeps_the_proportions(photo: Path, side: int) -> None:
    made = PictureCache().thumbnail(photo, "x", side)
    assert Image.open(io.BytesIO(made)).size == (side, side // 2)


def test_other_sizes_are_refused(photo: Path) -> None:
    with pytest.raises(SettingError, match="96, 192, 480"):
        PictureCache().thumbnail(photo, "x", 10_000)


def test_a_thumbnail_is_made_once(photo: Path) -> None:
    cache = PictureCache()
    first = cache.thumbnail(photo, "x", 96)
    photo.unlink()
    assert cache.thumbnail(photo, "x", 96) == first
    with pytest.raises(ImageError):
        cache.thumbnail(photo, "y", 96)


def test_memory_is_bounded_and_what_was_used_last_stays(photo: Path) -> None:
    size = len(PictureCache().thumbnail(photo, "x", 96))
    cache = PictureCache(most=3 * size)
    for name in "abcabd":
        cache.thumbnail(photo, name, 96)
        assert cache.size <= 3 * size
    photo.unlink()
    for name in "abd":
        cache.thumbnail(photo, name, 96)
    with pytest.raises(ImageError):
        cache.thumbnail(photo, "c", 96)


def test_what_is_larger_than_all_of_it_is_made_and_not_kept(photo: Path) -> None:
    cache = PictureCache(most=10)
    assert cache.thumbnail(photo, "x", 96)
    assert cache.size == 0


def test_many_threads_get_the_same(photo: Path) -> None:
    cache = PictureCache()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: cache.thumbnail(photo, str(n % 3), 96), range(60)))
    assert len(set(made)) == 1
    assert cache.size == 3 * len(made[0])
