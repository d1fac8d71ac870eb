"""Which setting to use, and how sure that is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from manyheads.findings.recommendation import (
    Evidence,
    NextStudy,
    Recommendation,
    recommend,
    training_words,
)
from manyheads.findings.wording import CandidateNames
from manyheads.stats.best_set import BestSet
from manyheads.stats.comparisons import Comparison, Comparisons, Margins
from manyheads.stats.power import RequiredSize
from manyheads.stats.winner import WinnerScore
from manyheads.study.study_settings import StudySettings


class _Named:
    """Stands for validation predictions of which only the names matter."""

    candidates = (1, 2, 3)
    names = ("droprate 0", "droprate 0.2", "droprate 0.5")


def pair(first: int, second: int, low: float, high: float, **changes: Any) -> Comparison:
    """A comparison of accuracies, undecided unless it is said otherwise."""
    given: dict[str, Any] = {
        "difference": (low + high) / 2, "low": low, "high": high,
        "adjusted_low": 2 * low, "adjusted_high": 2 * high, "p": 0.2, "p_holm": 0.6,
        "p_equivalent": 0.5, "outcome": "undecided", "first": first, "second": second,
        "metric": "accuracy", "seeds": 10, "required": RequiredSize(),
    }  # fmt: skip
    return Comparison(**(given | changes))


def evidence(*pairs: Comparison, best: tuple[int, ...] = (3, 2, 1), **changes: Any) -> Evidence:
    """A study in which droprate 0.5 was selected."""
    given: dict[str, Any] = {
        "selected": 3, "names": CandidateNames(_Named()),  # pyright: ignore[reportArgumentType]
        "best": BestSet("accuracy", best, 3, None),
        "comparisons": Comparisons(pairs, Margins()),
        "winner": WinnerScore("accuracy", 0.84, 0.83, 0.79, 0.87), "mean": 0.84, "seeds": 10,
        "folds": None, "images": 341, "pool": 3409,
    }  # fmt: skip
    return Evidence(**(given | changes))


FIRST, SECOND = pair(1, 3, -0.02, 0.01), pair(2, 3, -0.02, 0.01)


def found(*pairs: Comparison, **changes: Any) -> Recommendation:
    return recommend(evidence(*pairs, **changes))


def test_a_clear_answer() -> None:
    answer = found(FIRST, SECOND, best=(3,))
    assert (answer.confidence, answer.rivals, answer.next_study) == ("clear", (), None)
    assert answer.sentences == (
        "Use droprate 0.5: accuracy 0.840 on the 341 validation images that selected it, "
        "0.830 [0.790, 0.870] expected on new ones.",
        "Clear: each other setting is significantly worse (95 % confidence).",
    )
    (entry,) = answer.entries
    assert (entry.candidate, entry.score, entry.expected_low) == (3, 0.84, 0.79)


def test_too_close_to_call_and_the_study_that_would_tell() -> None:
    near = replace(FIRST, required=RequiredSize(seeds=20, images=1300))
    answer = found(near, SECOND, best=(3, 1))
    assert answer.confidence == "too close to call"
    assert answer.next_study == NextStudy(1, {"folds": 5, "seeds": 20})
    assert answer.sentences[1] == (
        "Too close to call: droprate 0 may be as good (95 % confidence). To separate it from "
        "droprate 0 (80 % power), train anew with `folds` 5 and `seeds` 20."
    )
    assert found(near, SECOND).sure == (
        "Too close to call: any of the 2 others may be as good (95 % confidence)."
    )


@pytest.mark.parametrize(
    ("required", "changes", "settings", "images"),
    [
        (RequiredSize(seeds=17), {}, {"seeds": 17}, None),
        (RequiredSize(repeats=4), {"folds": 5}, {"repeats": 4}, None),
        (RequiredSize(seeds=20, images=9000), {}, {}, 9000),
        (RequiredSize(seeds=20, images=2200), {"seeds": 30}, {"folds": 5}, None),
        (RequiredSize(images=2300), {}, {}, 2300),  # folds bring a variance of their own
        (RequiredSize(images=900), {"folds": 5}, {}, 900),
    ],
)
def test_what_would_separate_it(
    required: RequiredSize, changes: dict[str, Any], settings: dict[str, int], images: int | None
) -> None:
    answer = found(replace(FIRST, required=required), SECOND, **changes)
    assert answer.next_study == NextStudy(1, settings, images)
    for name in settings:  # they are settings of a study
        assert name in StudySettings.__dataclass_fields__


def test_nothing_within_reach_would_separate_it() -> None:
    answer = found(FIRST, SECOND)
    assert answer.next_study is None
    assert "too small to tell" in answer.next_words
    assert found(FIRST, SECOND, pool=100, images=20).next_words == ""  # folds come first
    assert "too small to tell" in found(FIRST, SECOND, pool=100, folds=5).next_words
    assert found(best=(3,)).next_words == ""


def test_probable_is_won_by_each_comparison_alone() -> None:
    won = pair(1, 3, -0.03, -0.001), pair(2, 3, -0.03, -0.002)
    assert found(*won).confidence == "probable"
    assert found(won[0], SECOND).confidence == "too close to call"
    turned = pair(3, 1, 0.001, 0.03)
    assert found(turned, best=(3, 1)).confidence == "probable"
    assert found(turned, best=(3, 1)).sure == (
        "Probable: droprate 0 may be as good, but each comparison by itself favours it."
    )


def test_a_loss_is_better_where_it_is_lower() -> None:
    lower = pair(3, 1, -0.05, -0.01, metric="log_loss")
    by_loss = BestSet("log_loss", (3, 1), 3, None)
    assert recommend(replace(evidence(lower), best=by_loss)).confidence == "probable"


def test_equivalent_settings() -> None:
    alike = replace(FIRST, outcome="equivalent")
    answer = found(alike, best=(3, 1))
    assert answer.sure == "Equivalent: droprate 0 is within ±1 point of it (95 % confidence)."


def test_one_seed_and_one_candidate() -> None:
    assert "Train `seeds` 5 or more." in found(FIRST, seeds=1).sure
    alone = found(best=(3,))
    assert (alone.confidence, alone.sure) == (
        "no comparison", "There is nothing to compare it with.",
    )  # fmt: skip


def test_without_an_expected_score() -> None:
    answer = found(FIRST, best=(3,), winner=None, folds=5)
    assert answer.use == "Use droprate 0.5: accuracy 0.840 on the 341 images that selected it."


def test_training_in_words() -> None:
    measures = {"the gap": (0.46, -0.02), "the loss": (0.3, 0.3), "the best epoch": (17.5, 25.3)}
    assert training_words("droprate", ("0", "0.8"), measures) == (
        "From droprate 0 to 0.8, the gap falls from 0.460 to −0.020, the loss stays at 0.300 and "
        "the best epoch rises from 17.5 to 25.3."
    )
    assert training_words("droprate", ("0", "0.8"), {}) == ""
