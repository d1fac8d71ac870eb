"""What Keras makes is kept in the cache, a bounded number of it where that is asked for."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest

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


def test_a_lasting_artifact_is_the_same_for_other_versions(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*, lasting: bool) -> Path:
        arguments = {"features": 2}
        return artifacts.made("area", {"n": 1}, TINY, arguments, "x.xml", lasting=lasting).folder

    first = [made(lasting=lasting) for lasting in (True, False)]
    assert first[0] == artifacts.place("area", {"n": 1}) != first[1]
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "99")
    assert made(lasting=True) == first[0]
    assert artifacts.existing("area", {"n": 1}) is None
    assert own_cache in first[0].parents
