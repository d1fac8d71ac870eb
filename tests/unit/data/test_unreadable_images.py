"""How many images may be left out because they cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.data.unreadable_images import require_readable, share_of
from manyheads.errors import DataError, SettingError

BAD = {"a.jpg": "it is cut short", "b.jpg": "no image"}


@pytest.mark.parametrize(
    ("given", "share"), [("1%", 0.01), ("0.5 %", 0.005), (0.25, 0.25), ("0", 0.0), (None, None)]
)
def test_a_share_is_a_number_or_a_percentage(given: Any, share: float | None) -> None:
    assert share_of("max_unreadable", given) == share


@pytest.mark.parametrize("given", ["101%", "-1", 1.5, "some", "%", "1 percent"])
def test_no_share(given: Any) -> None:
    with pytest.raises(SettingError, match="`max_unreadable` to be a number from 0 to 1"):
        share_of("max_unreadable", given)


@pytest.mark.parametrize("most", [None, 0.02, "2%", 1.0])
def test_as_many_as_may_be(most: Any) -> None:
    require_readable(BAD, 100, most=most)
    require_readable({}, 100, strict=True)


def test_more_than_may_be() -> None:
    words = (
        r"at most 1 % of 100 images to be unreadable, found a\.jpg: it is cut short and 1 more; "
    )
    with pytest.raises(DataError, match=words + r".* raise `max_unreadable`"):
        require_readable(BAD, 100, most="1%")
    with pytest.raises(DataError, match=r"every image to be readable.* raise `max_unreadable`"):
        require_readable(BAD, 100, most=0)


def test_none_if_strict_whatever_the_share() -> None:
    with pytest.raises(DataError, match=r"every image to be readable, .* leave out `strict`"):
        require_readable(BAD, 100, strict=True, most=0.5)
