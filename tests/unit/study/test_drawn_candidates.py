"""Candidates drawn from ranges: the same ones everywhere, all different, kept in study.toml."""

from __future__ import annotations

import pickle
import tomllib
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from manyheads import Range
from manyheads.errors import RunError, SettingError
from manyheads.study.draw_table import draw_tables
from manyheads.study.drawn_candidates import DrawnCandidates, candidates_of
from manyheads.study.space import Candidates, Grid
from manyheads.study.study_changes import differences, draws_more
from manyheads.study.study_document import Resolved, read_study, study_document, to_toml
from manyheads.study.study_settings import StudySettings

ASKED: dict[str, Any] = {
    "learning_rate": ["1e-4..1e-1"],
    "size_inner": [Range(50, 400)],
    "droprate": ["0..0.8"],
    "optimizer": ["adam", "sgd"],
    "momentum": ["0..0.9"],
}
RESOLVED = Resolved(content="c", weights="w", weights_source="s", classes=("a",), versions={})


def drawn(count: int = 40, seed: int | None = None, **asked: Any) -> DrawnCandidates:
    found = candidates_of(ASKED | asked, count, seed)
    assert isinstance(found, DrawnCandidates)
    return found


def document(grid: Candidates, **changes: Any) -> dict[str, Any]:
    return study_document(StudySettings(data="photos", grid=grid, **changes), RESOLVED)


def test_the_draw_is_the_same_everywhere() -> None:
    first = [tuple(asdict(each).values())[:3] for each in drawn(4)]
    assert first == [
        (0.000108, 82, 0.089), (0.00342, 233, 0.489), (0.0193, 138, 0.289), (0.000609, 393, 0.689),
    ]  # fmt: skip


def test_more_candidates_begin_with_the_same_ones_and_another_seed_draws_others() -> None:
    assert drawn(100).rows[:40] == drawn(40).rows
    assert not set(drawn(40, 1).rows) & set(drawn(40).rows)


def test_candidates_differ_and_cover_their_ranges() -> None:
    found = drawn(64)
    assert len(set(found.rows)) == len(found) == 64
    assert found.varying == ("learning_rate", "size_inner", "droprate", "optimizer", "momentum")
    places = np.log10([each.learning_rate for each in found])
    assert np.histogram(places, bins=np.linspace(-4, -1, 9))[0].tolist() == [8] * 8
    assert sum(each.optimizer == "sgd" for each in found) == 32
    assert found.droprate == tuple(sorted(found.droprate))
    assert pickle.loads(pickle.dumps(found)) == found


def test_what_has_no_effect_is_neutral() -> None:
    found = drawn(size_inner=[0, Range(50, 400)])
    assert all(each.momentum == 0 for each in found if each.optimizer == "adam")
    assert all(each.droprate == 0 for each in found if each.size_inner == 0)
    assert sum(each.size_inner == 0 for each in found) > 10


def test_no_candidate_is_another_under_another_name() -> None:
    asked = {"optimizer": ["adam", "adamw"], "weight_decay": [0, "1e-5..1e-2"], "momentum": [0]}
    found = drawn(**asked)
    assert all(each.weight_decay for each in found if each.optimizer == "adamw")
    lists = {"learning_rate": [0.1], "size_inner": [0, 4, 5], "droprate": [0.2, 0.4]}
    five = candidates_of(lists, 5)
    assert {(each.size_inner, each.droprate) for each in five} == {
        (0, 0.0), (4, 0.2), (4, 0.4), (5, 0.2), (5, 0.4),
    }  # fmt: skip
    with pytest.raises(SettingError, match="`candidates` to be at most 5,"):
        candidates_of(lists, 6)


