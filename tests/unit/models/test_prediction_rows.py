"""What a row holds of a prediction, as cells and as a document."""

from __future__ import annotations

import json

import pytest

from manyheads.models.prediction_rows import RowForm, json_text
from tests.unit.models.outputs import CLASSES, FULL, PLAIN, entries


def test_a_column_a_class_whose_name_no_other_column_has() -> None:
    assert PLAIN.columns == [
        "image", "label", "confidence", "cat", "probability of error", "dog, small", "error",
    ]  # fmt: skip
    good, bad, unsure = entries(3)
    assert PLAIN.cells(good) == ["photos/0.jpg", "cat", 0.5, 0.5, 0.125, 0.375, None]
    assert PLAIN.cells(bad)[1:] == [None] * 5 + ["a damaged or\ntruncated one"]
    assert PLAIN.cells(unsure)[1] is None


def test_all_that_can_be_asked_for() -> None:
    assert FULL.columns == [
        "image", "label", "confidence", "class_1", "probability_1", "class_2", "probability_2",
        "abstained", "low", "high", "others", "given", "error",
    ]  # fmt: skip
    good, bad, unsure = entries(3)
    assert FULL.cells(good, "dog")[2:] == [
        0.5, "cat", 0.5, "dog, small", 0.375, False, 0.1, 0.7, 0.25, "dog", None
    ]  # fmt: skip
    assert FULL.cells(bad)[1:-1] == [None] * 6 + [False] + [None] * 4
    assert FULL.cells(unsure)[7]
    for entry in (good, bad, unsure):
        assert len(FULL.cells(entry)) == len(FULL.columns)


def test_documents() -> None:
    good, bad, unsure = entries(3)
    assert FULL.document(good, "dog") == {
        "image": "photos/0.jpg",
        "label": "cat",
        "confidence": 0.5,
        "probabilities": {"cat": 0.5, "dog, small": 0.375},
        "abstained": False,
        "uncertainty": {"low": 0.1, "high": 0.7, "others": 0.25},
        "given": "dog",
    }
    assert FULL.document(unsure)["abstained"]
    assert PLAIN.document(bad) == {
        "image": bad.image, "label": None, "confidence": None, "probabilities": {},
        "error": bad.error,
    }  # fmt: skip


@pytest.mark.parametrize("top", [3, 99])
def test_no_more_classes_than_there_are(top: int) -> None:
    form = RowForm(classes=CLASSES, top=top)
    assert form.columns[-3:] == ["class_3", "probability_3", "error"]
    assert len(form.cells(entries()[0])) == len(form.columns)


def test_names_that_are_no_text_survive() -> None:
    assert json_text({"image": "ü.jpg"}) == '{"image": "ü.jpg"}'
    odd = json_text({"image": "\udcff.jpg"})
    assert odd.encode()
    assert json.loads(odd) == {"image": "\udcff.jpg"}
