"""The best epochs of heads, and which candidates need more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from manyheads.findings.claim_record import LongerClaim, read_longer, write_longer
from manyheads.findings.training_length import BestEpochs, Place, epoch_contrasts, longer_of
from manyheads.heads.bank import Metrics
from manyheads.study.folder import RunFolder


def curve(loss: list[float], accuracy: list[float] | None = None) -> list[Metrics]:
    return [
        Metrics(0.0, 0.0, a, v) for a, v in zip(accuracy or [0.5] * len(loss), loss, strict=True)
    ]


def valley(lowest: int, epochs: int) -> list[Metrics]:
    """A curve whose loss is lowest, and whose accuracy is highest, in one epoch."""
    away = [abs(epoch - lowest) for epoch in range(1, epochs + 1)]
    return curve([1 + 0.01 * each for each in away], [0.9 - 0.01 * each for each in away])


def compared(epochs: dict[int, list[int]], *, trained: int = 60, patience: int = 10):
    """Candidates whose seeds have their best in the listed epochs."""
    curves = {
        (candidate, seed, 0): valley(best, trained)
        for candidate, places in epochs.items()
        for seed, best in enumerate(places)
    }
    return of_curves(curves, patience)


def of_curves(curves: dict[Place, list[Metrics]], patience: int, folds: int = 1):
    best = {place: BestEpochs.of(each, patience) for place, each in curves.items()}
    found = [
        longer_of(each, f"candidate {each}", curves, best, 0, folds)
        for each in sorted({place[0] for place in curves})
    ]
    candidates = [each for each in found if each is not None]
    return candidates, epoch_contrasts(best, candidates, folds)


def test_the_best_epochs_are_the_lowest_loss_and_the_highest_smoothed_accuracy() -> None:
    # A lone peak in epoch 2, and a plateau of five around epoch 8.
    accuracy = [0.5, 0.9, 0.5, 0.5, 0.5, 0.7, 0.7, 0.7, 0.7, 0.7, 0.5, 0.5, 0.5, 0.5]
    best = BestEpochs.of(curve([3, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], accuracy), patience=10)
    assert (best.log_loss_epoch, best.accuracy_epoch, best.epochs) == (3, 8, 14)
    assert (best.lowest_log_loss, best.accuracy_there) == (1, 0.5)
    assert best.log_loss_past_best  # ten epochs lie behind it
    assert best.accuracy_past_best  # half as many suffice
    assert not BestEpochs.of(curve([3, 2, 1, 2]), patience=2).log_loss_past_best
    assert BestEpochs.of(curve([2.0]), patience=1).accuracy_epoch == 1


def test_equal_smoothed_accuracies_give_the_earliest() -> None:
    assert BestEpochs.of(curve([1.0] * 30, [0.7] * 30), patience=5).accuracy_epoch == 3


def test_epochs_have_students_interval_over_seeds() -> None:
    (only,), contrasts = compared({1: [10, 14, 12, 20]})
    epoch = only.log_loss.epoch
    expected = stats.t.interval(0.95, 3, 14, stats.sem([10, 14, 12, 20]))
    assert epoch.value == 14
    assert (epoch.low, epoch.high) == pytest.approx(expected)
    assert only.log_loss.past_best == 1
    assert contrasts == ()


def test_differences_are_paired_by_seed() -> None:
    _, contrasts = compared({1: [10, 20, 30], 2: [15, 26, 34]})
    (loss,) = [each for each in contrasts if each.metric == "log_loss"]
    # Adjusted for the two contrasts, one in each metric.
    low, high = stats.t.interval(0.975, 2, -5, stats.sem([-5, -6, -4]))
    assert loss.difference.value == -5
    assert (loss.difference.low, loss.difference.high) == pytest.approx((low, high))
    assert loss.seeds == 3
    assert loss.outcome == "fewer"  # of two contrasts, p = 2 · 0.013
    p = 2 * stats.t.sf(5 / stats.sem([-5, -6, -4]), 2)
    assert loss.p == pytest.approx(2 * p)  # Holm: of two


def test_equal_differences_of_two_seeds_are_not_certain() -> None:
    _, contrasts = compared({1: [10, 20], 2: [11, 21]})
    assert {each.outcome for each in contrasts} == {"undecided"}
    for each in contrasts:
        assert each.difference.low is not None
        assert each.difference.low < -2


def test_one_seed_declares_nothing() -> None:
    (first, _), contrasts = compared({1: [10], 2: [40]})
    assert first.log_loss.epoch.low is None
    assert {each.outcome for each in contrasts} == {"undecided"}
    assert {each.difference.high for each in contrasts} == {None}


def test_who_is_not_past_its_best_gives_a_bound_that_may_be_enough() -> None:
    (first, second), contrasts = compared({1: [10, 11, 12, 11], 2: [55, 56, 57, 55]})
    assert (first.log_loss.past_best, second.log_loss.past_best) == (1, 0)
    (loss,) = [each for each in contrasts if each.metric == "log_loss"]
    assert loss.outcome == "fewer"
    assert loss.difference.low is None  # the second may need many more
    assert loss.difference.high is not None


def test_a_bound_on_the_wrong_side_declares_nothing() -> None:
    """The later one is past its best; the one that was cut off may yet overtake it."""
    late = {(1, seed, 0): valley(40 + seed, 60) for seed in range(4)}
    cut = {(2, seed, 0): valley(25 + seed, 30) for seed in range(4)}
    (first, second), contrasts = of_curves(late | cut, patience=10)
    assert (first.log_loss.past_best, second.log_loss.past_best) == (1, 0)
    loss = contrasts[0]
    assert loss.difference.value > 0
    assert (loss.outcome, loss.p, loss.difference.low) == ("undecided", 1, None)


def test_two_that_are_not_past_their_best_declare_nothing() -> None:
    _, contrasts = compared({1: [56, 56, 57], 2: [59, 59, 59]})
    assert {each.outcome for each in contrasts} == {"undecided"}
    assert {(each.difference.low, each.difference.high) for each in contrasts} == {(None, None)}


def test_in_folds_the_variance_is_that_of_folds_corrected() -> None:
    best = np.array([[10, 14, 18], [12, 16, 20]])
    curves = {(1, s, f): valley(int(best[s, f]), 60) for s in range(2) for f in range(3)}
    (only,), _ = of_curves(curves, 10, folds=3)
    error = np.sqrt((1 / 3 + 1 / 2) * np.var([11, 15, 19], ddof=1))
    assert only.log_loss.epoch.value == 15
    assert only.log_loss.epoch.high == pytest.approx(15 + stats.t.ppf(0.975, 2) * error)


def test_seeds_of_which_a_head_diverged_are_left_out() -> None:
    curves = {(1, s, f): valley(10 + s, 60) for s in range(3) for f in range(2)}
    del curves[1, 2, 1]
    (only,), _ = of_curves(curves, 10, folds=2)
    assert only.log_loss.epoch.value == 10.5
    assert only.heads == 5


def test_the_mean_curve_reaches_as_far_as_all_heads_and_is_thinned() -> None:
    curves = {(1, 0, 0): valley(10, 900), (1, 1, 0): valley(10, 800)}
    (only,), _ = of_curves(curves, 10)
    assert (only.epochs[0], only.epochs[-1], len(only.epochs)) == (1, 800, 200)
    assert only.val_loss[0] == pytest.approx(1.09)


def test_a_record_of_the_first_version_is_read_under_the_names_of_today(tmp_path: Path) -> None:
    candidates, contrasts = compared({1: [10, 14], 2: [20, 24]})
    claim = LongerClaim(
        limit=60, patience=10, seeds=2, folds=None, images=9, candidates=tuple(candidates),
        contrasts=contrasts, sentences=("",),
    )  # fmt: skip
    folder = RunFolder(tmp_path)
    folder.claims.mkdir()
    write_longer(folder, claim, {})
    record = folder.claims / "longer.json"
    text = record.read_text(encoding="utf-8")
    assert text.count('"past_best"') == 4
    record.write_text(text.replace('"past_best"', '"turned"'), encoding="utf-8")
    assert read_longer(folder) == claim
