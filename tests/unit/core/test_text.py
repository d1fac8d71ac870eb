"""Numbers of things."""

from __future__ import annotations

import pytest

from manyheads.core.text import counted


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "image", "0 images"), (1, "image", "1 image"), (2000, "head", "2,000 heads"),
        (1, "class", "1 class"), (2, "class", "2 classes"), (2, "head pass", "2 head passes"),
        (3, "epoch", "3 epochs"), (1, "epoch", "1 epoch"), (4, "box", "4 boxes"),
    ],
)  # fmt: skip
def test_one_thing_is_singular(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words


def test_an_ending_may_be_given() -> None:
    assert counted(2, "ox", "en") == "2 oxen"
