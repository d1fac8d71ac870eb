"""What tests of fits are made of: a search that is soon over, on a backbone that costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from manyheads.run.fit import image_options, near_duplicates
from manyheads.run.fit.fit_settings import search_grid
from manyheads.study.space import Grid
from tests.studies import free_backbone


def search_few(patch: pytest.MonkeyPatch, *learning_rates: float) -> None:
    """Let fits try two settings of twenty epochs for each learning rate, in the place of forty."""

    def grid(copies: int) -> Grid:
        return Grid(
            learning_rates, (0, 6), (0.2,), augmented_copies=search_grid(copies).augmented_copies,
            learning_rate_schedule=("cosine",), epochs=(20,),
        )  # fmt: skip

    patch.setattr(image_options, "search_grid", grid)


@contextmanager
def free_fits(patch: pytest.MonkeyPatch, compared: int = 0) -> Iterator[None]:
    """Fits that try two settings, on a backbone that costs nothing.

    Near-duplicates are looked for among so many images at most: generated ones are all alike.
    """
    search_few(patch, 0.05)
    patch.setattr(near_duplicates, "MOST", compared)
    with free_backbone(patch):
        yield
