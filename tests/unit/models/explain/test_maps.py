"""Maps are what their formulas say, and pass the known tests of maps on planted patterns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import rankdata

from manyheads.heads.bank import HeadEnd, HeadSettings
from manyheads.heads.cells import mean_cells
from manyheads.heads.fold import Fold
from manyheads.heads.fused.engine import FusedEngine
from manyheads.heads.head import Parameters, forward, glorot_parameters, inner_output, softmax
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.models.explain.maps import (
    Grid,
    Map,
    activation_map,
    log_odds,
    occlusion_map,
    part_name,
    pooled,
    without_parts,
)

ROWS, COLUMNS, FEATURES, CLASSES = 4, 3, 12, 5
MAPS = pytest.mark.parametrize("make_map", [occlusion_map, activation_map])
SIZES = pytest.mark.parametrize("size_inner", [0, 7])

MakeMap = Callable[[Parameters, Grid, int], Map]


def head_of(size_inner: int, seed: int = 0, features: int = FEATURES) -> Parameters:
    """A head with random weights and biases."""
    random = np.random.default_rng(seed)
    head = glorot_parameters(features, size_inner, CLASSES, random)
    biases = (random.normal(size=array.shape).astype(np.float32) for array in head[1::2])
    return head._replace(inner_bias=next(biases), bias=next(biases))


def grid_of(seed: int = 1) -> Grid:
    """A grid of random features, as a relu leaves them."""
    random = np.random.default_rng(seed)
    return np.maximum(random.normal(size=(ROWS, COLUMNS, FEATURES)), 0).astype(np.float32)


@SIZES
def test_occlusion_is_the_answer_to_the_mean_without_a_cell(size_inner: int) -> None:
    head, grid, target = head_of(size_inner), grid_of(), 2
    cells = grid.reshape(1, ROWS * COLUMNS, FEATURES)
    keep = ~np.eye(ROWS * COLUMNS, dtype=np.bool_)
    without = np.empty((len(keep), FEATURES), np.float32)
    mean_cells(cells, np.zeros(len(keep), np.int64), keep, without)

    def odds(features: np.ndarray) -> np.ndarray:
        p = softmax(forward(head, features).astype(np.float64))[:, target]
        return np.log(p / (1 - p))

    wanted = odds(cells.mean(axis=1)) - odds(without)
    found = occlusion_map(head, grid, target)
    assert (found.dtype, found.shape) == (np.float32, (ROWS, COLUMNS))
    np.testing.assert_allclose(found.ravel(), wanted, rtol=0, atol=1e-5)
    assert np.ptp(wanted) > 0.01


@SIZES
def test_an_image_of_equal_cells_looks_nowhere(size_inner: int) -> None:
    grid = np.broadcast_to(grid_of()[0, 0], (ROWS, COLUMNS, FEATURES))
    found = occlusion_map(head_of(size_inner), grid, 0)
    np.testing.assert_allclose(found, 0, atol=1e-5)


@SIZES
def test_cells_that_change_places_change_places_on_the_maps(size_inner: int) -> None:
    head, grid = head_of(size_inner), grid_of()
    for make_map in (occlusion_map, activation_map):
        found = make_map(head, grid[::-1, ::-1], 1)
        np.testing.assert_allclose(found[::-1, ::-1], make_map(head, grid, 1), atol=1e-5)


@SIZES
def test_the_activation_map_is_the_gradient_along_each_cell(size_inner: int) -> None:
    head, grid, target = head_of(size_inner), grid_of(), 3
    exact, step = Parameters(*(array.astype(np.float64) for array in head)), 1e-6
    x = pooled(grid).astype(np.float64)
    cells = grid.reshape(-1, FEATURES).astype(np.float64)
    ahead, behind = forward(exact, x + step * cells), forward(exact, x - step * cells)
    wanted = (ahead - behind)[:, target] / (2 * step)
    found = activation_map(head, grid, target)
    assert (found.dtype, found.shape) == (np.float32, (ROWS, COLUMNS))
    np.testing.assert_allclose(found.ravel(), wanted, rtol=1e-4, atol=1e-4)


@SIZES
def test_the_activation_map_and_the_biases_make_up_the_logit(size_inner: int) -> None:
    head, grid, target = head_of(size_inner), grid_of(), 4
    x = pooled(grid)[np.newaxis]
    rest = head.bias[target]
    if size_inner:
        active = inner_output(head, x)[0] > 0
        assert 0 < active.sum() < size_inner
        rest += (head.inner_bias * active) @ head.kernel[:, target]
    wanted = forward(head, x)[0, target]
    assert activation_map(head, grid, target).mean() + rest == pytest.approx(wanted, abs=1e-5)


def test_without_an_inner_layer_both_maps_order_the_cells_of_two_classes_alike() -> None:
    head, grid = head_of(0), grid_of()
    two = head._replace(kernel=head.kernel[:, :2].copy(), bias=head.bias[:2])
    two.kernel[:, 1] = 0
    maps = [make_map(two, grid, 0).ravel() for make_map in (occlusion_map, activation_map)]
    np.testing.assert_array_equal(maps[0].argsort(), maps[1].argsort())
    # A linear head loses what the cell has above the others' mean.
    cells = maps[1]
    wanted = (cells - cells.mean()) / (len(cells) - 1)
    np.testing.assert_allclose(maps[0], wanted, atol=1e-5)


def test_log_odds_have_no_largest_number() -> None:
    logits = np.array([[0, 0], [1000, -1000], [-3e38, 1]], np.float32)
    np.testing.assert_allclose(log_odds(logits, 0), [0, 2000, -3e38], rtol=1e-6)
    three = np.array([[1.0, 2.0, 3.0]], np.float32)
    p = softmax(three)[0, 1]
    assert log_odds(three, 1)[0] == pytest.approx(np.log(p / (1 - p)), abs=1e-6)


PATTERN = 8.0  # how strong a planted pattern is beside features of a standard deviation of 1


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grids, each with the pattern of its class in one cell; their classes; these cells."""
    random = np.random.default_rng(3)
    count = 600
    grids = np.abs(random.normal(size=(count, ROWS * COLUMNS, 32))).astype(np.float32)
    labels = random.integers(CLASSES, size=count)
    places = random.integers(ROWS * COLUMNS, size=count)
    grids[np.arange(count), places, labels] += PATTERN
    return grids.reshape(count, ROWS, COLUMNS, 32), labels, places


