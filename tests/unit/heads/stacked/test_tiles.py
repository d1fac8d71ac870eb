"""Which heads meet in a tile, and how large tiles are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from manyheads.heads.bank import HeadSettings
from manyheads.heads.stacked.tiles import (
    Capacity,
    Shape,
    Tile,
    samples_a_call,
    shape_of,
    steps_a_call,
    stream_of,
    tiles_of,
)
from tests.banks import generated_fold, settings

FOLDS = (generated_fold(), generated_fold(90, 21, 4, seed=1))
CAPACITY = Capacity(lanes=2, parameters=8_000, call=1 << 40)
LESSON = Shape(
    matrix=0, features=2048, width=100, classes=10, batch_size=32, steps=96, validation=352,
    sgd=False, bounded=False,
)  # fmt: skip

heads_of_banks = some.lists(
    some.builds(
        settings,
        seed=some.integers(0, 3),
        fold=some.integers(0, 1),
        epochs=some.integers(1, 3),
        size_inner=some.sampled_from([0, 5, 16]),
        droprate=some.sampled_from([0.0, 0.5]),
        mixup=some.sampled_from([0.0, 0.2]),
    ),
    max_size=40,
)


@given(heads_of_banks)
def test_every_head_has_one_place_among_heads_of_its_shape(heads: list[HeadSettings]) -> None:
    tiles = list(tiles_of(heads, FOLDS, CAPACITY))
    assert sorted(head for tile in tiles for head, _, _ in tile.heads) == list(range(len(heads)))
    for tile in tiles:
        assert len(tile.places) == tile.slots
        assert all(len(slot) == tile.lanes == CAPACITY.lanes for slot in tile.places)
        for slot in tile.places:
            assert {shape_of(heads[head], FOLDS[heads[head].fold]) for head in slot} == {tile.shape}
            assert len({stream_of(heads[head]) for head in slot}) == 1
        for head, slot, lane in tile.heads:
            assert tile.places[slot][lane] == head


@given(heads_of_banks)
def test_the_size_of_a_tile_depends_on_its_shape_alone(heads: list[HeadSettings]) -> None:
    for tile in tiles_of(heads, FOLDS, CAPACITY):
        assert (tile.slots, tile.lanes) == (CAPACITY.slots(tile.shape), CAPACITY.lanes)


def test_halves_hold_the_heads_of_the_whole() -> None:
    tile = Tile(LESSON, 4, 2, ((0, 1), (2,), (3, 4)))
    halves = list(tile.halved())
    assert [half.slots for half in halves] == [2, 2]
    assert [half.taken for half in halves] == [((0, 1), (2,)), ((3, 4),)]
    assert not list(Tile(LESSON, 1, 2, ((0, 1),)).halved())


@pytest.mark.parametrize("memory", [10**8, 10**9, 10**10])
def test_a_tile_fits_into_the_memory(memory: int) -> None:
    capacity = Capacity(lanes=8, parameters=1 << 26, call=1 << 40, memory=memory)
    slots = capacity.slots(LESSON)
    assert slots == 1 or slots * capacity.slot_bytes(LESSON) <= memory
    assert capacity.slots(LESSON) <= replace(capacity, memory=memory * 2).slots(LESSON)


def test_what_heads_say_of_many_samples_bounds_a_tile() -> None:
    capacity = Capacity(lanes=8, parameters=1 << 26, call=1 << 40)
    many = LESSON._replace(validation=100_000, classes=1000)
    assert capacity.slots(many) == 1


@pytest.mark.parametrize("units", [1, 5, 33, 100, 129, 512, 1000, 65_536])
def test_units_are_padded_by_a_sixteenth_at_most(units: int) -> None:
    width = shape_of(settings(size_inner=units), FOLDS[0]).width
    assert units <= width < units * (1 + 1 / 16) + 4
    assert width % 4 == 0


@given(some.integers(1, 10**14), some.booleans())
def test_the_runs_of_an_epoch_are_equal_and_cover_it(call: int, by_rows: bool) -> None:
    tile = Tile(LESSON, 4, 8, ((0,),))
    steps = steps_a_call(tile, call, by_rows=by_rows)
    assert 1 <= steps <= LESSON.steps
    assert -(-LESSON.steps // steps) * steps < LESSON.steps + steps
    samples = samples_a_call(tile, call)
    assert samples % 32 == 0
    assert 32 <= samples <= LESSON.validation
