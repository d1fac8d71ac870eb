"""A file of arrays tells the digest of its arrays, or that it is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from manyheads.modelfiles import arrays

SOME = [np.arange(n + 1, dtype=np.float32).reshape(1, -1) for n in range(12)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.safetensors"


def test_the_file_has_the_digest_of_what_it_holds(file: Path) -> None:
    told = arrays.save(file, SOME, {"source": "here"})
    assert told == arrays.stored_digest(file) == arrays.digest(SOME)


def test_the_order_is_that_of_the_arrays_not_of_their_bytes(file: Path) -> None:
    # Equal kinds lie in the order of their names; "10" comes before "2" there.
    save_file({str(n): array for n, array in enumerate(SOME)}, file)
    assert arrays.stored_digest(file) == arrays.digest(SOME)


def test_another_byte_is_another_digest(file: Path) -> None:
    told = arrays.save(file, SOME, {})
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert arrays.stored_digest(file) != told


@pytest.mark.parametrize("length", [0, 5, 40, -1])
def test_a_file_that_is_not_whole_is_refused(file: Path, length: int) -> None:
    arrays.save(file, SOME, {})
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises((ValueError, OSError)):
        arrays.stored_digest(file)