@pytest.fixture(scope="module")
def learnt(planted: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Parameters:
    """A head that has learnt the patterns, from 500 of the grids."""
    grids, labels, _ = planted
    matrix = grids.mean(axis=(1, 2))
    rows = np.arange(len(matrix))
    fold = Fold(matrix, rows[:500], labels[:500], rows[500:], labels[500:], CLASSES)
    given = Hyperparameters(learning_rate=0.01, size_inner=16, droprate=0.0)
    head = HeadSettings(hyperparameters=given, seed=0, fold=0, epochs=30)
    (end,) = [each for each in FusedEngine(1).train([head], [fold]) if isinstance(each, HeadEnd)]
    assert end.parameters is not None
    return end.parameters


@MAPS
def test_a_map_points_at_what_the_head_has_learnt(
    make_map: MakeMap, planted: tuple[np.ndarray, np.ndarray, np.ndarray], learnt: Parameters
) -> None:
    grids, labels, places = (array[500:] for array in planted)
    found = [
        make_map(learnt, grid, label).argmax() for grid, label in zip(grids, labels, strict=True)
    ]
    assert np.mean(np.array(found) == places) > 0.95  # chance: one in twelve


@MAPS
def test_a_map_of_another_class_points_elsewhere(
    make_map: MakeMap, planted: tuple[np.ndarray, np.ndarray, np.ndarray], learnt: Parameters
) -> None:
    grids, labels, places = (array[500:] for array in planted)
    others = (labels + 1) % CLASSES
    found = [
        make_map(learnt, grid, other).argmax() for grid, other in zip(grids, others, strict=True)
    ]
    assert np.mean(np.array(found) == places) < 0.1


@MAPS
def test_random_weights_give_another_map(
    make_map: MakeMap, planted: tuple[np.ndarray, np.ndarray, np.ndarray], learnt: Parameters
) -> None:
    grids, labels, _ = (array[500:550] for array in planted)
    found = []
    for seed in range(20):
        random = glorot_parameters(32, 16, CLASSES, np.random.default_rng(seed))
        for grid, label in zip(grids, labels, strict=True):
            ranks = [rankdata(make_map(head, grid, label)) for head in (learnt, random)]
            found.append(np.corrcoef(*ranks)[0, 1])
    assert abs(np.mean(found)) < 0.1


@SIZES
@pytest.mark.parametrize(
    ("shape", "parts"), [((5, 5), (3, 3)), ((2, 2), (2, 2)), ((1, 2), (1, 2)), ((7, 4), (3, 3))]
)
def test_without_a_part_is_the_mean_of_the_rest(
    size_inner: int, shape: tuple[int, int], parts: tuple[int, int]
) -> None:
    head = head_of(size_inner)
    random = np.random.default_rng(4)
    grid = random.normal(size=(*shape, FEATURES)).astype(np.float32)
    found = without_parts(head, grid, 2)
    assert found.shape == parts
    rows, columns = (np.array_split(np.arange(n), m) for n, m in zip(shape, parts, strict=True))
    names = set()
    for row, column in np.ndindex(parts):
        left = np.ones(shape, bool)
        left[np.ix_(rows[row], columns[column])] = False
        mean = grid[left].mean(axis=0, keepdims=True)
        assert found[row, column] == pytest.approx(softmax(forward(head, mean))[0, 2], abs=1e-6)
        names.add(part_name(row, column, parts))
    assert len(names) == found.size
    assert "" not in names


def test_parts_have_the_names_that_people_use() -> None:
    names = [part_name(row, column, (3, 3)) for row, column in np.ndindex(3, 3)]
    assert names[:5] == ["upper left", "upper middle", "upper right", "middle left", "centre"]
    assert [part_name(0, column, (1, 2)) for column in range(2)] == ["left", "right"]
