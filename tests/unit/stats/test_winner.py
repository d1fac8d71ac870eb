"""What to expect of the selected candidate on new images, where the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import bdtrik

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.findings.selection import Curves, luck
from manyheads.stats import winner
from manyheads.stats.comparisons import Differences
from manyheads.stats.validation_predictions import OtherEpochs, Validated
from manyheads.stats.winner import WinnerScore, winner_scores

SHAPE = Shape(candidates=10, seeds=3, images=100)
LEADING = {"accuracy": ("accuracy", max), "log_loss": ("log_loss", min)}


def study(shape: Shape = SHAPE, number: int = 0) -> Validated:
    return made_up(np.random.default_rng(number), World(), shape)


def selected(validated: Validated, rule: str) -> int:
    metric, most = LEADING[rule]
    means = Differences(validated)
    return most(validated.candidates, key=lambda candidate: means.mean(candidate, metric))


def scores(
    validated: Validated, rule: str = "accuracy", candidate: int | None = None
) -> dict[str, WinnerScore]:
    chosen = candidate or selected(validated, rule)
    found = winner_scores(Differences(validated), chosen, rule, among=validated.candidates)
    return {each.metric: each for each in found}


def with_luck(validated: Validated, of: Callable[[int, str], float] | OtherEpochs) -> Validated:
    """The same with heads whose epochs were chosen with so much luck."""
    heads = validated.seeds(), len(validated.fold_of), validated.folds
    if not isinstance(of, OtherEpochs):
        lucky = of
        of = OtherEpochs(
            at=lambda candidate, _: validated.log_probabilities(candidate),
            training=lambda _: np.zeros(heads),
            luck=lambda candidate, metric: np.full(heads, lucky(candidate, metric)),
        )
    return replace(validated, other_epochs=of)


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("rule", LEADING)
def test_it_is_unbiased_and_its_interval_holds_the_truth_where_the_naive_score_flatters(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten alike candidates: whichever is selected is worth the same."""
    monkeypatch.setattr(winner, "RESAMPLES", 250)
    spread = np.linalg.norm([World().image, World().liking, World().seed, World().rest])
    margins = np.random.default_rng(1).normal(1.5, spread, 1_000_000)
    truth = {"accuracy": (margins > 0).mean(), "log_loss": np.logaddexp(0, -margins).mean()}
    studies = 200
    found = [scores(study(number=number), rule) for number in range(studies)]
    for metric, true in truth.items():
        mine = [each[metric] for each in found]
        errors = np.array([each.score for each in mine]) - true
        naive = np.array([each.naive for each in mine]) - true
        error = errors.std() / studies**0.5
        assert abs(errors.mean()) < 3 * error
        flattered = naive.mean() if metric == "accuracy" else -naive.mean()
        assert flattered > 4 * error
        held = sum(
            e.low <= true <= e.high for e in mine if e.low is not None and e.high is not None
        )
        assert held >= bdtrik(0.001, studies, 0.95)


def test_equal_inputs_give_equal_scores() -> None:
    assert scores(study()) == scores(study())
    assert scores(study()) != scores(study(number=1))


def test_a_single_candidate_is_worth_what_it_scored() -> None:
    """Nothing was chosen, so that the score is the naive one but for the draws of images."""
    found = scores(study(replace(SHAPE, candidates=1, images=300)))
    for each in found.values():
        assert each.score == pytest.approx(each.naive, rel=0.02)
        assert each.low is not None
        assert each.high is not None
        assert each.low < each.naive < each.high


def test_of_one_unit_there_is_nothing_to_draw() -> None:
    whole = replace(study(), units=np.zeros(SHAPE.images, np.int64))
    for each in scores(whole).values():
        assert (each.score, each.low, each.high) == (each.naive, None, None)


