"""What holds for every engine before it trains anything."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from manyheads.core import accelerators
from manyheads.errors import MissingExtraError, SettingError
from manyheads.heads.bank import EpochEnd, HeadEnd, Metrics, engine_named, head_events, train_bank
from manyheads.heads.epoch_rules import BestEpoch
from manyheads.heads.head import Parameters, glorot_parameters
from tests.banks import generated_fold, settings, told


def epochs_of(*validation: tuple[float, float]) -> list[Metrics]:
    return [Metrics(0.5, 1.0, accuracy, loss) for accuracy, loss in validation]


@pytest.mark.parametrize(
    ("rule", "validation", "chosen"),
    [
        ("best_accuracy", [(0.5, 1), (0.7, 2), (0.6, 0.5)], 2),
        ("best_accuracy", [(0.7, 1), (0.7, 0.9), (0.7, 0.95)], 2),
        ("best_accuracy", [(0.7, 1), (0.7, 1)], 1),
        ("best_loss", [(0.5, 1), (0.7, 2), (0.6, 0.5)], 3),
        ("best_loss", [(0.5, 1), (0.9, 1)], 1),
        ("last", [(0.9, 0.1), (0.1, 9)], 2),
        ("fixed:2", [(0.9, 0.1), (0.1, 9), (0.95, 0.05)], 2),
        ("fixed:9", [(0.9, 0.1), (0.1, 9)], 2),
    ],
)
def test_a_rule_chooses_its_epoch(
    rule: str, validation: list[tuple[float, float]], chosen: int
) -> None:
    best = BestEpoch(rule)
    taken = [
        epoch
        for epoch, metrics in enumerate(epochs_of(*validation), 1)
        if best.offer(epoch, metrics)
    ]
    assert best.epoch == taken[-1] == chosen


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(SettingError, match=r"best_accuracy, .*last_macro_f1, fixed:N"):
        BestEpoch("best")


@pytest.mark.parametrize("rule", ["fixed:", "fixed:0", "fixed:x", "fixed:1.5"])
def test_a_fixed_rule_names_an_epoch(rule: str) -> None:
    with pytest.raises(SettingError, match="the epoch of fixed:N to be a whole number"):
        BestEpoch(rule)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(SettingError, match="auto, fused, stacked, keras"):
        engine_named("fast")


@pytest.mark.parametrize("name", ["fused", "keras"])
def test_an_engine_goes_by_its_name(name: str) -> None:
    assert engine_named(name).name == name


def test_the_engine_chosen_for_a_processor_is_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "of_jax", lambda: None)
    assert engine_named("auto").name == "fused"


def test_the_engine_chosen_for_an_accelerator_is_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    monkeypatch.setattr(accelerators, "of_jax", lambda: "NVIDIA H200")
    assert engine_named("auto").name == "stacked"


def test_the_engine_of_jax_names_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[jax\]'"):
        engine_named("stacked")


def parameters(value: float = 0.0) -> Parameters:
    arrays = glorot_parameters(2, 0, 2, np.random.default_rng(0))
    arrays.bias[:] = value
    return arrays


def silence() -> np.ndarray:
    return np.zeros((1, 2), np.float16)


def test_events_tell_each_epoch_and_the_chosen_parameters() -> None:
    losses = np.ones(3)
    outcomes = [(metrics, losses) for metrics in epochs_of((0.5, 1), (0.9, 1), (0.7, 1))]
    count = iter(range(1, 4))
    said = [np.full((1, 2), -epoch, np.float16) for epoch in range(1, 4)]
    events = list(
        head_events(
            7,
            settings(epochs=3),
            "best_accuracy",
            outcomes,
            lambda: parameters(next(count)),
            iter(said).__next__,
        )
    )
    assert [type(event) for event in events] == [EpochEnd] * 3 + [HeadEnd]
    end = events[-1]
    assert isinstance(end, HeadEnd)
    assert (end.head, end.status, end.note, end.epoch) == (7, "done", "", 2)
    assert end.parameters is not None
    assert end.parameters.bias.tolist() == [2, 2]
    assert end.chosen is said[1]
    assert {epoch: each[0, 0] for epoch, each in end.predictions.items()} == {1: -1, 2: -2, 3: -3}


def test_epochs_that_end_early_have_no_end() -> None:
    outcomes = [(metrics, np.ones(3)) for metrics in epochs_of((0.5, 1))]
    events = list(head_events(0, settings(epochs=3), "last", outcomes, parameters, silence))
    assert [type(event) for event in events] == [EpochEnd]


@pytest.mark.parametrize(
    ("loss", "val_loss", "bias"),
    [(np.nan, 1, 0), (np.inf, 1, 0), (1, np.nan, 0), (1, np.inf, 0), (1, 1, np.nan)],
)
def test_numbers_that_are_not_finite_fail_the_head(
    loss: float, val_loss: float, bias: float
) -> None:
    outcomes = [
        (Metrics(0.5, 1.0, 0.5, 1.0), np.ones(2)),
        (Metrics(0.5, loss, 0.9, val_loss), np.array([1, loss])),
        (Metrics(0.5, 1.0, 0.5, 1.0), np.ones(2)),
    ]
    found = iter([parameters(), parameters(bias)])
    events = list(
        head_events(0, settings(epochs=3), "best_accuracy", outcomes, lambda: next(found), silence)
    )
    end = events[-1]
    assert isinstance(end, HeadEnd)
    assert len(events) == 2
    assert (end.status, end.epoch) == ("failed", 1)
    assert "epoch 2" in end.note
    assert end.parameters is not None


def test_each_end_comes_with_the_metrics_of_its_epochs() -> None:
    heads = [settings(epochs=epochs, seed=epochs) for epochs in (3, 1, 2)]
    engine, folds, heard = engine_named("fused"), [generated_fold()], []
    stories = told(engine.train(heads, folds, rule="last"))
    ends = list(train_bank(engine, heads, folds, rule="last", on_epoch=heard.append))
    assert sorted(end.head for end, _ in ends) == [0, 1, 2]
    for end, curve in ends:
        assert curve == [each.metrics for each in stories[end.head].epochs]
        assert end.epoch == len(curve) == heads[end.head].epochs
    assert len(heard) == 3 + 1 + 2
