"""What a check for shortcuts may be asked, and the conditions that it comes to."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.data.marks import Mark
from manyheads.errors import SettingError
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings, last_layer_of
from manyheads.study.space import Grid
from tests.studies import study_settings


def settings(**changes: Any) -> ShortcutSettings:
    given = {"study": study_settings(), "target": "dog", "mark": Mark()}
    return ShortcutSettings(**(given | changes))


def test_control_and_marked_are_always_there() -> None:
    assert [condition.name for condition in settings().conditions] == ["control", "marked"]
    assert [condition.planted for condition in settings().conditions] == ["none", "class"]


def test_every_remedy_is_a_condition() -> None:
    asked = settings(dropblock=0.5, random_erasing=0.25, everywhere=True, clean=5)
    names = ["control", "marked", "dropblock", "random_erasing", "everywhere"]
    assert [condition.name for condition in asked.conditions] == names
    assert list(asked.condition_words) == [*names, "last_layer"]
    candidate = asked.study.grid[1]
    patches, pixels, everywhere = (
        condition.setting(candidate) for condition in asked.conditions[2:]
    )
    assert (patches.dropblock, patches.droprate) == (0.5, candidate.droprate)
    assert (pixels.random_erasing, pixels.augmented_copies) == (0.25, 3)
    assert everywhere == candidate
    assert asked.conditions[4].planted == "all"


def test_a_last_layer_has_no_inner_layer() -> None:
    assert last_layer_of(settings().study.grid[0]).size_inner == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0}, "`share` to be a number above 0"),
        ({"share": 1.5}, "share"),
        ({"dropblock": 1}, "dropblock"),
        ({"random_erasing": -0.1}, "random_erasing"),
        ({"augmented_copies": 0}, "`augmented_copies` to be a whole number from 1"),
        ({"clean": -1}, "clean"),
        ({"margin": 0}, "margin"),
        ({"study": study_settings(folds=3)}, "given validation images"),
        (
            {"study": study_settings(grid=Grid((0.01,), (4,), (0.0,), dropblock=(0.0, 0.5)))},
            "candidates without what is a remedy here",
        ),
    ],
)
def test_what_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        settings(**wrong)
