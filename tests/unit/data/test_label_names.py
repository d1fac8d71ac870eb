"""Names of classes of two sources, and in which order they stand."""

from __future__ import annotations

import pytest

from manyheads.data.label_names import alike_numbers, outputs_words, strangers_words

CAFE, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def test_labels_that_are_classes_need_no_words() -> None:
    assert strangers_words(["cat", DECOMPOSED], ["cat", CAFE, "dog"]) is None
    assert strangers_words([], ["cat", "dog"]) is None


@pytest.mark.parametrize(
    ("labels", "classes", "told"),
    [
        (["1", "2"], ["001", "002"], "did a spreadsheet drop zeros"),
        (["1.0", "2.0"], ["1", "2"], "not '1.0' for '1', '2.0' for '2'"),
        (["1,0"], ["1", "2"], "not '1,0' for '1'"),
        (["Cat"], ["cat", "dog"], "they differ in upper and lower case, spaces or signs"),
        (["t shirt", "T-SHIRT"], ["t-shirt", "hat"], "'t shirt' for 't-shirt'"),
        (["cat\u200b"], ["cat", "dog"], "for 'cat'"),
        (["0", "1"], ["cat", "dog"], "the labels are numbers: write the classes' names"),
        (["fox"], ["cat", "dog"], "no class of the model: 'fox'; its classes: 'cat', 'dog'"),
        (["-1"], ["1", "2"], "no class of the model: '-1'"),
    ],
)
def test_labels_that_are_none_say_why(labels: list[str], classes: list[str], told: str) -> None:
    words = strangers_words(labels, classes)
    assert words is not None
    assert told in words
    assert words.startswith("no class of the model: ")


def test_what_is_told_is_bounded() -> None:
    words = strangers_words(map(str, range(1000, 3000)), [f"class {n}" for n in range(500)])
    assert words is not None
    assert len(words) < 300
    assert "and 1995 more" in words


def test_which_output_is_which() -> None:
    assert outputs_words(["cat", "1"]) is None
    assert outputs_words([]) is None
    assert outputs_words(["0", "1", "2"]) == "output N is class N, from 0 to 2"
    assert outputs_words(["1", "2"]) == "output 0 is class 1, output 1 is class 2"
    assert outputs_words(["0", "1", "10", "11", "2"]) == (
        "output 2 is class 10, output 3 is class 11, output 4 is class 2; names are sorted as "
        "text, 10 before 2"
    )
    many = outputs_words(sorted(map(str, range(100))))
    assert many is not None
    assert "and 83 more" in many  # 0, 1 and 90 to 99 stand where they would by number


def test_classes_that_are_one_number() -> None:
    classes = ["0", "00", "1", "1.0", "01", "2", "-1", "cat", "1.5"]
    assert alike_numbers(classes) == [("0", "00"), ("1", "1.0", "01")]
    assert alike_numbers(["1", "2", "1a"]) == []
