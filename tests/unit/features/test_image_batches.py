"""Images come in their order, in whole batches, decoded a bounded number ahead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from manyheads.core.job import Job
from manyheads.core.machine import cores
from manyheads.errors import ImageError
from manyheads.features.image_batches import image_batches

SIZE = 4


def load(item: int) -> np.ndarray:
    if item % 5 == 3:
        raise ImageError("an image", f"none in {item}", "give one")
    return np.full((2, 2, 3), item, np.uint8)


def test_what_is_refused_leaves_no_gap() -> None:
    refused: dict[int, str] = {}
    found = list(
        image_batches(
            range(12), load, SIZE, refused=lambda item, error: refused.update({item: error.found})
        )
    )
    assert [items for items, _ in found] == [[0, 1, 2, 4], [5, 6, 7, 9], [10, 11]]
    for items, pixels in found:
        np.testing.assert_array_equal(pixels, np.stack([load(item) for item in items]))
    assert refused == {3: "none in 3", 8: "none in 8"}


def test_no_more_are_drawn_than_a_batch_and_one_per_thread_ahead() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        while drawn < 1000:
            drawn += 1
            yield 0

    batches = image_batches(items(), load, SIZE, refused=lambda *_: None)
    next(batches)
    assert drawn < 2 * SIZE + cores()
    batches.close()


def test_no_batch_follows_a_request_to_stop() -> None:
    job = Job()
    batches = image_batches(range(100), lambda _: load(0), SIZE, refused=lambda *_: None, job=job)
    next(batches)
    job.stop()
    assert list(batches) == []


def test_another_failure_is_raised() -> None:
    def broken(_: int) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(image_batches(range(3), broken, SIZE, refused=lambda *_: None))
