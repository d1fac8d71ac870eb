"""Whatever is in a file of features: it is read, or refused in one line."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from manyheads.data.feature_files import open_features, read_matrix
from manyheads.data.feature_packs import NO_CHECKSUM, checksum, read_pack
from manyheads.errors import DataError
from manyheads.features.packing import write_pack
from tests.fuzz import damaged, outcome
from tests.packs import VALUES, small_pack

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no forks on Windows")


def outcomes(file: Path, count: int, *, mended: bool = False) -> Counter[str]:
    """What became of the data set in `file`, damaged so many times; with `mended` checksums."""
    whole, chance, found = file.read_bytes(), random.Random(7), Counter[str]()

    def read() -> None:
        open_features(file, ["features"])
        read_matrix(file, ["features"])

    for _ in range(count):
        data = damaged(whole, chance)
        file.write_bytes(_with_checksum(file, data) if mended else data)
        found[outcome(read, DataError)] += 1
    return found


def _with_checksum(file: Path, data: bytes) -> bytes:
    """The bytes with the checksum that is right of them, if there is still a place for it."""
    file.write_bytes(data)
    try:
        return data.replace(NO_CHECKSUM.encode(), checksum(file).encode(), 1)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
        return data


@pytest.mark.when_changed("feature files")
def test_damaged_packs_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.safetensors"
    write_pack(file, small_pack(), np.arange(6))
    assert set(outcomes(file, 60)) <= {"refused", "read"}  # a damage may change nothing


@pytest.mark.when_changed("feature files")
def test_forged_packs_are_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.safetensors"
    write_pack(file, small_pack(), np.arange(6))
    stated = read_pack(file) and checksum(file)
    file.write_bytes(file.read_bytes().replace(stated.encode(), NO_CHECKSUM.encode(), 1))
    found = outcomes(file, 60, mended=True)
    assert set(found) == {"refused", "read"}


@pytest.mark.when_changed("feature files")
def test_damaged_arrays_are_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.npz"
    np.savez(file, features=VALUES, label=["a", "b"] * 3, split=["train"] * 4 + ["val"] * 2)
    found = outcomes(file, 60)
    assert set(found) == {"refused", "read"}