@pytest.mark.parametrize(
    ("asked", "count", "words"),
    [
        (
            {},
            None,
            "`candidates`, the number to draw, .*, found 0.0001..0.1 without it",
        ),
        ({}, 1, "`candidates` to be a whole number from 2 to 10000, found 1"),
        ({}, 10_001, "found 10001"),
        ({"learning_rate": [0.1, 0.1]}, 9, "each learning_rate once"),
        ({"learning_rate": []}, 9, "at least one learning_rate"),
        ({"optimizer": ["adam"]}, 9, "no momentum with another optimizer"),
    ],
)
def test_what_cannot_be_drawn_is_refused(asked: Any, count: Any, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        candidates_of(ASKED | asked, count)


@pytest.mark.parametrize(("count", "words"), [(7, "`candidates` to be at most 6,"), (3, "")])
def test_lists_alone_are_drawn_from_where_they_have_enough(count: int, words: str) -> None:
    lists = {"learning_rate": [0.1, 0.2], "size_inner": [4], "droprate": [0.0, 0.2, 0.4]}
    if words:
        with pytest.raises(SettingError, match=words):
            candidates_of(lists, count)
    else:
        assert len(candidates_of(lists, count)) == count


def test_one_setting_is_nothing_to_draw_from_and_a_seed_needs_a_draw() -> None:
    one = {"learning_rate": [0.1], "size_inner": [4], "droprate": [0.0]}
    with pytest.raises(SettingError, match="found one candidate; give a range"):
        candidates_of(one, 2)
    with pytest.raises(SettingError, match="`draw_seed` 3 alone"):
        candidates_of(one, None, 3)
    assert candidates_of(one) == Grid((0.1,), (4,), (0.0,))


def test_study_toml_keeps_the_draw_and_gives_it_back() -> None:
    grid = drawn(12, 5, augmented_copies=["0..7"])
    made = document(grid)
    assert made["grid"]["learning_rate"] == ["0.0001..0.1"]
    assert made["draw"]["candidates"] == 12
    assert made["draw"]["seed"] == 5
    assert made["draw"]["augmented_copies"] == [each.augmented_copies for each in grid]
    settings, _ = read_study(tomllib.loads(to_toml(made)))
    assert settings.grid == grid
    assert differences(made, document(settings.grid)) == []


def test_the_values_in_study_toml_count_not_those_that_would_be_drawn_now() -> None:
    made = document(drawn(12))
    made["draw"]["learning_rate"][3] = 0.0123
    assert read_study(made)[0].grid[3].learning_rate == 0.0123
    (line,) = differences(made, document(drawn(12)))
    assert line.startswith("draw.learning_rate: ")


def test_a_grid_has_no_table_of_draws() -> None:
    grid = Grid((0.1,), (4,), (0.0, 0.5))
    assert draw_tables(grid) == {}
    assert "draw" not in document(grid)


@pytest.mark.parametrize(
    "damage", [{"candidates": 11}, {"learning_rate": [0.1]}, {"learning_rate": [99.0] * 12}]
)
def test_a_damaged_draw_is_an_error(damage: dict[str, Any]) -> None:
    made = document(drawn(12))
    made["draw"] |= damage
    with pytest.raises(RunError, match=r"study\.toml that this version"):
        read_study(made)


def test_only_what_was_asked_is_told_of_two_studies_that_differ() -> None:
    assert differences(document(drawn(12)), document(drawn(13))) == ["draw.candidates: 12 → 13"]
    changed = document(drawn(12, droprate=["0..0.5"]))
    assert differences(document(drawn(12)), changed) == ["grid.droprate: 0..0.8 → 0..0.5"]


def test_a_study_goes_on_with_more_candidates_of_the_same_draw() -> None:
    small, large = document(drawn(12)), document(drawn(20))
    assert draws_more(small, large)
    assert not draws_more(large, small)
    assert not draws_more(small, document(drawn(20, 1)))
    assert not draws_more(small, document(drawn(20), seeds=2))
    assert not draws_more(small, document(Grid((0.1,), (4,), (0.0, 0.5))))
    prune = [document(drawn(count), prune=3) for count in (12, 20)]
    assert not draws_more(*prune)  # rungs are of all candidates at once


def test_the_number_of_epochs_may_be_settled_later() -> None:
    settings = StudySettings(data="photos", grid=drawn(12), usual_epochs=True)
    settled = settings.for_training_on(100)
    assert settled.grid.epochs == (250,)
    assert [replace(each, epochs=30) for each in settled.grid] == list(drawn(12))
