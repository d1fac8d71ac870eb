"""Figures of studies of every shape, drawn without a warning."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.heads.bank import Metrics
from manyheads.report.figures import candidate_curves, draw_curves
from manyheads.study.results import read_result
from manyheads.study.space import Grid, Trials
from manyheads.study.store import Store
from tests.studies import study_settings


@pytest.fixture
def draw(tmp_path: Path):
    """Draw a study of made-up curves and return the picture's pixels."""

    def drawn(
        grid: Grid, *, seeds: int = 2, epochs: int = 5, title: str = "data", worst: float = 1.0
    ) -> np.ndarray:
        random = np.random.default_rng(0)
        with Store(tmp_path / "study.sqlite") as store:
            store.prepare(Trials(len(grid), seeds))
            for record in store.trials():
                curve = [Metrics(*row) for row in random.uniform(0.1, 1, (epochs, 4)).tolist()]
                if record.trial.candidate == 1:
                    curve = [metrics._replace(val_loss=worst) for metrics in curve]
                store.finish(record.trial.number, "done", 1, "", curve)
            result = read_result(store, study_settings(grid=grid, seeds=seeds, epochs=epochs))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                draw_curves(tmp_path / "curves.png", store, result, grid.varying, title)
        assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png", ".sqlite"]
        return np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"))

    return drawn


RATES = tuple(n / 20 for n in range(12))


@pytest.mark.parametrize(
    ("grid", "options"),
    [
        (Grid((0.01,), (10,), (0.5,)), {"seeds": 1, "epochs": 1}),
        (Grid((0.01,), (10,), (0.5,)), {"seeds": 3}),
        (Grid((0.01,), (10,), RATES), {"seeds": 1}),
        (Grid((0.01,), (10,), RATES[:2]), {"worst": 1e30}),
        (Grid((0.01,), (10,), RATES[:2]), {"epochs": 1}),
    ],
)
def test_a_figure_is_drawn(draw, grid: Grid, options: dict) -> None:
    pixels = draw(grid, **options)
    assert pixels.shape[0] > 400
    assert pixels.shape[1] > 1000
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20


def test_any_name_of_a_data_set_can_be_a_title(draw) -> None:
    draw(Grid((0.01,), (10,), (0.5,)), title="🦊 and 猫\a cost $5 or $6, \\b_{c}^{")


def test_a_diverging_candidate_does_not_flatten_the_others(draw) -> None:
    grid, blue = Grid((0.01,), (10,), RATES[:4]), np.array([0, 0x72, 0xB2])
    figure = draw(grid, worst=1e6)
    panels = figure[60:, : figure.shape[1] // 2], figure[60:, figure.shape[1] // 2 :]
    accuracy, loss = (np.all(abs(panel.astype(int) - blue) < 9, axis=2).sum() for panel in panels)
    # The diverging one, which is blue, has left the panel of the loss (but for its legend).
    assert loss < accuracy / 2


def test_curves_are_of_finished_trials_alone(tmp_path: Path) -> None:
    with Store(tmp_path / "study.sqlite") as store:
        store.prepare(Trials(2, 3))
        for number in (1, 2, 4):
            store.finish(number, "done", 1, "", [Metrics(0.1, 0.2, number / 10, 0.4)] * 2)
        store.finish(3, "failed", 1, "", [Metrics(0.1, 0.2, 0.9, 0.4)])
        curves = candidate_curves(store, 1, "val_accuracy")
    assert curves.tolist() == [[0.1, 0.1], [0.2, 0.2]]
