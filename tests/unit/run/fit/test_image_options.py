"""Which sizes and augmented copies a budget has room for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from manyheads.backbones import registry
from manyheads.errors import BackboneError, SettingError
from manyheads.run.fit.image_options import ImageOption, affordable, candidate_images


def _option(size: int, copies: int, seconds: float) -> ImageOption:
    return ImageOption(size=size, copies=copies, passes=100, extraction=seconds, training=0.0)


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


def test_what_is_worth_most_comes_first_and_fills_the_budget() -> None:
    image_options = [
        _option(299, 1, 600),
        _option(299, 0, 300),
        _option(224, 1, 340),
        _option(150, 0, 80),
    ]
    assert affordable(image_options, 1000) == [image_options[0], image_options[3]]
    assert affordable(image_options, 500) == [image_options[1], image_options[3]]
    assert affordable(image_options, 2000) == [image_options[0], image_options[2], image_options[3]]
    assert affordable(image_options, 110) == [image_options[3]]


def test_a_budget_for_nothing_is_refused_with_the_least_that_does() -> None:
    with pytest.raises(
        SettingError,
        match="at least 2m for 100 backbone passes at 150 pixels, found 60s; give a `budget` of 2m",
    ):
        affordable([_option(299, 1, 600), _option(150, 0, 96)], 60)
