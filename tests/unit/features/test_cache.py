from __future__ import annotations

import errno
import gc
import json
import logging
import resource
import sqlite3
import tracemalloc
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.data.columns import Digests
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DiskError
from manyheads.features import cache as cache_module
from manyheads.features.cache import FeatureCache
from tests.unit.features.fakes import WIDTH, content, recipe, rows

NAMES = [content(number) for number in range(10)]


def stored(cache: FeatureCache, names: list[str]) -> Any:
    found = cache.rows(names)
    assert (found >= 0).all()
    return cache.matrix()[found]


def present(cache: FeatureCache, names: list[str]) -> list[str]:
    """Those of `names` whose features are stored and undamaged."""
    return [name for name, row in zip(names, cache.rows(names), strict=True) if row >= 0]


def test_what_is_stored_is_found_again_by_its_content() -> None:
    with FeatureCache(recipe()) as cache:
        assert present(cache, NAMES) == []
        assert cache.matrix().shape == (0, 0)
        cache.add(NAMES[:4], rows(4))
        cache.add(NAMES[4:], rows(6, seed=1))
    with FeatureCache(recipe()) as cache:
        np.testing.assert_array_equal(stored(cache, NAMES), np.concatenate([rows(4), rows(6, 1)]))
        assert present(cache, [content("other")]) == []
        assert cache.width == WIDTH
        assert cache.known([NAMES[0], content("other")]) == {NAMES[0]}


def test_rows_stay_mapped_and_read_only_after_the_cache_is_closed() -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES, rows(10))
        matrix = cache.matrix()
    with FeatureCache(recipe()) as cache:
        cache.add([content("more")], rows(1, seed=5))
    np.testing.assert_array_equal(matrix, rows(10))
    assert isinstance(matrix, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1


def test_storing_twice_keeps_the_first() -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:2], rows(2))
        cache.add(NAMES[1:3], rows(2, seed=1))
        expected = np.stack([rows(2)[0], rows(2)[1], rows(2, seed=1)[1]])
        np.testing.assert_array_equal(stored(cache, NAMES[:3]), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "other"},
        {"weights": "1" * 64},
        {"image": ImageSettings(size=33, interpolation="nearest")},
        {"image": ImageSettings(size=32, interpolation="bicubic")},
        {"image": ImageSettings(size=32, interpolation="nearest", exif=False)},
        {"image": ImageSettings(size=32, interpolation="nearest", depth=12)},
        {"preprocessing": "other"},
        {"pooling": "max"},
        {"storage": "f16"},
        {"alteration": {"kind": "View", "number": 1}},
        {"runtime": "keras"},
        {"precision": "bf16"},
    ],
)
def test_another_recipe_is_another_cache(change: dict[str, Any]) -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES, rows(10))
        described = json.loads((cache.folder / "recipe.json").read_text())
    assert described["backbone"] == "fake"
    with FeatureCache(recipe(**change)) as cache:
        assert present(cache, NAMES) == []


def test_failures_are_remembered() -> None:
    with FeatureCache(recipe()) as cache:
        cache.add_failure(NAMES[0], "an empty file")
    with FeatureCache(recipe()) as cache:
        assert cache.failures(NAMES) == {NAMES[0]: "an empty file"}
        assert cache.known(NAMES) == {NAMES[0]}
        assert present(cache, NAMES) == []


def test_refusals_of_versions_that_read_fewer_images_count_no_more() -> None:
    with FeatureCache(recipe()) as cache:
        folder = cache.folder
    with closing(sqlite3.connect(folder / "index.sqlite")) as database, database:
        database.execute(
            "CREATE TABLE failures (content TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID"
        )
        database.execute("INSERT INTO failures VALUES (?, 'a decompression bomb')", NAMES[:1])
    with FeatureCache(recipe()) as cache:
        assert cache.known(NAMES) == set()


