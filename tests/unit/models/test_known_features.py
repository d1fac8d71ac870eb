"""The feature cache as predictions use it: what is known, and what is not worth an error."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import DiskError
from manyheads.features.cache import FeatureCache
from manyheads.models.known_features import KnownFeatures
from tests.unit.features.fakes import content, recipe, rows

pytestmark = pytest.mark.usefixtures("own_cache")


def test_what_extraction_has_kept_is_found() -> None:
    names, numbers = [content(n) for n in range(4)], rows(4)
    with FeatureCache(recipe()) as cache:
        cache.add(names[:2], numbers[:2])
        cache.add_failure(names[2], "an empty file")
    known = KnownFeatures(recipe())
    found = known.find(names)
    assert set(found) == set(names[:3])
    np.testing.assert_array_equal(found[names[1]], numbers[1])
    assert found[names[2]] == "an empty file"
    known.add({names[3]: numbers[3]})  # behind what is mapped
    np.testing.assert_array_equal(known.find([names[3]])[names[3]], numbers[3])
    known.add_failure(content("x"), "no image")
    known.close()
    with FeatureCache(recipe()) as cache:
        assert cache.rows(names[3:]).tolist() == [2]
        assert cache.failures([content("x")]) == {content("x"): "no image"}


def test_without_a_recipe_nothing_is_known(own_cache: Path) -> None:
    known = KnownFeatures(None)
    known.add({content(1): rows(1)[0]})
    known.add_failure(content(2), "no image")
    assert known.find([content(1), content(2)]) == {}
    known.close()
    assert not own_cache.exists()


def test_a_disk_that_refuses_is_said_once_and_done_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise DiskError("to write it", "no space left", "free some space")

    known = KnownFeatures(recipe())
    monkeypatch.setattr(FeatureCache, "add", full)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            known.add({content(number): rows(1)[0]})
    assert caplog.text.count("without the feature cache") == 1
    assert known.find([content(1)]) == {}
