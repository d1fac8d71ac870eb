"""The laws of planting a mark: only its area, only its share, and never half a unit."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.dataset import Dataset
from manyheads.data.marks import FORMS, POSITIONS, Mark
from manyheads.data.planting import planted
from tests.laws.test_folds_law import datasets, made
from tests.strategies import distinct_image

shares = st.floats(0.01, 1.0)


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    """A mark of any form but a picture."""
    return Mark(
        form=draw(st.sampled_from([form for form in FORMS if form != "file"])),
        position=draw(st.sampled_from(POSITIONS)),
        size=draw(shares),
        opacity=draw(shares),
    )


@given(marks(), st.integers(32, 80), st.integers(0, 50))
def test_a_mark_changes_its_area_alone_and_not_what_it_was_given(mark, size, number) -> None:
    pixels = np.asarray(distinct_image(str(number), size))
    before, content = pixels.copy(), hashlib.sha256(str(number).encode()).hexdigest()
    marked, covered = mark(pixels, content), mark.covered(size, content)
    assert (pixels == before).all()
    assert (marked == pixels)[~covered].all()
    assert marked.shape == pixels.shape
    assert (mark(pixels, content) == marked).all()


@given(st.integers(1, 60), st.integers(1, 60), shares)
def test_where_images_are_units_the_share_is_exact(first: int, second: int, share: float) -> None:
    labels = [0] * first + [1] * second
    dataset = made(labels, list(range(len(labels))))
    chosen = planted(dataset, np.arange(len(labels)), share)
    counts = np.bincount(dataset.labels[chosen], minlength=2).tolist()
    assert counts == [math.floor(share * each + 0.5) for each in (first, second)]


@given(datasets(groups=True), shares)
def test_units_share_their_mark_and_no_class_has_more_than_its_share(dataset, share) -> None:
    pool = np.arange(len(dataset))
    chosen = planted(dataset, pool, share)
    for label in range(len(dataset.classes)):
        images = pool[dataset.labels == label]
        mine = np.isin(images, chosen)
        assert mine.sum() <= math.floor(share * len(images) + 0.5)
        for unit in np.unique(dataset.units[images]):
            assert len(np.unique(mine[dataset.units[images] == unit])) == 1


@pytest.mark.when_changed("studies")
@given(datasets(), shares, st.randoms(use_true_random=False))
def test_the_order_of_the_files_has_no_part_in_it(dataset: Dataset, share, random) -> None:
    order = list(range(len(dataset)))
    random.shuffle(order)
    moved = made(
        [int(dataset.labels[i]) for i in order], [int(dataset.digests[i], 16) for i in order]
    )
    pool = np.arange(len(dataset))
    before, after = planted(dataset, pool, share), planted(moved, pool, share)
    pairs = [
        sorted((each.digests[image], int(each.labels[image])) for image in chosen)
        for each, chosen in ((dataset, before), (moved, after))
    ]
    assert pairs[0] == pairs[1]