def test_a_flipped_byte_costs_only_its_row(caplog: pytest.LogCaptureFixture) -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES, rows(10))
        data = cache.folder / "features.f32"
        damaged = int(cache.rows(NAMES)[3])
    flip(data, damaged * WIDTH * 4 + 5)
    with caplog.at_level(logging.WARNING), FeatureCache(recipe()) as cache:
        assert present(cache, NAMES) == NAMES[:3] + NAMES[4:]
        assert "1 damaged" in caplog.text
        cache.add([NAMES[3]], rows(10)[3:4])
        np.testing.assert_array_equal(stored(cache, NAMES), rows(10))


def test_a_truncated_file_costs_only_what_was_cut_off() -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES, rows(10))
        data = cache.folder / "features.f32"
    with data.open("rb+") as file:
        file.truncate(7 * WIDTH * 4 - 1)
    with FeatureCache(recipe()) as cache:
        assert present(cache, NAMES) == NAMES[:6]
        cache.add(NAMES, rows(10))
        np.testing.assert_array_equal(stored(cache, NAMES), rows(10))


def test_a_row_of_another_content_is_not_believed() -> None:
    """As after a crash that lost the index's last transaction but not its file system's."""
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:2], np.stack([rows(1)[0], rows(1)[0]]))
        index = cache._index
        entries = index.find(NAMES[:2])
        index.forget(entries)
        swapped = {NAMES[0]: entries[NAMES[1]], NAMES[1]: entries[NAMES[0]]}
        with index.transaction():
            index.add(swapped)
        assert present(cache, NAMES) == []


@pytest.mark.parametrize("damage", ["noise", "truncated", "text"])
def test_a_damaged_index_is_set_aside(damage: str, caplog: pytest.LogCaptureFixture) -> None:
    with FeatureCache(recipe()) as cache:
        cache.add([content(number) for number in range(3000)], rows(3000))
        before = cache.matrix()
        path = cache.folder / "index.sqlite"
    whole = path.read_bytes()
    if damage == "noise":
        path.write_bytes(whole[:5000] + b"\xa5" * (len(whole) - 5000))
    elif damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_text("this is no database " * 100)
    with caplog.at_level(logging.WARNING), FeatureCache(recipe()) as cache:
        assert "set aside" in caplog.text
        assert present(cache, NAMES) == []
        cache.add(NAMES, rows(10, seed=1))
        np.testing.assert_array_equal(stored(cache, NAMES), rows(10, seed=1))
    assert (path.with_suffix(".damaged")).exists()
    np.testing.assert_array_equal(before, rows(3000))  # whoever had the old rows keeps them


