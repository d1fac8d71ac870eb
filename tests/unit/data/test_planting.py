"""Which images carry a mark, and which are kept clean."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.data.planting import held_out, planted
from manyheads.errors import DataError
from tests.laws.test_folds_law import made

LABELS = [0] * 40 + [1] * 21
ALL = np.arange(len(LABELS))


def test_the_images_are_pinned_by_their_content() -> None:
    # Others would ask for new backbone passes from everyone.
    dataset = made(LABELS, list(range(len(LABELS))))
    assert planted(dataset, ALL[:40], 0.1).tolist() == [14, 15, 20, 29]


def test_every_class_has_its_share() -> None:
    dataset = made(LABELS, list(range(len(LABELS))))
    chosen = planted(dataset, ALL, 0.5)
    assert np.bincount(dataset.labels[chosen]).tolist() == [20, 11]
    assert planted(dataset, ALL, 1.0).tolist() == ALL.tolist()


def test_as_many_of_each_class_are_kept_clean() -> None:
    dataset = made(LABELS, list(range(len(LABELS))))
    clean = held_out(dataset, ALL, 7)
    assert np.bincount(dataset.labels[clean]).tolist() == [7, 7]
    assert len(held_out(dataset, ALL, 0)) == 0


@pytest.mark.parametrize("count", [21, 30])
def test_a_class_must_have_images_left(count: int) -> None:
    dataset = made(LABELS, list(range(len(LABELS))))
    with pytest.raises(DataError, match="21 of 'b'"):
        held_out(dataset, ALL, count)


def test_one_large_unit_cannot_be_kept_clean_in_part() -> None:
    dataset = made(LABELS, [0] * 40 + list(range(100, 121)))
    with pytest.raises(DataError, match="40 of 'a'"):
        held_out(dataset, ALL, 5)
