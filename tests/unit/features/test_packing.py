"""From a pack into the cache: what is there stays, and nothing is added of a pack that is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.data.columns import Digests
from manyheads.errors import DataError, Interrupted, SettingError
from manyheads.features.cache import FeatureCache
from manyheads.features.packing import unpack, write_pack
from tests.jobs import stopped_job
from tests.packs import RECIPE, VALUES, small_pack

CONTENTS = list(small_pack().contents)


@pytest.fixture(autouse=True)
def cache(own_cache: Path) -> Path:
    """A cache that is empty."""
    return own_cache


def written(folder: Path, storage: str = "f32", **changes: Any) -> Path:
    write_pack(folder / "p.safetensors", replace(small_pack(), **changes), np.arange(6), storage)
    return folder / "p.safetensors"


def cached() -> dict[str, np.ndarray]:
    with FeatureCache(RECIPE) as cache:
        rows, matrix = cache.rows(CONTENTS), cache.matrix()
        return {c: matrix[row] for c, row in zip(CONTENTS, rows.tolist(), strict=True) if row >= 0}


def test_images_are_found_by_their_content(tmp_path: Path) -> None:
    found = unpack(written(tmp_path))
    assert (found.added, found.known, found.recipe) == (6, 0, RECIPE)
    np.testing.assert_array_equal(np.stack(list(cached().values())), VALUES)
    again = unpack(tmp_path / "p.safetensors")
    assert (again.added, again.known) == (0, 6)


def test_labels_are_not_needed(tmp_path: Path) -> None:
    assert unpack(written(tmp_path, listing=None)).added == 6


def test_one_content_is_added_once(tmp_path: Path) -> None:
    contents = Digests.of([CONTENTS[0], *CONTENTS[:5]])
    found = unpack(written(tmp_path, contents=contents, features=VALUES[[0, 0, 1, 2, 3, 4]]))
    assert found.added == 5


def test_what_the_cache_has_stays(tmp_path: Path) -> None:
    near = VALUES[:2] * np.float32(1 + 1e-5)  # as another machine computes it
    with FeatureCache(RECIPE) as cache:
        cache.add(CONTENTS[:2], near)
    found = unpack(written(tmp_path))
    assert (found.added, found.known) == (4, 2)
    np.testing.assert_array_equal(cached()[CONTENTS[0]], near[0])


def test_other_features_of_an_image_are_refused(tmp_path: Path) -> None:
    with FeatureCache(RECIPE) as cache:
        cache.add(CONTENTS[5:], VALUES[5:] + 1)
    with pytest.raises(DataError, match="by up to 1, of 1 image; "):
        unpack(written(tmp_path))
    assert list(cached()) == CONTENTS[5:]


def test_another_number_of_features_is_refused(tmp_path: Path) -> None:
    with FeatureCache(RECIPE) as cache:
        cache.add(["00" * 32], np.zeros((1, 4), np.float32))
    with pytest.raises(DataError, match="found 3 features instead of 4"):
        unpack(written(tmp_path))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"features": np.full_like(VALUES, np.inf)}, "finite numbers in row 0"),
        ({"recipe": RECIPE.described | {"view": 3}}, "found other settings"),
        ({"recipe": RECIPE.described | {"pooling": "grid"}}, "found other settings"),
        ({"recipe": RECIPE.described | {"alteration": {"copy": 1}}}, "found other settings"),
        ({"recipe": RECIPE.described | {"storage": "f16"}}, "found other settings"),
        ({"recipe": RECIPE.described | {"sharpened": True}}, "a recipe that this version"),
    ],
)
def test_packs_that_do_not_do_leave_no_trace(
    tmp_path: Path, cache: Path, changes: dict[str, Any], found: str
) -> None:
    with pytest.raises(DataError, match=found):
        unpack(written(tmp_path, **changes))
    assert not (cache / "features").exists()


def test_half_precision_stays_out_of_the_cache(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match="as the cache keeps them exactly, found float16"):
        unpack(written(tmp_path, "f16"))
    assert not (cache / "features").exists()


def test_what_half_precision_cannot_hold_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="features up to 65504"):
        written(tmp_path, "f16", features=VALUES * np.float32(1e6))
    assert list(tmp_path.iterdir()) == []


def test_a_stop_is_heard(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        unpack(written(tmp_path), stopped_job())
