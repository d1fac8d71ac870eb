"""The sizes and augmented copies that a fit tries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from manyheads.backbones import registry
from manyheads.errors import BackboneError
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.image_options import EFFORTS, candidate_images, study_of
from manyheads.study.work import Work


def test_sizes_are_around_the_backbones_own_and_none_too_small() -> None:
    pairs = candidate_images(None, registry.get("xception"))
    assert pairs[0] == (448, 1)
    assert [size for size, copies in pairs if not copies] == [448, 374, 299, 224, 150]
    assert len(set(pairs)) == len(pairs)
    small = replace(registry.get("xception"), default_size=100)
    assert min(size for size, _ in candidate_images(None, small)) == 71


def test_a_given_size_is_the_only_one() -> None:
    xception = registry.get("xception")
    assert candidate_images(96, xception) == [(96, 1), (96, 0)]
    fixed = replace(xception, default_size=128, fixed=True)
    assert candidate_images(None, fixed) == [(128, 1), (128, 0)]
    with pytest.raises(BackboneError, match="the only one"):
        candidate_images(96, fixed)


@pytest.mark.parametrize("copies", [0, 1])
def test_the_less_thorough_a_search_the_less_it_trains(copies: int) -> None:
    settings = FitSettings(data="none", backbone="xception")
    works = [Work(study_of(settings, 5, (150, copies), effort)).left.units for effort in EFFORTS]
    assert works == sorted(works, reverse=True)
    assert works[-1] < works[0] / 10