def test_all_right_of_eight_is_not_certain() -> None:
    """The interval is Wilson's: n / (n + z²) to 1."""
    base = study(replace(SHAPE, candidates=1, images=8))
    said = np.full_like(base.log_probabilities(1), -9.0)
    said[..., np.arange(8), base.labels] = -0.001
    found = scores(replace(base, log_probabilities=lambda _: said))["accuracy"]
    assert (found.score, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(8 / (8 + 1.959964**2), abs=1e-4)


def test_candidates_that_tie_are_worth_what_each_is() -> None:
    base = study()
    tied = replace(base, log_probabilities=lambda _: base.log_probabilities(1))
    alone = winner_scores(Differences(base), 1, "accuracy", among=[1])
    found = winner_scores(Differences(tied), 1, "accuracy", among=base.candidates)
    for one, other in zip(found, alone, strict=True):
        assert vars(one) == pytest.approx(vars(other))


def test_images_of_a_unit_are_drawn_together() -> None:
    base = study(replace(SHAPE, candidates=2))
    twice = replace(
        base,
        labels=np.tile(base.labels, 2),
        units=np.tile(base.units, 2),
        fold_of=np.tile(base.fold_of, 2),
        log_probabilities=lambda candidate: np.tile(
            base.log_probabilities(candidate), (1, 1, 2, 1)
        ),
    )
    for metric, each in scores(base).items():
        assert vars(scores(twice)[metric]) == pytest.approx(vars(each))


def test_a_failed_candidate_is_not_chosen_and_one_without_a_seed_has_no_score() -> None:
    base = study(replace(SHAPE, candidates=3))

    def said(candidate: int) -> np.ndarray:
        kept = base.log_probabilities(candidate).copy()
        if candidate == 2:
            kept[:] = np.nan
        return kept

    found = replace(base, log_probabilities=said)
    without = winner_scores(Differences(base), 1, "accuracy", among=[1, 3])
    assert winner_scores(Differences(found), 1, "accuracy", among=[1, 2, 3]) == without
    assert winner_scores(Differences(found), 2, "accuracy", among=[1, 2, 3]) == ()


def test_of_a_given_split_the_luck_of_the_epoch_is_taken_off() -> None:
    base = study()
    lucky = with_luck(base, lambda _, metric: 0.03 if metric == "accuracy" else -0.1)
    before, after = scores(base), scores(lucky)
    for metric, off in (("accuracy", 0.03), ("log_loss", -0.1)):
        assert after[metric].naive == before[metric].naive
        assert after[metric].score == pytest.approx(before[metric].score - off)


def test_in_folds_scores_are_without_luck_and_the_naive_one_has_it() -> None:
    base = study(replace(SHAPE, folds=4))
    lucky = with_luck(base, lambda candidate, _: 0.03 if candidate == 1 else 0.0)
    before = scores(base, candidate=1)
    after = scores(lucky, candidate=1)
    assert after["accuracy"].naive == pytest.approx(before["accuracy"].naive)
    alone = winner_scores(Differences(lucky), 1, "accuracy", among=[1])[1]
    assert alone.naive - alone.score == pytest.approx(0.03, abs=0.01)


def test_the_luck_of_a_split_is_that_of_the_studys_curves() -> None:
    """Seeds that peak at different epochs each have luck; those that peak together have none."""
    base = study(replace(SHAPE, candidates=1))
    accuracy = np.full((1, 3, 1, 1, 3), 0.7)
    accuracy[0, [0, 1, 2], 0, 0, [0, 1, 2]] += 0.06
    together = np.full((1, 3, 1, 1, 3), 0.7) + np.array([0.0, 0.06, 0.0])

    def expected(curve: np.ndarray) -> float:
        curves = Curves(curve, 1 - curve)
        heads = luck(curves, "accuracy", "best_accuracy")[0]
        others = OtherEpochs(
            at=lambda candidate, _: base.log_probabilities(candidate),
            training=lambda _: np.zeros((3, 1, 1)),
            luck=lambda *_: heads,
        )
        return scores(with_luck(base, others))["accuracy"].score

    plain = scores(base)["accuracy"].score
    assert expected(accuracy) == pytest.approx(plain - 0.06)
    assert expected(together) == pytest.approx(plain)
