"""What has changed where an image may have several labels: by label, not by label set."""

from __future__ import annotations

import numpy as np

from manyheads.data.changes import Listed
from manyheads.data.columns import Categorical
from manyheads.data.label_changes import LabelChanges


def listed(images: dict[str, str]) -> Listed:
    """Images by name, which is their content too, with their label sets as texts."""
    digests = [np.frombuffer(name.encode().ljust(16, b"."), np.uint8) for name in images]
    splits = Categorical.of(["train"] * len(images))
    return Listed(list(images), np.stack(digests), Categorical.of(images.values()), splits)


BEFORE = {"a": "long;red", "b": "red", "c": "(none)", "d": "long"}


def between(now: dict[str, str]) -> LabelChanges:
    return LabelChanges.between(listed(BEFORE), listed(now))


def test_a_label_whose_images_are_those_of_another_is_the_same_label() -> None:
    found = between({"a": "crimson;long", "b": "crimson", "c": "(none)", "d": "long"})
    assert found.renamed == {"red": "crimson"}
    assert (found.relabelled, found.new_classes, found.gone_classes) == ([], {}, [])
    assert found.any_content


def test_a_label_that_some_of_its_images_have_lost_is_no_other_one() -> None:
    found = between({"a": "crimson;long", "b": "(none)", "c": "(none)", "d": "long"})
    assert found.renamed == {}
    assert [pair.before for pair in found.relabelled] == [0, 1]
    assert (found.new_classes, found.gone_classes) == ({"crimson": 1}, ["red"])


def test_two_names_for_the_same_images_are_no_renaming() -> None:
    found = between(
        {"a": "crimson;long;scarlet", "b": "crimson;scarlet", "c": "(none)", "d": "long"}
    )
    assert found.renamed == {}
    assert found.new_classes == {"crimson": 2, "scarlet": 2}


def test_another_set_of_known_labels_is_no_new_label() -> None:
    found = between({"a": "long;red", "b": "long;red", "c": "red", "d": "long", "e": "wide"})
    assert found.new_classes == {"wide": 1}
    assert [pair.before for pair in found.relabelled] == [1, 2]
    assert found.added == [4]


def test_equal_sets_are_no_change() -> None:
    assert not between(dict(BEFORE)).any_content
