"""Predictions read well, and give their numbers as an array."""

from __future__ import annotations

import numpy as np

from manyheads.models.prediction import Prediction, Predictions

GOOD = Prediction("a.jpg", "cat", 0.75, {"cat": 0.75, "dog": 0.25})
BAD = Prediction("b.jpg", None, float("nan"), {}, "an empty file")
UNSURE = Prediction("c.jpg", None, 0.5, {"cat": 0.5, "dog": 0.5}, abstained=True)


def test_predictions_read_well() -> None:
    found = Predictions(("cat", "dog"), [GOOD, BAD, UNSURE, *[GOOD] * 4])
    assert repr(found).splitlines() == [
        "<7 predictions>",
        "a.jpg: cat (0.75)",
        "b.jpg: unreadable, an empty file",
        "c.jpg: unsure (0.50)",
        *["a.jpg: cat (0.75)"] * 2,
        "… and 2 more",
    ]
    assert repr(Predictions(("cat",), [])) == "<0 predictions>"
    wanted = [[0.75, 0.25], [np.nan, np.nan], [0.5, 0.5]]
    np.testing.assert_array_equal(found.probabilities[:3], wanted)
    assert found.labels[:3] == ["cat", None, None]


def test_the_most_probable_classes() -> None:
    entry = Prediction("a.jpg", "b", 0.4, {"a": 0.2, "b": 0.4, "c": 0.4})
    assert entry.most_probable(2) == [("b", 0.4), ("c", 0.4)]  # of equals, the label is first
    assert entry.most_probable(9) == [("b", 0.4), ("c", 0.4), ("a", 0.2)]
    assert BAD.most_probable(2) == []


def test_a_notebook_shows_a_table() -> None:
    odd = Prediction("<b>.jpg", "cat", 0.75, {"cat": 0.75, "dog": 0.25})
    shown = Predictions(("cat", "dog"), [odd, BAD, UNSURE, *[GOOD] * 30], ["1 & 2"])._repr_html_()
    assert "&lt;b&gt;.jpg" in shown
    assert "<b>" not in shown
    assert "unreadable: an empty file" in shown
    assert ">unsure</td>" in shown
    assert "cat 0.500, dog 0.500" in shown
    assert shown.count("<tr>") == 1 + 20
    assert "<p>… and 13 more</p><p>1 &amp; 2</p>" in shown
    assert GOOD._repr_html_().count("<tr>") == 2
