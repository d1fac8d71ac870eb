"""Which candidates are compared in a plot of score against setting, and which are left out."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.findings import scores_by_setting as module
from manyheads.findings.scores_by_setting import ScoresBySetting, scores_by_setting
from manyheads.findings.study_findings import Findings
from manyheads.stats.comparisons import Differences
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import Grid
from tests.studies import study_settings


def findings(
    grid: Grid, *, selected: int = 1, without: tuple[int, ...] = (), seeds: int = 3, **other: Any
) -> Findings:
    """Findings of made-up predictions of all candidates but those `without` a result."""
    settings = study_settings(grid=grid, seeds=seeds, **other)
    shape = Shape(candidates=len(settings.grid), seeds=seeds, images=60, folds=settings.folds or 1)
    validated = made_up(np.random.default_rng(0), World(), shape)
    kept = tuple(each for each in validated.candidates if each not in without)
    validated = replace(validated, candidates=kept, names=tuple(f"c{each}" for each in kept))
    return cast(
        Findings,
        SimpleNamespace(
            settings=settings,
            validated=validated,
            differences=Differences(validated),
            result=SimpleNamespace(ranking=[SimpleNamespace(candidate=selected)]),
        ),
    )


def scores(*arguments: Any, **options: Any) -> ScoresBySetting:
    found = scores_by_setting(findings(*arguments, **options))
    assert found is not None
    return found


def means(validated: Validated, *blocks: list[int]) -> list[float]:
    """The mean accuracy of each level, over blocks of candidates."""
    of = {each: validated.scores(each, "accuracy").mean() for block in blocks for each in block}
    return [float(np.mean([of[each] for each in level])) for level in zip(*blocks, strict=True)]


def test_one_hyperparameter_has_both_metrics_with_its_values_in_order() -> None:
    given = findings(Grid((0.01,), (4,), (0.5, 0.0, 0.2)), selected=3)
    found = scores_by_setting(given)
    assert found is not None
    assert [each.metric for each in found.by_value] == ["accuracy", "log_loss"]
    accuracy = found.by_value[0]
    assert accuracy.values == ("0", "0.2", "0.5")
    assert accuracy.selected == 1
    assert (accuracy.settings, accuracy.of) == (1, 1)
    expected = means(given.validated, [2, 3, 1])
    assert [level.mean.value for level in accuracy.levels] == pytest.approx(expected)
    assert all(len(level.runs) == 3 for level in accuracy.levels)
    assert found.pair is None
    assert (found.runs, found.measured_on) == ("seed", "60 validation images")


def test_words_stay_in_the_order_in_which_they_are_listed() -> None:
    grid = Grid((0.01,), (4,), (0.5,), droprate_schedule=("late:2", "constant", "early:2"))
    assert scores(grid).by_value[0].values == ("late:2", "constant", "early:2")


def test_a_main_effect_is_a_mean_over_the_settings_that_have_every_value() -> None:
    # Candidates 1 to 6: size 4 with droprates 0, 0.2, 0.5, then size 8 with the same.
    given = findings(Grid((0.01,), (4, 8), (0.0, 0.2, 0.5)), without=(5,), selected=6)
    found = scores_by_setting(given)
    assert found is not None
    by = {each.hyperparameter: each for each in found.by_value}
    assert by["droprate"].values == ("0", "0.2", "0.5")
    assert (by["droprate"].settings, by["droprate"].of) == (1, 2)
    expected = means(given.validated, [1, 2, 3])
    assert [level.mean.value for level in by["droprate"].levels] == pytest.approx(expected)
    assert (by["size_inner"].settings, by["size_inner"].of) == (2, 3)
    expected = means(given.validated, [1, 4], [3, 6])
    assert [level.mean.value for level in by["size_inner"].levels] == pytest.approx(expected)
    assert [each.size for each in found.by_value] == sorted(
        (each.size for each in found.by_value), reverse=True
    )
    pair = found.pair
    assert pair is not None
    assert (pair.rows, pair.columns) == ("droprate", "size_inner")
    assert pair.selected == (2, 1)
    assert np.argwhere(np.isnan(pair.means)).tolist() == [[1, 1]]
    assert pair.means[2].tolist() == pytest.approx(means(given.validated, [3, 6]))


def test_a_setting_in_which_a_hyperparameter_has_no_effect_is_in_no_effect_of_it() -> None:
    found = scores(Grid((0.01,), (0, 8), (0.0, 0.5)))
    by = {each.hyperparameter: each for each in found.by_value}
    assert (by["droprate"].settings, by["droprate"].of) == (1, 2)
    assert (by["size_inner"].values, by["size_inner"].settings) == (("none", "8"), 1)


def test_a_value_that_never_trained_to_its_end_is_left_out() -> None:
    accuracy = scores(Grid((0.01,), (4,), (0.0, 0.2, 0.5)), without=(2,)).by_value[0]
    assert accuracy.values == ("0", "0.5")
    assert scores_by_setting(findings(Grid((0.01,), (4,), (0.0, 0.5)), without=(2,))) is None
    assert scores_by_setting(findings(Grid((0.01,), (4,), (0.5,)))) is None


@pytest.mark.parametrize(
    ("select", "kept", "expected"),
    [
        ("best_accuracy", True, ("at its best epoch", "at its best epoch")),
        ("best_loss", True, ("at its best epoch", "at its best epoch")),
        ("last", True, ("after the last epoch", "after the last epoch")),
        ("fixed:2", True, ("after epoch 2", "after epoch 2")),
        ("best_accuracy", False, ("at its best epoch", "at the epoch of the best accuracy")),
        ("best_loss", False, ("at the epoch of the best log loss", "at its best epoch")),
    ],
)
def test_the_epoch_of_each_metric_is_said(
    select: str, kept: bool, expected: tuple[str, str]
) -> None:
    given = findings(Grid((0.01,), (4,), (0.0, 0.5)), select=select)
    other = SimpleNamespace() if kept else None
    cast(Any, given).validated = SimpleNamespace(other_epochs=other)
    assert tuple(module.epoch_words(given, m) for m in ("accuracy", "log_loss")) == expected


def test_runs_are_of_seeds_with_folds_and_repeats() -> None:
    grid = Grid((0.01,), (4,), (0.0, 0.5))
    assert scores(grid, folds=3).runs == "seed, over all folds"
    given = findings(grid, folds=3)
    cast(Any, given).settings = study_settings(grid=grid, folds=3, repeats=2)
    assert module._run_words(given) == "seed and repeat, over all folds"


def test_with_one_seed_nothing_is_paired() -> None:
    assert not scores(Grid((0.01,), (4,), (0.0, 0.5)), seeds=1).paired


def test_what_is_read_and_drawn_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, sizes = tuple(n / 40 for n in range(40)), tuple(range(1, 16))
    monkeypatch.setattr(module, "_AVERAGED", 48)
    found = scores(Grid((0.01,), sizes, rates), seeds=1, selected=40 * 6 + 12)
    by = {each.hyperparameter: each for each in found.by_value}
    droprate = by["droprate"]
    assert len(droprate.values) == module.VALUES
    assert (droprate.values[0], droprate.values[-1]) == ("0", "0.975")
    assert droprate.selected is not None
    assert droprate.values[droprate.selected] == "0.275"
    assert (droprate.settings, droprate.of) == (2, 15)
    pair = found.pair
    assert pair is not None
    assert pair.means.shape == (module.ROWS, module.COLUMNS)
    assert pair.selected is not None
    assert (pair.row_values[pair.selected[0]], pair.column_values[pair.selected[1]]) == (
        "0.275", "7",
    )  # fmt: skip