class FullDisk:
    """A file on a disk that has no room after `room` more bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: memoryview) -> int:
        if self._room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._file.write(data[: self._room])
        self._room -= written
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 10, WIDTH * 4 * 2])
def test_a_full_disk_loses_nothing(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:3], rows(3))
        monkeypatch.setattr(cache, "_file", FullDisk(cache._file, room))
        with pytest.raises(DiskError, match="no space left on device; free some space"):
            cache.add(NAMES[3:], rows(7, seed=1))
    with FeatureCache(recipe()) as cache:
        np.testing.assert_array_equal(stored(cache, NAMES[:3]), rows(3))
        assert present(cache, NAMES) == NAMES[:3]
        cache.add(NAMES[3:], rows(7, seed=1))
        np.testing.assert_array_equal(stored(cache, NAMES[3:]), rows(7, seed=1))


def test_a_full_disk_under_the_index_is_a_disk_error_too() -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:3], rows(3))
        cache._index._database.execute("PRAGMA max_page_count = 1")
        names = [content(("more", number)) for number in range(2000)]
        with pytest.raises(DiskError, match="no space left on device"):
            cache.add(names, rows(2000))
    with FeatureCache(recipe()) as cache:
        assert present(cache, names) == []
        np.testing.assert_array_equal(stored(cache, NAMES[:3]), rows(3))


def test_a_limit_of_the_system_on_files_is_a_disk_error() -> None:
    """A real refusal by the operating system, in the middle of a write."""
    import signal

    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:3], rows(3))
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)
        previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, kept[1]))
        try:
            names = [content(("more", number)) for number in range(2000)]
            with pytest.raises(DiskError, match="file too large"):
                cache.add(names, rows(2000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
            signal.signal(signal.SIGXFSZ, previous)
        np.testing.assert_array_equal(stored(cache, NAMES[:3]), rows(3))


def test_the_commit_comes_after_the_data_is_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    synced = cache_module.os.fsync
    with FeatureCache(recipe()) as cache:
        cache._index._database.set_trace_callback(order.append)
        monkeypatch.setattr(
            cache_module.os, "fsync", lambda number: (order.append("fsync"), synced(number))[1]
        )
        cache.add(NAMES, rows(10))
    named = next(turn for turn, text in enumerate(order) if text.startswith("INSERT INTO features"))
    assert order[0] == "BEGIN IMMEDIATE"
    assert order.index("fsync") < named
    assert order[-1] == "COMMIT"


def test_rows_come_in_the_order_of_the_contents_asked_for() -> None:
    names = [content(number) for number in range(2000)]
    with FeatureCache(recipe()) as cache:
        cache.add(names, rows(2000))
        asked = Digests.of([names[1999], content("other"), names[3], *names[::-7], names[3]])
        found = cache.rows(asked)
        position = {name: row for row, name in enumerate(names)}
        assert found.tolist() == [position.get(name, -1) for name in asked]
        assert cache.missing(asked[:3]) == 1


def test_of_many_rows_only_the_damaged_ones_are_missed() -> None:
    names = [content(number) for number in range(2000)]
    asked = [names[row] for row in (*range(0, 1500, 11), *range(1500, 2000))]
    with FeatureCache(recipe()) as cache:
        cache.add(names, rows(2000))
        data = cache.folder / "features.f32"
    for row in (0, 1, 11, 1499, 1507, 1999):
        flip(data, row * WIDTH * 4)
    with FeatureCache(recipe()) as cache:
        missed = set(asked) - set(present(cache, asked))
    assert missed == {names[row] for row in (0, 11, 1507, 1999)}


def peak_of_looking_up(images: int) -> int:
    """Bytes at the peak of finding so many contents."""
    names = Digests.of(content((images, number)) for number in range(images))
    with FeatureCache(recipe()) as cache:
        cache.add(names, np.zeros((images, WIDTH), np.float32))
        gc.collect()
        tracemalloc.start()
        try:
            assert cache.missing(names) == 0
            assert (cache.rows(names) >= 0).all()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.when_changed("workers")
def test_a_content_more_costs_some_hundred_bytes_of_memory() -> None:
    few, many = (peak_of_looking_up(images) for images in (10_000, 20_000))
    assert (many - few) / 10_000 < 250


@pytest.mark.when_changed("studies")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.lists(st.integers(0, 15), unique=True, max_size=6), max_size=8))
def test_any_sequence_of_additions_keeps_the_first_of_each(
    steps: list[list[int]], tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path_factory.mktemp("law")))
    expected: dict[str, Any] = {}
    for turn, step in enumerate(steps):
        names, values = [content(number) for number in step], rows(len(step), seed=turn)
        with FeatureCache(recipe()) as cache:
            cache.add(names, values)
        for name, value in zip(names, values, strict=True):
            expected.setdefault(name, value)
    with FeatureCache(recipe()) as cache:
        names = present(cache, [content(number) for number in range(16)])
        assert set(names) == expected.keys()
        assert len(set(cache.rows(names))) == len(names)
        for name in names:
            np.testing.assert_array_equal(stored(cache, [name])[0], expected[name])


def flip(path: Any, offset: int) -> None:
    with path.open("rb+") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x40]))
