"""Digests of files and of trees."""

from __future__ import annotations

import hashlib
import os

import pytest

from manyheads.data.digests import file_digests, tree_digest
from manyheads.errors import DataError


def test_digests_are_of_the_whole_bytes(tmp_path):
    contents = [b"", b"a", b"x" * (3 << 20)]
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(content)
    expected = tuple(hashlib.sha256(content).hexdigest() for content in contents)
    assert file_digests(paths) == expected


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"to read .*gone\.png, found no such file"):
        file_digests([tmp_path / "gone.png"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_forbidden_file_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(DataError, match="permission denied"):
        file_digests([tmp_path / "a.png"])


def test_a_tree_is_its_names_and_contents_in_no_order():
    files = [("a", "1"), ("b", "2")]
    assert tree_digest(files) == tree_digest(reversed(files))
    assert len({tree_digest(f) for f in (files, files[:1], [("a", "2"), ("b", "1")], [])}) == 4
