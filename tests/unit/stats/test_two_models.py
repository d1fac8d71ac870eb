"""Two fixed models on the same images: what differs, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from manyheads.core.label_sets import LabelSets
from manyheads.errors import RunError
from manyheads.stats.label_metrics import image_accuracy, image_log_loss, probabilities
from manyheads.stats.two_models import compare_models


def predictions(seed: int, images: int, right: float, classes: int = 4) -> np.ndarray:
    """Log-probabilities that prefer the label 0 by `right`, as float32 `[images, classes]`."""
    logits = np.random.default_rng(seed).normal(size=(images, classes))
    logits[:, 0] += right
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def labels(images: int) -> np.ndarray:
    return np.zeros(images, np.int64)


def test_a_model_and_itself_are_equivalent() -> None:
    same = predictions(0, 400, 2)
    found = compare_models(same, same, labels(400))
    assert found.images == 400
    for each in found.scores:
        assert each.difference == 0
        assert each.outcome == "equivalent"
        assert each.low <= 0 <= each.high
    # Equal answers on some images are no proof of equal answers on all.
    assert found.accuracy.high > 0
    assert found.equal_labels.value == 1
    assert found.equal_labels.low is not None
    assert found.equal_labels.low < 1


def test_a_better_model_is_better_in_both_metrics() -> None:
    found = compare_models(predictions(1, 300, 0.5), predictions(2, 300, 3), labels(300))
    assert found.accuracy.first < found.accuracy.second
    assert found.accuracy.difference == pytest.approx(found.accuracy.second - found.accuracy.first)
    assert [each.outcome for each in found.scores] == ["better", "better"]
    assert found.log_loss.high < 0 < found.accuracy.low


def test_the_interval_of_a_loss_is_that_of_a_paired_t_test() -> None:
    first, second = predictions(3, 200, 1), predictions(4, 200, 1.2)
    found = compare_models(first, second, labels(200)).log_loss
    wanted = ttest_rel(-second[:, 0], -first[:, 0]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-3)


@settings(max_examples=20)
@given(st.integers(0, 2**20), st.integers(2, 60))
def test_the_other_way_round_the_signs_change(seed: int, images: int) -> None:
    first, second = predictions(seed, images, 1), predictions(seed + 1, images, 1)
    there = compare_models(first, second, labels(images))
    back = compare_models(second, first, labels(images))
    opposite = {"better": "worse", "worse": "better"}
    for one, other in zip(there.scores, back.scores, strict=True):
        assert one.difference == -other.difference
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
        assert one.p_holm == pytest.approx(other.p_holm)
        assert opposite.get(one.outcome, one.outcome) == other.outcome
    assert there.equal_labels == back.equal_labels


def test_images_of_one_unit_count_as_one() -> None:
    first, second = predictions(5, 100, 1), predictions(6, 100, 2)
    alone = compare_models(first, second, labels(100)).log_loss
    one, other = (np.concatenate([each, each]) for each in (first, second))
    units = np.tile(np.arange(100), 2)
    together = compare_models(one, other, labels(200), units=units).log_loss
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    apart = compare_models(one, other, labels(200)).log_loss
    assert apart.high - apart.low < together.high - together.low


def test_one_image_says_nothing_of_others() -> None:
    found = compare_models(predictions(7, 1, 0), predictions(8, 1, 0), labels(1))
    assert all(each.outcome == "undecided" for each in found.scores)
    assert found.log_loss.estimate.low is None


def test_a_probability_of_zero_is_a_great_loss_and_no_error() -> None:
    first = predictions(9, 50, 1)
    second = first.copy()
    second[0, 0] = -np.inf
    found = compare_models(first, second, labels(50)).log_loss
    assert 1.5 < found.difference < 2.2  # 103 nats, over 50 images


def test_what_does_not_fit() -> None:
    some = predictions(0, 5, 1)
    for wrong in ((some, some[:4], labels(5)), (some, some, labels(4)), (some[:0],) * 3):
        with pytest.raises(RunError, match="predictions of both models for the same images"):
            compare_models(*wrong)
    broken = some.copy()
    broken[0] = np.nan
    with pytest.raises(RunError, match="found NaN"):
        compare_models(some, broken, labels(5))


def test_several_labels_are_compared_by_the_share_told_right_and_the_mean_loss() -> None:
    sets = LabelSets(("a", "b"), ("(none)", "a", "a;b"))
    random = np.random.default_rng(5)
    first = random.normal(size=(60, 2)).astype(np.float32)
    second = (first + random.normal(0, 0.4, first.shape)).astype(np.float32)
    own = random.integers(0, 3, 60)
    thresholds = (0.3, 0.6)
    found = compare_models(first, second, own, label_sets=sets, thresholds=thresholds)
    targets = sets.members[own]
    for score, of in ((found.accuracy, image_accuracy), (found.log_loss, image_log_loss)):
        assert score.first == pytest.approx(of(first, targets).mean())
        assert score.second == pytest.approx(of(second, targets).mean())
        difference = of(second, targets) - of(first, targets)
        assert score.difference == pytest.approx(difference.mean())
    said = [probabilities(each) > thresholds for each in (first, second)]
    assert found.equal_labels.value == pytest.approx((said[0] == said[1]).all(axis=1).mean())
