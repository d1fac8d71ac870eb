"""Which differences are declared, and which are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.errors import RunError, SettingError
from manyheads.stats.comparisons import Differences, Margins, compare
from manyheads.stats.power import RequiredSize
from manyheads.stats.validation_predictions import Validated

SPLIT = Shape(candidates=3, seeds=4, images=200)
FOLDS = Shape(candidates=3, seeds=4, images=200, folds=5, repeats=2)


def study(shape: Shape = SPLIT, shift: float = 0.0, number: int = 0, **world: float) -> Validated:
    return made_up(np.random.default_rng(number), World(**world), shape, shift)


def saying(validated: Validated, change) -> Validated:
    """The same study after `change(candidate, log probabilities)`."""

    def changed(candidate: int) -> np.ndarray:
        said = validated.log_probabilities(candidate).copy()
        change(candidate, said)
        return said

    return replace(validated, log_probabilities=changed)


@pytest.mark.parametrize("shape", [SPLIT, FOLDS])
def test_a_large_difference_is_declared_in_both_metrics(shape: Shape) -> None:
    for entry in compare(study(shape, shift=2.0)).entries:
        first = entry.first == 1
        assert entry.outcome == ("better" if first else "undecided")
        assert not first or (entry.difference > 0) == (entry.metric == "accuracy")
        assert (entry.adjusted_low <= 0 <= entry.adjusted_high) != first


def same(validated: Validated) -> Validated:
    """A study whose candidates all say what the first one says."""
    return replace(validated, log_probabilities=lambda _: validated.log_probabilities(1))


def test_identical_predictions_on_thousands_of_images_are_equivalent() -> None:
    for entry in compare(same(study(replace(SPLIT, images=2000)))).entries:
        assert (entry.difference, entry.outcome, entry.p) == (0, "equivalent", 1.0)
        assert entry.required == RequiredSize()
        assert entry.low <= 0 <= entry.high


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("images", [2, 5, 15, 60, 100])
@pytest.mark.parametrize("easy", [-1.0, 0.0, 3.0, 40.0])
def test_identical_predictions_on_few_images_show_nothing(images: int, easy: float) -> None:
    """Whether heads are wrong about many of them, or right about all."""

    def shift(_: int, said: np.ndarray) -> None:
        margin = said[..., 0] - said[..., 1] + easy
        said[:] = -np.logaddexp(0, np.stack([-margin, margin], -1))

    found = saying(same(study(Shape(candidates=2, seeds=10, images=images))), shift)
    for entry in compare(found).entries:
        assert (entry.difference, entry.outcome, entry.p) == (0, "undecided", 1.0)
        assert entry.required == RequiredSize()


@pytest.mark.parametrize("images", [2, 3, 4, 5])
def test_one_right_and_the_other_wrong_on_few_images_shows_nothing(images: int) -> None:
    def certain(candidate: int, said: np.ndarray) -> None:
        said[:] = (-0.01, -5.0) if candidate == 1 else (-5.0, -0.01)

    found = saying(study(Shape(candidates=2, seeds=10, images=images)), certain)
    for entry in compare(found).entries:
        assert abs(entry.difference) >= 1
        assert entry.outcome == "undecided"
        assert entry.adjusted_low <= 0 <= entry.adjusted_high


def test_losses_of_easy_images_are_not_shown_alike() -> None:
    """Of 2,000 images, 4 of which are wrong, the hard ones that were not drawn may be many."""

    def easy(_: int, said: np.ndarray) -> None:
        said[..., :4, :] = (-0.9, -0.5)
        said[..., 4:, :] = (-0.01, -5.0)

    found = saying(study(Shape(candidates=2, seeds=4, images=2000)), easy)
    outcomes = {entry.metric: entry.outcome for entry in compare(found).entries}
    assert outcomes == {"log_loss": "undecided", "accuracy": "equivalent"}


def test_alike_candidates_are_shown_equivalent_by_thousands_of_images() -> None:
    shape = Shape(candidates=2, seeds=8, images=3000)
    for number in range(5):
        found = study(shape, number=number, liking=0.1, seed=0.02, rest=0.2)
        assert [entry.outcome for entry in compare(found).entries] == ["equivalent"] * 2


@pytest.mark.parametrize("shape", [SPLIT, FOLDS])
def test_constant_predictions_are_compared_like_any(shape: Shape) -> None:
    def constant(candidate: int, said: np.ndarray) -> None:
        said[:] = np.log([0.6, 0.4] if candidate == 1 else [0.4, 0.6])

    first = compare(saying(study(shape), constant)).of("accuracy")[0]
    assert (first.difference, first.outcome) == (1.0, "better")


def test_a_difference_within_the_margin_is_equivalent_even_if_real() -> None:
    found = study(
        Shape(candidates=2, seeds=8, images=2000), shift=0.1, liking=0.02, seed=0.01, rest=0.05
    )
    wide = compare(found, margins=Margins(accuracy=0.05, log_loss=0.1)).of("log_loss")[0]
    narrow = compare(found, margins=Margins(accuracy=0.001, log_loss=0.001)).of("log_loss")[0]
    assert (wide.outcome, narrow.outcome) == ("equivalent", "better")
    assert wide.p_holm < 0.05


def test_one_seed_declares_nothing_and_asks_for_two() -> None:
    for entry in compare(study(replace(SPLIT, seeds=1), shift=5.0)).entries:
        assert (entry.outcome, entry.p, entry.p_equivalent) == ("undecided", 1.0, 1.0)
        assert (entry.low, entry.high) == (-np.inf, np.inf)
        assert entry.required == RequiredSize(seeds=2)


def test_failed_trials_cost_their_seed_in_their_pairs_only() -> None:
    def fail(candidate: int, said: np.ndarray) -> None:
        if candidate == 2:
            said[1, 0] = np.nan

    found = compare(saying(study(FOLDS), fail)).entries
    assert {(e.first, e.second): e.seeds for e in found} == {(1, 2): 3, (1, 3): 4, (2, 3): 3}
    assert all(np.isfinite([e.difference, e.low, e.high, e.p]).all() for e in found)


def test_a_candidate_that_only_failed_is_in_no_comparison() -> None:
    def fail(candidate: int, said: np.ndarray) -> None:
        if candidate == 2:
            said[:] = np.nan

    assert {(e.first, e.second) for e in compare(saying(study(), fail)).entries} == {(1, 3)}


def test_one_candidate_has_nothing_to_compare() -> None:
    assert compare(study(replace(SPLIT, candidates=1))).entries == ()


def test_a_baseline_is_compared_with_every_other() -> None:
    found = compare(study(), baseline=2)
    assert [(e.first, e.second) for e in found.of("accuracy")] == [(1, 2), (3, 2)]


def test_more_comparisons_make_it_harder() -> None:
    found = study(replace(SPLIT, candidates=6), shift=0.3)
    all_pairs = {(e.first, e.second, e.metric): e for e in compare(found).entries}
    for entry in compare(found, among=[1, 2]).entries:
        other = all_pairs[entry.first, entry.second, entry.metric]
        assert (other.difference, other.low, other.p) == (entry.difference, entry.low, entry.p)
        assert other.p_holm >= entry.p_holm
        assert other.adjusted_low <= entry.adjusted_low < entry.adjusted_high < other.adjusted_high


def test_a_baseline_that_the_scores_point_at_is_adjusted_for_all_pairs() -> None:
    """Chosen for its place in the table, it would stand out by luck among many."""
    shape = replace(SPLIT, candidates=6)
    chosen = study(shape, shift=1.0)  # 1 is the best
    found, pairs = compare(chosen, baseline=1), compare(chosen)
    assert (len(found.entries), found.family) == (10, 30)
    assert pairs.family == 30
    every = {(e.first, e.second, e.metric): e for e in pairs.entries}
    for entry in found.entries:
        turned = every[entry.second, entry.first, entry.metric]
        assert entry.p_holm >= turned.p_holm * (1 - 1e-6)
    means = Differences(chosen)
    orders = [sorted(range(1, 7), key=lambda c: means.mean(c, m)) for m in ("accuracy", "log_loss")]
    ordinary = set(orders[0][1:-1]) & set(orders[1][1:-1])
    assert ordinary
    assert {compare(chosen, baseline=each).family for each in ordinary} == {10}


def test_what_cannot_be_compared_is_refused() -> None:
    many = study(Shape(candidates=21, seeds=2, images=5))
    with pytest.raises(SettingError, match="at most 20"):
        compare(many)
    assert len(compare(many, baseline=1).of("accuracy")) == 20
    with pytest.raises(SettingError, match="baseline"):
        compare(many, baseline=99)
    with pytest.raises(SettingError, match="99"):
        compare(many, among=[1, 99])
    for margins in ({"accuracy": 0}, {"log_loss": -1}, {"accuracy": float("nan")}):
        with pytest.raises(SettingError):
            Margins(**margins)


@pytest.mark.when_changed("statistics")
def test_what_would_settle_it_probably_does() -> None:
    """With the seeds asked for, four of five studies of the same world declare or dismiss it."""
    world, shape = {"liking": 0.0}, Shape(candidates=2, seeds=4, images=300)
    for number in range(100):
        entry = compare(study(shape, shift=0.25, number=number, **world)).of("log_loss")[0]
        if (
            entry.outcome == "undecided"
            and (entry.required.seeds or 0) > 8
            and not entry.required.images
        ):
            break
    else:
        pytest.fail("no study asked for more seeds")
    wanted = replace(shape, seeds=entry.required.seeds)
    settled = sum(
        compare(study(wanted, shift=0.25, number=number, **world)).of("log_loss")[0].outcome
        != "undecided"
        for number in range(40)
    )
    assert settled > 20


@pytest.mark.parametrize(
    "change",
    [
        {"candidates": ()},
        {"names": ("one",)},
        {"units": np.arange(3)},
        {"fold_of": np.ones((1, 200), np.int64)},
        {"units": np.zeros(200, np.int64), "fold_of": np.arange(200)[None] % 2, "folds": 2},
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict) -> None:
    with pytest.raises(RunError, match="expected"):
        replace(study(), **change)


def test_scores_by_hand() -> None:
    said = np.log(np.array([[[[0.7, 0.3], [0.2, 0.8]]]], np.float32))
    one = Validated(
        (1,), ("a",), np.array([0, 0]), ("x", "y"), np.arange(2), np.zeros((1, 2), np.int64), 1,
        lambda _: said,
    )  # fmt: skip
    assert one.scores(1, "accuracy").ravel().tolist() == [1, 0]
    assert one.scores(1, "log_loss").ravel() == pytest.approx(-np.log([0.7, 0.2]))
    assert one.scores(1, "brier").ravel() == pytest.approx([0.18, 1.28])
    with pytest.raises(SettingError):
        one.scores(1, "nonsense")


def test_a_probability_of_0_is_a_large_loss_and_not_an_infinite_one() -> None:
    def never(candidate: int, said: np.ndarray) -> None:
        if candidate == 1:
            said[:, :, 0] = -np.inf, 0.0

    entry = compare(saying(study(), never)).of("log_loss")[0]
    assert np.isfinite([entry.difference, entry.low, entry.high]).all()


def test_a_swapped_comparison_is_that_of_the_swapped_candidates() -> None:
    validated = study(SPLIT, shift=2.0)
    for metric in ("accuracy", "log_loss"):
        (entry,) = compare(validated, among=(2,), baseline=1, metrics=[metric]).entries
        (other,) = compare(validated, among=(1,), baseline=2, metrics=[metric]).entries
        swapped = entry.swapped
        assert (swapped.first, swapped.second) == (other.first, other.second) == (1, 2)
        assert swapped.outcome == other.outcome
        assert swapped.difference == pytest.approx(other.difference)
        assert swapped.adjusted_low == pytest.approx(other.adjusted_low)
        assert swapped.adjusted_high == pytest.approx(other.adjusted_high)
        assert (swapped.low, swapped.high) == pytest.approx((other.low, other.high))
        assert swapped.swapped == entry
