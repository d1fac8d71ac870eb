"""What choosing flatters, on curves whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.errors import RunError, SettingError
from manyheads.findings.selection import Curves, luck, nested, optimism
from manyheads.heads.bank import Metrics
from manyheads.study.select import Outcome, chosen_epoch, ranked, summarise
from manyheads.study.space import Trial

RULES = ("last", "best_loss", "best_accuracy", "fixed:3")


def noise(candidates=3, seeds=2, repeats=2, folds=4, epochs=12, number=0) -> Curves:
    random = np.random.default_rng(number)
    shape = candidates, seeds, repeats, folds, epochs
    return Curves(0.8 + 0.02 * random.normal(size=shape), 0.5 + 0.02 * random.normal(size=shape))


@pytest.mark.parametrize("rule", ["best_loss", "best_accuracy"])
def test_choosing_among_noise_flatters_by_the_noise(rule: str) -> None:
    found = optimism(noise(candidates=20, seeds=10), rule)
    assert found.accuracy is not None
    assert found.loss is not None
    picked = found.accuracy if rule == "best_accuracy" else found.loss
    greatest = 1.63 * 0.02  # the mean of the greatest of 12 normal draws is 1.63 deviations
    assert abs(picked.optimism) == pytest.approx(greatest, rel=0.05)
    assert picked.fresh == pytest.approx(0.8 if rule == "best_accuracy" else 0.5, abs=0.002)
    assert (picked.optimism > 0) == (rule == "best_accuracy")


@pytest.mark.parametrize("rule", ["last", "fixed:3", "fixed:99"])
def test_a_rule_that_does_not_look_flatters_by_nothing(rule: str) -> None:
    found = optimism(noise(), rule)
    assert found.accuracy is not None
    assert (found.accuracy.optimism, found.trials) == (0, 3 * 2 * 2 * 4)
    epoch = 2 if rule == "fixed:3" else -1
    assert found.accuracy.naive == pytest.approx(noise().val_accuracy[..., epoch].mean())


def test_fresh_epochs_are_chosen_on_the_mean_of_the_other_folds() -> None:
    accuracy = np.array([[0.1, 0.9, 0.2], [0.6, 0.1, 0.3], [0.2, 0.1, 0.7]])[None, None, None]
    found = optimism(Curves(accuracy, np.zeros_like(accuracy)), "best_accuracy")
    assert found.accuracy is not None
    assert found.accuracy.naive == pytest.approx((0.9 + 0.6 + 0.7) / 3)
    expected = (accuracy[0, 0, 0, 0, 2] + accuracy[0, 0, 0, 1, 1] + accuracy[0, 0, 0, 2, 1]) / 3
    assert found.accuracy.fresh == pytest.approx(expected)


@pytest.mark.parametrize("rule", RULES)
def test_the_selected_candidate_is_the_study_s_own(rule: str) -> None:
    for number in range(5):
        curves = noise(number=number)
        results = []
        for candidate in range(3):
            outcomes = []
            for place in np.ndindex(*curves.val_loss.shape[1:4]):
                pairs = zip(
                    curves.val_accuracy[candidate][place], curves.val_loss[candidate][place],
                    strict=True,
                )  # fmt: skip
                curve = [Metrics(0.0, 0.0, float(a), float(b)) for a, b in pairs]
                trial = Trial(number=len(outcomes) + 1, candidate=candidate + 1, seed=0, fold=0)
                outcomes.append(Outcome(trial, chosen_epoch(rule, curve), curve))
            results.append(summarise(candidate + 1, rule, outcomes, 0, 12))
        assert nested(curves, rule).selected == ranked(rule, results)[0].candidate


def test_the_whole_procedure_achieves_what_the_candidates_are_worth() -> None:
    found = nested(noise(candidates=30, seeds=1, repeats=1, folds=5), "best_accuracy")
    assert found.accuracy is not None
    assert found.accuracy.naive > 0.83
    assert found.accuracy.low < 0.8 < found.accuracy.high
    assert sum(found.chosen.values()) == 5


def test_a_candidate_that_is_better_is_chosen_everywhere() -> None:
    curves = noise()
    curves.val_accuracy[1] += 0.3
    found = nested(curves, "best_accuracy")
    assert (found.selected, found.chosen) == (2, {2: 8})
    assert found.accuracy is not None
    assert found.accuracy.score == pytest.approx(1.1, abs=0.02)


def test_a_given_split_says_why_not() -> None:
    curves = noise(repeats=1, folds=1)
    for found in (optimism(curves, "best_loss"), nested(curves, "best_loss")):
        assert found.accuracy is None
        assert "folds" in found.reason


def test_trials_that_ended_early_go_on_as_they_ended() -> None:
    curves = noise()
    curves.val_accuracy[:, :, :, 1, 5:] = curves.val_loss[:, :, :, 1, 5:] = np.nan
    found = optimism(curves, "last")
    assert found.accuracy is not None
    ends = curves.val_accuracy[..., -1].copy()
    ends[:, :, :, 1] = curves.val_accuracy[:, :, :, 1, 4]
    assert found.accuracy.naive == pytest.approx(ends.mean())


def test_failed_trials_are_left_out_without_a_warning() -> None:
    curves = noise()
    curves.val_accuracy[0] = curves.val_loss[0] = np.nan
    curves.val_accuracy[1, 0, 1, 2] = curves.val_loss[1, 0, 1, 2] = np.nan
    found = nested(curves, "best_loss")
    assert 1 not in found.chosen
    assert found.loss is not None
    assert np.isfinite([found.loss.score, found.loss.low, found.loss.high]).all()
    assert optimism(curves, "best_loss").trials == (3 + 4) * 4


def test_what_cannot_be_read_is_refused() -> None:
    good = noise()
    with pytest.raises(RunError):
        Curves(good.val_accuracy, good.val_loss[..., :2])
    with pytest.raises(RunError):
        Curves(good.val_accuracy * np.nan, good.val_loss)
    with pytest.raises(SettingError):
        optimism(good, "nonsense")


PEAKS = np.array([[0.1, 0.9, 0.2], [0.6, 0.1, 0.3], [0.2, 0.1, 0.7]])


def test_luck_in_folds_is_by_how_much_the_own_epoch_is_better_than_that_of_the_others() -> None:
    accuracy = PEAKS[None, None, None]
    found = luck(Curves(accuracy, np.zeros_like(accuracy)), "accuracy", "best_accuracy")
    # Without the fold, the others peak in epoch 3, 2 and 2.
    assert found[0, 0, 0] == pytest.approx([0.9 - 0.2, 0.6 - 0.1, 0.7 - 0.1])
    loss = 1 - PEAKS[None, None, None]
    found = luck(Curves(np.zeros_like(loss), loss), "log_loss", "best_accuracy")
    assert found[0, 0, 0] == pytest.approx([0.2 - 0.9, 0.1 - 0.6, 0.1 - 0.7])


def test_luck_in_a_given_split_is_that_against_the_other_seeds() -> None:
    accuracy = PEAKS[None, :, None, None]
    found = luck(Curves(accuracy, np.zeros_like(accuracy)), "accuracy", "best_loss")
    assert found[0, :, 0, 0] == pytest.approx([0.9 - 0.2, 0.6 - 0.1, 0.7 - 0.1])


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_luck_is_the_optimism_of_a_rule(metric: str) -> None:
    curves, rule = noise(), {"accuracy": "best_accuracy", "log_loss": "best_loss"}[metric]
    found = optimism(curves, rule)
    flattery = found.accuracy if metric == "accuracy" else found.loss
    assert flattery is not None
    assert luck(curves, metric, "best_accuracy").mean() == pytest.approx(flattery.optimism)


@pytest.mark.parametrize("rule", ["last", "fixed:3"])
def test_a_rule_that_does_not_look_has_no_luck(rule: str) -> None:
    assert not luck(noise(), "accuracy", rule).any()


def test_a_trial_without_others_has_no_luck_and_a_failed_one_is_no_other() -> None:
    assert not luck(noise(seeds=1, repeats=1, folds=1), "accuracy", "best_accuracy").any()
    accuracy = PEAKS[None, None, None].copy()
    accuracy[..., 2, :] = np.nan
    found = luck(Curves(accuracy, np.zeros_like(accuracy) + 0 * accuracy), "accuracy", "best_loss")
    assert found[0, 0, 0] == pytest.approx([0.9 - 0.1, 0.6 - 0.1, 0])
    accuracy[..., 1, :] = np.nan
    found = luck(Curves(accuracy, np.zeros_like(accuracy) + 0 * accuracy), "accuracy", "best_loss")
    assert not found.any()


def test_a_rule_by_a_score_picks_by_its_curve_and_not_by_accuracy() -> None:
    """Accuracy is the same everywhere, so that what is picked follows the score alone."""
    random = np.random.default_rng(3)
    shape = 3, 2, 1, 4, 6
    score = random.normal(size=shape)
    score[1, ..., 2] += 9  # the second candidate in its third epoch
    flat = np.full(shape, 0.5)
    curves = Curves(flat, flat, score)
    assert nested(curves, "best_macro_f1").chosen == {2: 4}
    assert nested(curves, "last_macro_f1").selected == 1 + int(
        score[..., -1].mean((1, 2, 3)).argmax()
    )
    found = luck(curves, "macro_f1", "best_macro_f1")
    assert found[1] == pytest.approx(np.zeros_like(found[1]))  # all agree on the third epoch
    assert found[0].min() >= 0
    assert not luck(curves, "balanced_accuracy", "best_macro_f1").any()  # not known by epoch
    assert not luck(curves, "macro_f1", "last_macro_f1").any()
