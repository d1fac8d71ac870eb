"""What may be asked of a fit."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.backbones import registry
from manyheads.core.settings import plain
from manyheads.data.augmentation_presets import PRESETS
from manyheads.errors import SettingError
from manyheads.heads.epoch_rules import chooses_epoch
from manyheads.run.fit.fit_settings import FitSettings, budget_words, search_grid, seconds_of
from manyheads.run.fit.image_options import EFFORTS, Effort, candidate_images, study_of


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        ("90", 90), ("90s", 90), (" 10M ", 600), ("1.5h", 5400), (45, 45), ("90 s", 90),
        ("1 hour", 3600), ("2 hours", 7200), ("30 min", 1800), ("1.5 Minutes", 90), ("5 sec", 5),
    ],
)  # fmt: skip
def test_a_budget_is_read_as_people_write_it(budget: Any, seconds: float) -> None:
    assert seconds_of(budget) == seconds


@pytest.mark.parametrize("budget", ["", "m", "ten minutes", "-5m", "10 days", "1e9h", None])
def test_another_budget_is_refused_with_an_example(budget: Any) -> None:
    with pytest.raises(SettingError, match="10m"):
        seconds_of(budget)


@pytest.mark.parametrize(
    ("rule", "kept", "metric"),
    [
        (None, None, "log_loss"), ("best_loss", None, "log_loss"), ("last", "last", "accuracy"),
        ("best_accuracy", "last", "accuracy"),
        ("best_macro_f1", "last_macro_f1", "macro_f1"),
        ("last_balanced_accuracy", "last_balanced_accuracy", "balanced_accuracy"),
    ],
)  # fmt: skip
def test_a_rule_names_the_score_that_ranks_after_the_last_epoch(
    rule: str | None, kept: str | None, metric: str
) -> None:
    settings = FitSettings(data="photos", backbone="xception", select=rule)
    assert (settings.select, settings.metric) == (kept, metric)
    assert ("select" in plain(settings)) == (kept is not None)
    study = study_of(settings, 5, (150, 1))
    assert study.select == (kept or "last")
    assert not chooses_epoch(study.select)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"select": "fixed:3"}, "train to the end of their schedule"),
        ({"select": "macro_f1"}, "last_macro_f1"),
        ({"balanced_batches": "perhaps"}, "balanced_batches"),
    ],
)
def test_what_a_fit_cannot_rank_or_balance_by_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        FitSettings(data="photos", **asked)


@pytest.mark.parametrize(("given", "kept"), [(True, "yes"), ("yes", "yes"), ("no", None)])
@pytest.mark.parametrize("effort", EFFORTS)
def test_balanced_batches_are_those_of_all_heads(
    given: Any, kept: str | None, effort: Effort
) -> None:
    settings = FitSettings(data="photos", backbone="xception", balanced_batches=given)
    assert settings.balanced_batches == kept
    assert ("balanced_batches" in plain(settings)) == (kept is not None)
    study = study_of(settings, 5, (150, 1), effort)
    assert study.grid.balanced_batches == (kept or "no",)


def test_a_decimal_comma_in_a_budget_has_its_remedy() -> None:
    with pytest.raises(SettingError, match=r"write 1\.5h, with a decimal point"):
        seconds_of("1,5h")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1s"), (89.1, "90s"), (119.5, "120s"), (120, "2m"), (121, "2.1m"), (5400, "90m"),
        (7200, "2h"), (7201, "2.1h"),
    ],
)  # fmt: skip
def test_a_budget_is_told_as_it_is_given_and_never_too_small(seconds: float, words: str) -> None:
    assert budget_words(seconds) == words
    assert seconds <= seconds_of(words) <= 1.06 * seconds + 1


@pytest.mark.parametrize(
    "wrong",
    [{"budget": 0}, {"heads": 0}, {"heads": 1000}, {"folds": 1}, {"size": 8}, {"size": "big"}],
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        FitSettings(data="none", **wrong)


def test_no_epoch_of_the_search_is_chosen_by_validation() -> None:
    for copies in (0, 1):
        grid = search_grid(copies)
        assert grid.learning_rate_schedule == ("cosine",)
        assert len(grid.epochs) == 1
        assert max(grid.augmented_copies) == copies


def test_copies_are_a_preset_and_the_usual_one_is_not_told() -> None:
    usual = FitSettings(data="photos")
    assert FitSettings(data="photos", augment="flip") == usual
    assert "augment" not in plain(usual)
    strong = FitSettings(data="photos", augment="strong")
    assert plain(strong)["augment"] == "strong"
    assert strong.augmentation == PRESETS["strong"]
    assert usual.augmentation.words == "flip"
    with pytest.raises(SettingError, match="none, flip, light, medium, strong"):
        FitSettings(data="photos", augment="huge")
    xception = registry.get("xception")
    assert all(not copies for _, copies in candidate_images(None, xception, copied=False))
