"""The space of a study: what its candidates and trials are, and which values it refuses."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.study.space import Grid, Trial, Trials, setting_words

LISTS = {
    "learning_rate": st.lists(st.floats(1e-6, 10), min_size=1, max_size=4, unique=True),
    "size_inner": st.lists(st.integers(0, 300), min_size=1, max_size=4, unique=True),
    "droprate": st.lists(st.floats(0, 0.99), min_size=1, max_size=4, unique=True),
}


def test_the_last_hyperparameter_varies_fastest() -> None:
    grid = Grid((0.1, 0.01), (10, 20), (0.0, 0.5))
    values = [(c.learning_rate, c.size_inner, c.droprate) for c in grid]
    assert values == list(product((0.1, 0.01), (10, 20), (0.0, 0.5)))


@given(**LISTS)
def test_a_grid_is_sized_indexed_and_listed_alike(learning_rate, size_inner, droprate) -> None:
    grid = Grid(tuple(learning_rate), tuple(size_inner), tuple(droprate))
    expected = [
        (rate, size, drop)
        for rate, size, drop in product(learning_rate, size_inner, droprate)
        if size or drop == droprate[0]
    ]
    listed = [(c.learning_rate, c.size_inner, c.droprate) for c in grid]
    assert listed == expected
    assert len(grid) == len(expected) == len(set(expected))
    assert [grid[index] for index in range(len(grid))] == list(grid)
    assert grid.merged == len(learning_rate) * len(size_inner) * len(droprate) - len(grid)


def test_without_an_inner_layer_dropout_rates_are_one_candidate() -> None:
    grid = Grid((0.1,), (0, 10), (0.2, 0.5))
    assert [(c.size_inner, c.droprate) for c in grid] == [(0, 0.2), (10, 0.2), (10, 0.5)]
    assert grid.merged == 1
    assert grid.merging == ["without an inner layer, droprate has no effect"]


@pytest.mark.parametrize("index", [-1, 4])
def test_an_index_outside_the_grid_is_refused(index: int) -> None:
    with pytest.raises(IndexError):
        Grid((0.1,), (10, 20), (0.0, 0.5))[index]


def test_only_what_has_several_values_varies() -> None:
    assert Grid((0.1,), (10, 20), (0.0, 0.5)).varying == ("size_inner", "droprate")


def test_text_becomes_numbers() -> None:
    text: Any = ("0.001",), ("100",), ("0", "0.5")
    assert Grid(*text) == Grid((0.001,), (100,), (0.0, 0.5))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("droprate", value) for value in (1.0, -0.1, "abc", float("nan"), "nan", None, True)),
        *(("learning_rate", value) for value in (0, -1, 11, "fast", float("inf"))),
        *(("size_inner", value) for value in (-1, 1.5, "1.5", "many", 65_537, float("nan"))),
    ],
)
def test_a_bad_value_is_named_in_one_line(name: str, value: Any) -> None:
    values = {"learning_rate": (0.1,), "size_inner": (10,), "droprate": (0.5,)} | {name: (value,)}
    with pytest.raises(SettingError) as caught:
        Grid(**values)
    line = str(caught.value)
    assert line.startswith(f"expected `{name}` to be a ")
    assert str(value) in line
    assert "\n" not in line


@pytest.mark.parametrize("name", ["learning_rate", "size_inner", "droprate"])
def test_an_empty_list_is_refused(name: str) -> None:
    values = {"learning_rate": (0.1,), "size_inner": (10,), "droprate": (0.5,)} | {name: ()}
    with pytest.raises(SettingError, match=f"expected at least one {name}, found none"):
        Grid(**values)


def test_a_doubled_value_is_refused_also_in_other_words() -> None:
    same: Any = ("0.50", 0, 0.5)
    with pytest.raises(SettingError, match=r"expected each droprate once, found 0.5 0 0.5"):
        Grid((0.1,), (10,), same)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4))
def test_trials_are_numbered_candidate_by_candidate(candidates, seeds, folds) -> None:
    trials = Trials(candidates, seeds, folds)
    places = product(range(1, candidates + 1), range(seeds), range(folds))
    assert list(trials) == [
        Trial(number=number, candidate=candidate, seed=seed, fold=fold)
        for number, (candidate, seed, fold) in enumerate(places, start=1)
    ]
    assert len(trials) == candidates * seeds * folds
    with pytest.raises(IndexError):
        trials[len(trials)]


def test_a_study_of_too_many_trials_is_refused_without_listing_them() -> None:
    with pytest.raises(SettingError, match=r"at most 1,000,000 trials, .* = 1,000,000,000,000;"):
        Trials(1_000_000, 1_000_000)
    many = tuple(number / 5000 for number in range(1, 1201))
    grid = Grid(many, tuple(range(1, 1201)), (0.5,))
    assert len(grid) == 1200**2
    assert grid[len(grid) - 1].size_inner == 1200
    with pytest.raises(SettingError, match="list fewer values, seeds or folds"):
        Trials(len(grid), 1)
    with pytest.raises(SettingError, match=r"at most 10,000,000 combinations .* 1,728,000,000;"):
        Grid(many, tuple(range(1, 1201)), many)


def test_values_without_effect_are_one_candidate() -> None:
    grid = Grid(
        (0.1,), (0, 8), (0.0, 0.5), optimizer=("adam", "adamw"), weight_decay=(0.0, 0.01),
        max_norm=(0.0, 2.0), droprate_schedule=("constant", "early:3"),
    )  # fmt: skip
    listed = [
        (c.size_inner, c.droprate, c.droprate_schedule, c.weight_decay, c.max_norm, c.optimizer)
        for c in grid
    ]
    heads = [(0, 0.0, "constant", 0.0)]
    heads += [(8, 0.0, "constant", bound) for bound in (0.0, 2.0)]
    schedules = ("constant", "early:3")
    heads += [(8, 0.5, schedule, bound) for schedule in schedules for bound in (0.0, 2.0)]
    decays = ((0.0, "adam"), (0.01, "adamw"))
    assert len(set(listed)) == len(listed)
    assert set(listed) == {
        (size, rate, schedule, decay, bound, optimizer)
        for size, rate, schedule, bound in heads
        for decay, optimizer in decays
    }


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"weight_decay": (0.0, 0.1)}, "choose adamw or sgd"),
        ({"momentum": (0.9,)}, "choose sgd"),
        ({"random_erasing": (0.3,)}, "give augmented_copies"),
        ({"dropblock_size": (2,)}, "give dropblock"),
        ({"size_inner": (0,), "max_norm": (1.0,)}, "give a size_inner"),
        ({"droprate": (0.0,), "droprate_schedule": ("early:3",)}, "give a droprate above 0"),
    ],
)
def test_what_has_no_effect_anywhere_is_refused(given: Any, remedy: str) -> None:
    values = {"learning_rate": (0.1,), "size_inner": (10,), "droprate": (0.5,)} | given
    with pytest.raises(SettingError, match=remedy):
        Grid(**values)
    if len(given) == 1:
        name, listed = next(iter(given.items()))
        with pytest.raises(SettingError, match=remedy):
            Hyperparameters(**{name: listed[-1]})


@pytest.mark.parametrize("others", [(), ("adam",), ("sgd",)])
def test_adamw_without_any_weight_decay_is_refused_with_that_of_keras(others) -> None:
    rest: Any = {"learning_rate": (0.1,), "size_inner": (10,), "droprate": (0.5,)}
    words = r"expected optimizer adam without weight_decay, found adamw; .*0\.004.* choose adam"
    with pytest.raises(SettingError, match=words):
        Grid(**rest, optimizer=("adamw", *others))


def test_adamw_with_and_without_weight_decay_are_two_candidates() -> None:
    grid = Grid((0.1,), (10,), (0.5,), optimizer=("adamw",), weight_decay=(0.0, 0.01))
    assert [each.weight_decay for each in grid] == [0.0, 0.01]


def test_a_schedule_that_never_changes_is_said() -> None:
    schedules = ("constant", "early:2", "early:3", "late:2", "late:3")
    grid = Grid((0.1,), (10,), (0.5,), droprate_schedule=schedules, epochs=(3, 9))
    assert grid.remarks == [
        "droprate_schedule early:3 is constant in 3 epochs",
        "droprate_schedule late:3 hides no unit in 3 epochs",
    ]
    rates = {(each.droprate_schedule, each.epochs): {each.droprate_in(e) for e in range(1, 4)}
             for each in grid if each.epochs == 3}  # fmt: skip
    assert rates["early:3", 3] == {0.5}
    assert rates["late:3", 3] == {0.0}
    assert len(rates["early:2", 3]) == len(rates["late:2", 3]) == 2
    assert Grid((0.1,), (10,), (0.5,)).remarks == []


def test_a_candidate_is_named_by_what_sets_it_apart() -> None:
    grid = Grid((0.01,), (0, 10), (0.5,))
    words = [setting_words(setting, grid.varying) for setting in grid]
    assert words == ["size_inner none", "size_inner 10"]
    assert setting_words(grid[1], ()) == "learning_rate 0.01, size_inner 10, droprate 0.5"
