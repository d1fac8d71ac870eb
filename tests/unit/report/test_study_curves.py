"""Curves of a study's candidates: read from its store, and drawn of studies of every shape."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads.heads.bank import Metrics
from manyheads.report import bounds
from manyheads.report.palette import COLOURS
from manyheads.report.study_curves import candidate_curves, draw_curves, ranked_candidates
from manyheads.study.results import read_result
from manyheads.study.space import Grid, Trials
from manyheads.study.store import Store
from tests.studies import study_settings

RATES = tuple(n / 20 for n in range(12))


def test_curves_are_of_finished_trials_alone(tmp_path: Path) -> None:
    with Store(tmp_path / "study.sqlite") as store:
        store.prepare(Trials(2, 3))
        for number in (1, 2, 4):
            store.finish(number, "done", 1, "", [Metrics(0.1, 0.2, number / 10, 0.4)] * 2)
        store.finish(3, "failed", 1, "", [Metrics(0.1, 0.2, 0.9, 0.4)])
        curves = candidate_curves(store, 1)
    assert list(curves) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    curve = curves["val_accuracy"]
    assert curve.mean.tolist() == pytest.approx([0.15, 0.15])
    assert curve.low.tolist() == [0.1, 0.1]
    assert curve.high.tolist() == [0.2, 0.2]


def test_curves_go_as_far_as_all_trials_do(tmp_path: Path) -> None:
    with Store(tmp_path / "study.sqlite") as store:
        store.prepare(Trials(2, 2))
        for number, epochs in ((1, 5), (2, 3)):
            store.finish(number, "done", 1, "", [Metrics(0.1, 0.2, 0.3, 0.4)] * epochs)
        assert len(candidate_curves(store, 1)["loss"].mean) == 3
        assert candidate_curves(store, 2) == {}


def test_candidates_are_best_first_and_each_trial_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = Grid((0.01,), (10,), (0.0, 0.2, 0.5))
    with Store(tmp_path / "study.sqlite") as store:
        store.prepare(Trials(3, 2))
        for record in store.trials():
            score = {1: 0.5, 2: 0.7, 3: 0.6}[record.trial.candidate]
            epoch = 1 + record.trial.seed
            store.finish(
                record.trial.number, "done", epoch, "", [Metrics(0.1, 0.2, score, 0.4)] * 3
            )
        result = read_result(store, study_settings(grid=grid, seeds=2))
        read, curve = [], store.curve
        monkeypatch.setattr(store, "curve", lambda trial: read.append(trial) or curve(trial))
        first, second, third = ranked_candidates(store, result, 2)
    assert [each.number for each in (first, second, third)] == [2, 3, 1]
    assert [each.name for each in (first, second)] == ["droprate 0.2", "droprate 0.5"]
    assert [each.selected for each in (first, second, third)] == [True, False, False]
    assert [bool(each.curves) for each in (first, second, third)] == [True, True, False]
    assert {each.chosen for each in (first, second, third)} == {1.5}
    assert read == [3, 4, 5, 6]


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
                draw_curves(tmp_path / "curves.png", store, result, title)
        assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png", ".sqlite"]
        return np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"))

    return drawn


@pytest.mark.when_changed("pages")
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
def test_curves_of_every_study_are_drawn(draw, grid: Grid, options: dict) -> None:
    pixels = draw(grid, **options)
    assert pixels.shape[0] > 1000
    assert pixels.shape[1] > 1400
    # Each candidate's colour is seen, however many epochs there are.
    for colour in COLOURS[: min(len(grid), bounds.PICTURED)]:
        ink = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (abs(pixels.astype(int) - ink).max(axis=2) < 9).sum() > 20


def test_any_name_of_a_data_set_can_be_a_title(draw) -> None:
    draw(Grid((0.01,), (10,), (0.5,)), title="🦊 and 猫\a cost $5 or $6, \\b_{c}^{")
