"""Which of many contents are absent: keys say what the index says, whatever wrote the folder."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.columns import Digests
from manyheads.errors import DiskError
from manyheads.features import cache as cache_module
from manyheads.features import index as index_module
from manyheads.features.cache import FeatureCache
from manyheads.features.content_keys import among
from tests.unit.features.fakes import WIDTH, content, recipe, rows

NAMES = [content(number) for number in range(40)]
FEW = len(NAMES) + 1  # from here on contents are looked up one by one


@pytest.fixture(params=["one by one", "by keys"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_MANY", FEW if request.param == "one by one" else 0)


def keys_file() -> Path:
    with FeatureCache(recipe()) as cache:
        return cache.folder / "contents.u64"


def absent() -> list[int]:
    with FeatureCache(recipe()) as cache:
        return cache.absent(Digests.of(NAMES)).tolist()


@given(st.lists(st.integers(0, 30)), st.lists(st.integers(0, 30)))
def test_a_key_is_among_those_that_are_known(wanted: list[int], known: list[int]) -> None:
    found = among(np.array(wanted, np.uint64), np.array(known, np.uint64))
    assert found.tolist() == [key in known for key in wanted]


@pytest.mark.usefixtures("way")
def test_what_is_stored_or_refused_needs_no_pass() -> None:
    assert absent() == list(range(40))
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[10:20], rows(10))
        cache.add(NAMES[15:25], rows(10))
        cache.add_failure(NAMES[30], "text")
        assert cache.missing(NAMES) == 24
        assert cache.missing([]) == 0
    assert absent() == [*range(10), *range(25, 30), *range(31, 40)]


@pytest.mark.usefixtures("way")
def test_a_row_that_was_found_damaged_needs_a_pass_until_it_is_stored_again() -> None:
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES, rows(40))
        data = cache.folder / "features.f32"
    whole = bytearray(data.read_bytes())
    for row in (3, 39):  # the last one's place is given to the next
        whole[row * WIDTH * 4] ^= 1
    data.write_bytes(whole)
    assert absent() == []
    with FeatureCache(recipe()) as cache:
        assert (cache.rows(NAMES) < 0).sum() == 2
    assert absent() == [3, 39]
    with FeatureCache(recipe()) as cache:
        cache.add([NAMES[39], NAMES[3]], rows(2))
        assert (cache.rows(NAMES) >= 0).all()
    assert absent() == []


@pytest.mark.parametrize("kept", [0, 8 * 3, 8 * 10 + 5])
def test_a_folder_of_a_version_without_keys_is_listed_once(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kept`: the bytes of the keys when that version had added its rows."""
    monkeypatch.setattr(cache_module, "_MANY", 0)
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:20], rows(20))
    file = keys_file()
    os.truncate(file, kept) if kept else file.unlink()
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[20:25], rows(5))  # behind a gap no key is written
    assert not file.exists() or file.stat().st_size == kept
    assert absent() == list(range(25, 40))
    assert file.stat().st_size == 25 * 8


def test_keys_of_rows_that_were_never_named_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_MANY", 0)
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES, rows(40))
    with closing(sqlite3.connect(keys_file().with_name("index.sqlite"))) as index:
        index.execute("DELETE FROM features WHERE position >= 30")
        index.commit()
    assert absent() == sorted(NAMES.index(name) for name in NAMES[30:])
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:29:-1], rows(10))
    assert absent() == []


def test_where_nothing_can_be_written_the_index_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_MANY", 0)
    with FeatureCache(recipe()) as cache:
        cache.add(NAMES[:20], rows(20))
    file = keys_file()
    file.unlink()
    monkeypatch.setattr(cache_module, "is_writable", lambda _: False)
    assert absent() == list(range(20, 40))
    assert not file.exists()


def test_a_large_index_is_looked_through_once_its_use_has_shown_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [content(number) for number in range(3000)]
    with FeatureCache(recipe()) as cache:
        cache.add(names, rows(3000))
        path = cache.folder / "index.sqlite"
    monkeypatch.setattr(index_module, "_CHECKED", 0)
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + b"\xa5" * (len(whole) - half))
    with FeatureCache(recipe()) as cache, pytest.raises(DiskError, match="repeat the command"):
        cache.rows(names)
    with FeatureCache(recipe()) as cache:
        assert cache.missing(names) == 3000
        cache.add(NAMES, rows(40))
    assert path.with_suffix(".damaged").exists()
    assert not path.with_suffix(".suspect").exists()
    monkeypatch.setattr(cache_module, "_MANY", 0)
    assert absent() == []
