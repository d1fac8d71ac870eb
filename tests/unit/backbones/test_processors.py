"""Preparations of images in the words of the hub, as numbers or refused."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.backbones.processors import read_processor
from manyheads.errors import BackboneError
from tests.hub_server import PROCESSOR

SQUARE = {"size": {"height": 224, "width": 224}, "do_center_crop": False}
SHORTEST = {"size": {"shortest_edge": 224}}


@pytest.mark.parametrize(
    ("changes", "size", "resize"),
    [
        (SQUARE, 224, None),
        ({"size": 224, "do_center_crop": None}, 224, None),
        ({**SHORTEST, "crop_size": 224}, 224, "crop"),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}, 224,
         "crop:0.875"),
        ({**SHORTEST, "do_center_crop": False, "crop_pct": 0.875}, 224, "crop:0.875"),
        ({"size": {"shortest_edge": 384}, "do_center_crop": False, "crop_pct": 0.875}, 384, None),
        ({**SQUARE, "do_center_crop": True, "crop_size": 224}, 224, None),
    ],
)  # fmt: skip
def test_images_become_squares(changes: dict[str, Any], size: int, resize: str | None) -> None:
    found = read_processor(PROCESSOR | changes, "a/b")
    assert (found.size, found.resize) == (size, resize)


@pytest.mark.parametrize(
    ("changes", "words", "mean", "std"),
    [
        ({}, "mean=0.5,0.5,0.5,std=0.25,0.25,0.25", 127.5, 63.75),
        ({"do_normalize": False}, "mean=0,0,0,std=1,1,1", 0.0, 255.0),
        ({"do_rescale": False, "do_normalize": False}, None, 0.0, 1.0),
        ({"rescale_factor": 1 / 127.5, "image_mean": [1, 1, 1], "image_std": [1, 1, 1]},
         "mean=0.5,0.5,0.5,std=0.5,0.5,0.5", 127.5, 127.5),
    ],
)  # fmt: skip
def test_pixels_become_numbers(
    changes: dict[str, Any], words: str | None, mean: float, std: float
) -> None:
    found = read_processor(PROCESSOR | changes, "a/b").normalisation
    assert words in (None, found.words)
    assert found.mean == pytest.approx((mean,) * 3, abs=1e-5)
    assert found.std == pytest.approx((std,) * 3, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"do_pad": True}, "only fields that are known"),
        ({"rescale_offset": True}, "rescale_offset"),
        ({"resample": 5}, "resample as one of 0 to 4"),
        ({"resample": None}, "resample"),
        ({"size": {"longest_edge": 224}}, "height and width, or shortest_edge"),
        ({"size": {"height": 224, "width": 192}}, "a square as the size"),
        ({"size": "large"}, "a size in pixels"),
        ({"size": None}, "a size that images are resized to"),
        ({"do_resize": False}, "a size that images are resized to"),
        ({**SHORTEST, "do_center_crop": False}, "a crop to a square"),
        ({**SHORTEST, "crop_size": 256}, "a crop_size of at most 224"),
        ({"size": {"height": 64, "width": 64}}, "squashed, or cropped, but not both"),
        ({"image_mean": [0.5, 0.5]}, "three numbers as image_mean"),
        ({"image_std": [0, 1, 1]}, "above 0"),
        ({"image_std": ["a", 1, 1]}, "image_std as a number"),
        ({"rescale_factor": True}, "rescale_factor as a number"),
        ({"size": {"shortest_edge": 25.5}}, "whole pixels"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        read_processor(PROCESSOR | changes, "a/b")
