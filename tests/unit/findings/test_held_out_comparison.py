"""Two runs beside each other by the later labels: what is counted where, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import RunError
from manyheads.findings.held_out_comparison import (
    HeldOutComparison,
    HeldOutPredictions,
    compare_held_out,
)
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


def label_answers(name: str, labels: str, own: list[str], said: list[str]) -> HeldOutPredictions:
    """A run of these labels (a letter each), with those that images have and those that it says."""
    count = len(own)
    targets, answers = (
        np.array([[label in image for label in labels] for image in each]) for each in (own, said)
    )
    return HeldOutPredictions(
        name, tuple(labels), tuple(n.to_bytes(16, "big") for n in range(count)),
        np.zeros(count, np.int64), np.where(answers, 2.0, -2.0).astype(np.float32)[np.newaxis],
        np.arange(count), np.zeros(count, np.int64), targets=targets,
    )  # fmt: skip


def test_several_labels_are_judged_by_those_that_both_know() -> None:
    before = label_answers("a", "xyz", ["x", "xy", "z"] * 10, ["x", "x", "z"] * 10)
    # y and z are the other way round, z is gone from both, and n is new.
    after = label_answers("b", "nyx", ["xn", "xy", "n"] * 10, ["x", "xy", "n"] * 10)
    found = compare_held_out(before, after)
    assert found.shared_labels == 2
    assert found.changed is None
    assert found.kept is not None
    assert (found.kept.images, found.kept.after) == (30, 1.0)
    assert found.kept.before == pytest.approx(5 / 6)  # one of the six labels of three images
    (new,) = found.new_labels
    assert (new.label, new.images, new.positives) == ("n", 30, 20)
    assert new.average_precision is not None
    # At 2.0 all ten are right; at -2.0 twenty of thirty are.
    assert new.average_precision.value == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert "by the 2 labels that both know" in found.sentences[0]
    assert "later run is better" in found.sentences[0]
    assert "Label 'n' is new: 20 of the 30 images" in found.sentences[1]


def test_images_whose_labels_were_changed_are_apart_and_a_new_label_alone_is_no_change() -> None:
    before = label_answers("a", "xy", ["x"] * 20, ["x"] * 20)
    after = label_answers("b", "xyn", [*["xn"] * 14, *["y"] * 6], ["x"] * 20)
    found = compare_held_out(before, after)
    assert found.kept is not None
    assert found.changed is not None
    assert (found.kept.images, found.changed.images) == (14, 6)
    assert (found.changed.before, found.changed.after) == (0.0, 0.0)
    assert "a share of 0.000 of these was told right before" in str(found)


def test_a_new_label_that_no_held_out_image_has_has_no_score() -> None:
    before = label_answers("a", "x", ["x", ""] * 10, ["x", ""] * 10)
    found = compare_held_out(before, label_answers("b", "xn", ["x", ""] * 10, ["x", ""] * 10))
    assert found.new_labels[0].average_precision is None
    assert "held out no image that has it" in str(found)


def test_runs_without_a_common_label_are_not_compared() -> None:
    one, other = (label_answers(each, each, [each] * 5, [each] * 5) for each in "xy")
    with pytest.raises(RunError, match="labels that both x and y know"):
        compare_held_out(one, other)
