"""What `manyheads predict` counts, and says of it."""

from __future__ import annotations

from manyheads.cli.predict_summary import Tally
from manyheads.core.job import SILENT
from tests.jobs import HeardJob


def test_the_summary() -> None:
    tally = Tally(SILENT)
    for label, given in (("cat", "cat"), ("dog", "cat"), ("cat", None), (None, "cat")):
        tally.count(label, None, given)
    tally.count(None, "an empty file", "cat")
    first, counts, agreeing = tally.lines(3, 1, 0.6)
    assert first.startswith("5 images in 0.0 s, ")
    assert first.endswith(" per second: 3 backbone passes, 1 from the cache")
    assert counts == "cat 2, dog 1, unsure 1 (below 0.6), unreadable 1"
    assert agreeing.startswith("1 of 2 answers (50.0%) are the label that was given; no test score")
    assert (tally.answered, tally.reason) == (4, "an empty file")


def test_what_was_there_before() -> None:
    tally = Tally(SILENT)
    tally.count("cat", None, None, before=True)
    assert tally.lines(0, 0, 0) == ["1 image in the file already", "cat 1"]
    tally.count("cat", None, None)
    first, before, counts = tally.lines(1, 0, 0)
    assert first.startswith("1 image in ")
    assert first.endswith(": 1 backbone pass, 0 from the cache")
    assert before == "1 image in the file already; 2 in all"
    assert counts == "cat 2"


def test_progress() -> None:
    job = HeardJob()
    tally = Tally(job)
    for _ in range(3):
        tally.count("cat", None, None)
    assert job.steps("predicting") == [(1, 0), (2, 0), (3, 0)]


def test_labels_that_are_no_classes_say_why() -> None:
    tally = Tally(SILENT, ("001", "002"))
    for label, given in (("001", "1"), ("002", "2"), ("001", "001")):
        tally.count(label, None, given)
    lines = tally.lines(3, 0, 0.0)
    assert any(line.startswith("1 of 3 answers (33.3%)") for line in lines)
    assert any(
        line.startswith("2 of 3 labels that were given are no class of the model: '1', '2'; ")
        and "did a spreadsheet drop zeros" in line
        for line in lines
    )


def test_an_accent_is_compared_however_it_is_composed() -> None:
    tally = Tally(SILENT, ("caf\u00e9", "tea"))
    tally.count("caf\u00e9", None, "cafe\u0301")
    lines = tally.lines(1, 0, 0.0)
    assert any(line.startswith("1 of 1 answers") for line in lines)
    assert not any("no class" in line for line in lines)


def test_numbers_as_names_of_classes_are_said_with_their_outputs() -> None:
    tally = Tally(SILENT, ("0", "10", "2"))
    tally.count("10", None, None)
    assert "output 1 is class 10" in tally.lines(1, 0, 0.0)[-1]
