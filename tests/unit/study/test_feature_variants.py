"""Which versions of the training images a study needs, and what they take."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.heads.fold import Variant
from manyheads.study.feature_variants import variant_bytes, variants_needed
from manyheads.study.space import Grid
from tests.studies import study_settings


def grid(**lists: Any) -> Grid:
    return Grid((0.01,), (4,), (0.5,), **lists)


@pytest.mark.parametrize(
    ("lists", "needed"),
    [
        ({}, []),
        ({"l2": (0.0, 0.1)}, []),
        ({"augmented_copies": (0, 2)}, [Variant(1), Variant(2)]),
        ({"dropblock": (0.0, 0.5)}, [Variant(grid=True)]),
        (
            {"augmented_copies": (1,), "random_erasing": (0.0, 0.3)},
            [Variant(1, 0.0), Variant(1, 0.3)],
        ),
        (
            {"augmented_copies": (0, 1), "dropblock": (0.0, 0.5)},
            [Variant(0, 0.0, True), Variant(1, 0.0, False), Variant(1, 0.0, True)],
        ),
    ],
)
def test_a_study_needs_what_its_candidates_train_on(
    lists: dict[str, Any], needed: list[Variant]
) -> None:
    assert variants_needed(grid(**lists)) == needed


def test_a_grid_takes_a_features_bytes_for_each_of_its_cells() -> None:
    settings = study_settings(
        grid=grid(dropblock=(0.5,)), image=ImageSettings(size=150), grid_storage="f16"
    )
    assert variant_bytes(settings, Variant(grid=True), 2048) == 5 * 5 * 2048 * 2
    assert variant_bytes(settings, Variant(1), 2048) == 2048 * 4
