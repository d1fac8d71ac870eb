"""What tests of fits are made of: a search that is soon over."""

from __future__ import annotations

import pytest

from manyheads.run.fit import image_options
from manyheads.run.fit.fit_settings import search_grid
from manyheads.study.space import Grid


def search_few(patch: pytest.MonkeyPatch, *learning_rates: float) -> None:
    """Let fits try two settings of twenty epochs for each learning rate, in the place of forty."""

    def grid(copies: int) -> Grid:
        return Grid(
            learning_rates, (0, 6), (0.2,), augmented_copies=search_grid(copies).augmented_copies,
            learning_rate_schedule=("cosine",), epochs=(20,),
        )  # fmt: skip

    patch.setattr(image_options, "search_grid", grid)
