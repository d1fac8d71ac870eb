"""Two runs beside each other by the later labels: what is counted where, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import RunError
from manyheads.findings.held_out_comparison import HeldOutComparison, compare_held_out
from manyheads.run.run_answers import RunAnswers
from manyheads.stats.validation_predictions import Validated
from manyheads.study.folder import RunFolder
from tests.small_study import small_settings

CLASSES = ("cat", "dog", "owl")


def answers(
    name: str, labels: list[int], said: list[list[int]], *, first: int = 0, folds: int = 1,
    classes: tuple[str, ...] = CLASSES,
) -> RunAnswers:  # fmt: skip
    """A run whose heads (rows of `said`, a seed each) take the images for these classes."""
    count = len(labels)
    whole = np.full((len(said), count, len(classes)), np.log(0.1), np.float32)
    for seed, row in enumerate(said):
        whole[seed, np.arange(count), row] = np.log(0.8)

    def predicted(_: int) -> np.ndarray:
        return whole[:, np.newaxis]

    validated = Validated(
        (1,), ("x",), np.array(labels), classes, np.arange(count),
        np.arange(count)[np.newaxis] % folds, folds, predicted,
    )  # fmt: skip
    digests = tuple((first + n).to_bytes(16, "big") for n in range(count))
    settings: Any = small_settings  # of which nothing is asked here
    return RunAnswers(
        name, RunFolder(name), settings, 1, validated, whole[0], whole, whole, averaged=False,
        measured_on="", digests=digests, names=tuple(map(str, range(count))), files={},
        findings=None, fitted=None,
    )  # fmt: skip


def compare_relabelled(before: RunAnswers, after: RunAnswers) -> HeldOutComparison:
    return compare_held_out(before.held_out, after.held_out)


def test_both_are_judged_by_the_later_labels_and_changed_images_apart() -> None:
    before = answers("a", [0] * 20, [[0] * 15 + [1] * 5])
    after = answers("b", [0] * 15 + [1] * 5, [[0] * 20])
    found = compare_relabelled(before, after)
    assert found.kept is not None
    assert found.changed is not None
    assert (found.kept.images, found.kept.before, found.kept.after) == (15, 1.0, 1.0)
    assert (found.changed.images, found.changed.before, found.changed.after) == (5, 1.0, 0.0)
    assert "Not in this verdict: 5 images" in str(found)


def test_classes_are_known_by_their_names() -> None:
    before = answers("a", [0, 1] * 10, [[0, 1] * 10], classes=("dog", "owl"))
    after = answers("b", [1, 2] * 10, [[1, 2] * 10])
    found = compare_relabelled(before, after)
    assert found.changed is None
    assert found.kept is not None
    assert (found.kept.before, found.kept.after) == (1.0, 1.0)


def test_only_images_that_both_held_out_count() -> None:
    before = answers("a", [0] * 30, [[0] * 30])
    after = answers("b", [0] * 30, [[0] * 30], first=10)
    found = compare_relabelled(before, after)
    assert found.kept is not None
    assert (found.kept.images, found.apart) == (20, 20)
    assert "20 images that only one run held out do not count" in str(found)


def test_runs_without_a_common_image_are_not_compared() -> None:
    after = answers("b", [0] * 5, [[0] * 5], first=100)
    with pytest.raises(RunError, match="held out"):
        compare_relabelled(answers("a", [0] * 5, [[0] * 5]), after)
    with pytest.raises(RunError, match="earlier version"):
        compare_relabelled(replace(after, digests=None), after)


def test_few_images_have_no_interval() -> None:
    found = compare_relabelled(answers("a", [0] * 5, [[1] * 5]), answers("b", [0] * 5, [[0] * 5]))
    assert found.kept is not None
    assert found.kept.difference.low is None
    assert "too few images to tell" in found.sentences[0]


def test_if_every_label_was_changed_there_is_no_verdict() -> None:
    found = compare_relabelled(
        answers("a", [0] * 20, [[0] * 20]), answers("b", [1] * 20, [[1] * 20])
    )
    assert found.kept is None
    assert found.sentences[0].startswith("No verdict")


def test_a_large_difference_is_called_one_with_one_head_and_with_several() -> None:
    for seeds in (1, 5):
        before = answers("a", [0] * 200, [[1] * 100 + [0] * 100] * seeds)
        after = answers("b", [0] * 200, [[0] * 200] * seeds)
        found = compare_relabelled(before, after)
        assert found.kept is not None
        assert found.kept.outcome == "better"
        assert "relabelling helped" in found.sentences[0]
        assert compare_relabelled(after, before).sentences[0].endswith("relabelling did harm.")
        assert ("one head per image" in str(found)) == (seeds == 1)


@pytest.mark.when_changed("studies")
@given(st.data())
def test_the_interval_holds_the_difference_and_lies_between_one_and_minus_one(data: Any) -> None:
    seeds = data.draw(st.integers(1, 3))
    count = data.draw(st.integers(10, 40))
    said = st.lists(st.integers(0, 2), min_size=count, max_size=count)
    rows = st.lists(said, min_size=seeds, max_size=seeds)
    folds = data.draw(st.sampled_from([1, 2, 5]))
    before = answers("a", [0] * count, data.draw(rows), folds=folds)
    after = answers("b", [0] * count, data.draw(rows), folds=folds)
    kept = compare_relabelled(before, after).kept
    assert kept is not None
    difference = kept.difference
    assert difference.value == pytest.approx(kept.after - kept.before)
    if difference.low is not None and difference.high is not None:
        assert -1 <= difference.low <= difference.high <= 1
