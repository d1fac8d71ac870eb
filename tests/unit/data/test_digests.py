"""Digests of files and of trees."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

from manyheads.data.digests import digests_of, tree_digest
from manyheads.data.paths import Paths
from manyheads.errors import DataError
from tests.files import read_all


def read(paths):
    parts = digests_of(Paths.of(paths), np.arange(len(paths)))
    return [digest for _, digests in parts for digest in digests]


def test_digests_are_of_the_whole_bytes(tmp_path):
    contents = [b"", b"a", b"x" * (3 << 20)]
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(content)
    assert read(paths) == [hashlib.sha256(content).hexdigest() for content in contents]


def test_only_the_files_asked_for_are_read_in_their_order(tmp_path):
    paths = [tmp_path / str(number) for number in range(300)]
    for number, path in enumerate(paths):
        if number % 2:
            path.write_bytes(str(number).encode())
    odd = np.arange(1, 300, 2)
    parts = list(digests_of(Paths.of(paths), odd))
    assert np.concatenate([rows for rows, _ in parts]).tolist() == odd.tolist()
    assert [digest for _, digests in parts for digest in digests] == read_all(paths[1::2])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"to read .*gone\.png, found no such file"):
        read([tmp_path / "gone.png"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_forbidden_file_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(DataError, match="permission denied"):
        read([tmp_path / "a.png"])


def test_a_tree_is_its_names_and_contents_in_no_order():
    files = [("a", "1"), ("b", "2")]
    assert tree_digest(files) == tree_digest(reversed(files))
    assert len({tree_digest(f) for f in (files, files[:1], [("a", "2"), ("b", "1")], [])}) == 4
