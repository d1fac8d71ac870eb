"""Names of checkpoints follow the lesson's pattern, and never meet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import SettingError
from manyheads.heads.bank import Metrics
from manyheads.heads.head import glorot_parameters
from manyheads.models.checkpoints import check_pattern, checkpoint_names
from manyheads.study.head_files import BestHead, about_head
from manyheads.study.select import Outcome
from manyheads.study.space import Trial
from tests.small_study import small_settings

LESSON = "xception_v3_{epoch:02d}_{val_accuracy:.3f}"


def test_the_lessons_pattern() -> None:
    assert named(LESSON, [(7, 0.83871)]) == ["xception_v3_07_0.839.keras"]


def test_the_lessons_pattern_with_its_suffix() -> None:
    assert named(f"{LESSON}.h5", [(12, 0.5)]) == ["xception_v3_12_0.500.h5"]
    assert named(f"{LESSON}.keras", [(12, 0.5)]) == ["xception_v3_12_0.500.keras"]


def test_every_field_has_its_value() -> None:
    pattern = "{learning_rate}-{size_inner}-{droprate}-{candidate}-{seed}-{trial}-{loss}"
    assert named(pattern, [(1, 0.5), (1, 0.5)]) == [
        "0.001-8-0.0-1-4-1-0.25.keras",
        "0.001-8-0.5-2-4-2-0.25.keras",
    ]


def test_equal_names_are_made_different() -> None:
    found = named(f"{LESSON}.h5", [(7, 0.84), (7, 0.84)])
    assert found == ["xception_v3_07_0.840.h5", "xception_v3_07_0.840_candidate-002.h5"]


@pytest.mark.when_changed("studies")
@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 1)), min_size=2, max_size=2))
def test_names_are_always_different(outcomes: list[tuple[int, float]]) -> None:
    for pattern in ("constant", "{epoch}", LESSON, "x{val_accuracy:.0f}_candidate-002"):
        assert len({name.lower() for name in named(pattern, outcomes)}) == 2


@pytest.mark.parametrize(
    "pattern",
    [
        "{val_acc:.3f}",
        "{}",
        "{0}",
        "{epoch",
        "{epoch:zz}",
        "{epoch.nothing}",
        "{epoch[0]}",
        "{val_accuracy:02d}",  # fits the 1 of a careless check, not the 0.839 of a trial
        "{epoch:999999999999d}",
    ],
)
def test_a_pattern_that_cannot_be_formatted(pattern: str) -> None:
    with pytest.raises(SettingError, match=r"fields learning_rate.*val_loss") as caught:
        check_pattern(pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    ["", " ", ".hidden", "..", "a/b", "a\\b", "/tmp/{epoch}", "../{epoch}", "a\nb", "a\0"],
)
def test_a_pattern_that_gives_no_file_name(pattern: str) -> None:
    with pytest.raises(SettingError, match="gives a file name"):
        check_pattern(pattern)


def test_a_pattern_that_gives_too_long_a_name() -> None:
    with pytest.raises(SettingError, match="at most 200 bytes, found 300"):
        check_pattern("{epoch:0300d}")


@pytest.mark.parametrize("pattern", [LESSON, f"{LESSON}.h5", "model", "{droprate:.1f} ☂"])
def test_a_good_pattern_passes(pattern: str) -> None:
    check_pattern(pattern)


def named(pattern: str, outcomes: Sequence[tuple[int, float]]) -> list[str]:
    """The names of heads that were best at (epoch, val_accuracy)."""
    heads, study = [], small_settings(Path("data"))
    for number, (epoch, accuracy) in enumerate(outcomes, start=1):
        curve = [Metrics(0.5, 0.25, accuracy, 0.75)] * epoch
        trial = Trial(number=number, candidate=number, seed=4, fold=0)
        parameters = glorot_parameters(4, 8, 3, np.random.default_rng(0))
        heads.append(BestHead(number, about_head(study, Outcome(trial, epoch, curve)), parameters))
    found = checkpoint_names(pattern, heads)
    assert [head for head, _ in found] == heads
    return [name for _, name in found]
