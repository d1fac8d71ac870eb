"""How often studies whose truth is known are told that what differs does not, and the contrary."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy.special import bdtrik

from benchmarks.parts.chance import Shape, World, made_up, true_differences
from manyheads.stats.comparisons import compare

STUDIES = 200
# Heads that are right about nearly every image: of few, nothing is seen to differ at all.
EASY = World(image=0.6, liking=0.1, seed=0.02, rest=0.2)
truth = lru_cache(None)(true_differences)


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize(
    ("images", "shift"), [(15, -0.5), (30, -0.35), (60, -0.3), (100, -0.3), (341, -0.22)]
)
def test_neither_differences_nor_equivalence_are_made_of_few_easy_images(
    images: int, shift: float
) -> None:
    """Candidate 1 is worse by more than the margins; 2 and 3 are alike."""
    apart = truth(EASY, shift)
    assert apart["accuracy"] < -0.012
    assert apart["log_loss"] > 0.03
    random, shape = np.random.default_rng(images), Shape(candidates=3, seeds=4, images=images)
    alike = different = 0
    for _ in range(STUDIES):
        entries = compare(made_up(random, EASY, shape, shift), advise=False).entries
        alike += any(entry.first == 1 and entry.outcome == "equivalent" for entry in entries)
        different += any(
            entry.outcome == "better" or (entry.first, entry.outcome) == (2, "worse")
            for entry in entries
        )
    most = bdtrik(0.999, STUDIES, 0.05)  # what 5 % give in 999 of 1,000 such tests
    assert alike <= most
    assert different <= most


def test_equivalence_is_found_where_images_suffice() -> None:
    random, shape = np.random.default_rng(0), Shape(candidates=2, seeds=4, images=2000)
    studies = (made_up(random, EASY, shape) for _ in range(40))
    entries = [entry for study in studies for entry in compare(study, advise=False).entries]
    assert sum(entry.outcome == "equivalent" for entry in entries) > 0.9 * len(entries)
