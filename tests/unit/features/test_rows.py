"""Rows in a file: what they are stored as, and how their damage is found."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from manyheads.errors import SettingError
from manyheads.features.cache import FeatureCache
from manyheads.features.rows import as_stored, checksum, damaged, type_of
from tests.unit.features.fakes import content, recipe

NAMES = [content(number) for number in range(6)]


class Counted(io.BytesIO):
    """A file that remembers the most that was read from it at once."""

    most = 0

    def readinto(self, buffer: Any) -> int:
        self.most = max(self.most, len(buffer))
        return super().readinto(buffer)


def test_half_precision_is_the_nearest_half() -> None:
    features = np.array([[1 / 3, 65504.0, -65504.0, 0.0]], np.float32)
    stored = as_stored(features, "f16")
    assert stored.dtype == np.float16
    assert np.abs(stored - features).max() <= 2.0**-12 * 0.5
    np.testing.assert_array_equal(as_stored(features, "f32"), features)


@pytest.mark.parametrize("large", [65_536.0, -1e6])
def test_what_half_precision_cannot_hold_is_refused(large: float) -> None:
    features = np.array([[1.0, large]], np.float32)
    with pytest.raises(SettingError, match=r"65504.*storage f32"):
        as_stored(features, "f16")
    np.testing.assert_array_equal(as_stored(features, "f32"), features)


def test_a_refused_row_leaves_the_cache_as_it_was() -> None:
    fine = np.ones((2, 3), np.float32)
    with FeatureCache(recipe(storage="f16")) as cache:
        cache.add(NAMES[:2], fine)
        with pytest.raises(SettingError):
            cache.add(NAMES[2:4], np.full((2, 3), 1e5, np.float32))
    with FeatureCache(recipe(storage="f16")) as cache:
        assert cache.known(NAMES) == set(NAMES[:2])
        np.testing.assert_array_equal(cache.matrix()[cache.rows(NAMES[:2])], fine)


def test_another_storage_is_refused() -> None:
    with pytest.raises(SettingError, match="f32, f16"):
        type_of("f64")


def test_long_rows_are_read_a_few_at_a_time() -> None:
    stride = 6 << 20
    rows = [bytes([number]) * stride for number in range(6)]
    checksums = np.array([checksum(*each) for each in zip(NAMES, rows, strict=True)], np.uint32)
    checksums[4] += 1
    file = Counted(b"".join(rows))
    assert list(damaged(file, stride, NAMES, np.arange(6), checksums)) == [4]
    assert stride <= file.most <= 16 << 20
