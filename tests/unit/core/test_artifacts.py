"""What Keras makes is kept in the cache, a bounded number of it where that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

from manyheads.core import artifacts
from tests.unit.backbones import child_tasks

TINY = child_tasks.tiny_program


def test_only_what_was_used_last_is_kept(own_cache: Path) -> None:
    def made(number: int) -> Path:
        product = artifacts.made("area", {"n": number}, TINY, {"features": 2}, "x.xml", keep=2)
        os.utime(product.folder / "seal.json", (number, number))
        return product.folder

    folders = [made(number) for number in (1, 2, 3)]
    assert [folder.exists() for folder in folders] == [False, True, True]
    assert artifacts.existing("area", {"n": 1}) is None
    assert own_cache in folders[0].parents
