"""What `manyheads predict` counts, and says of it."""

from __future__ import annotations

import pytest

from manyheads.cli import predict_summary
from manyheads.cli.predict_summary import Tally


def test_the_summary() -> None:
    tally = Tally(progress=False)
    for label, given in (("cat", "cat"), ("dog", "cat"), ("cat", None), (None, "cat")):
        tally.count(label, None, given)
    tally.count(None, "an empty file", "cat")
    first, counts, agreeing = tally.lines(3, 1, 0.6)
    assert first.startswith("5 images in 0.0 s, ")
    assert first.endswith(" a second: 3 backbone passes, 1 from the cache")
    assert counts == "cat 2, dog 1, unsure 1 (below 0.6), unreadable 1"
    assert agreeing.startswith("1 of 2 answers (50.0%) are the label that was given; no test score")
    assert (tally.answered, tally.reason) == (4, "an empty file")


def test_what_was_there_before() -> None:
    tally = Tally(progress=False)
    tally.count("cat", None, None, before=True)
    assert tally.lines(0, 0, 0) == ["1 image in the file already", "cat 1"]
    tally.count("cat", None, None)
    first, before, counts = tally.lines(1, 0, 0)
    assert first.startswith("1 image in ")
    assert before == "1 image in the file already; 2 in all"
    assert counts == "cat 2"


@pytest.mark.parametrize("live", [True, False])
def test_progress(
    live: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: live)
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(predict_summary.time, "monotonic", lambda: float(next(clock)))
    tally = Tally(progress=True)
    for _ in range(4):
        tally.count("cat", None, None)
    tally.close()
    said = capsys.readouterr().err
    assert "2 images · 0.3/s" in said
    assert said.count("predicting") == (4 if live else 2)
    assert ("\r" in said) == live
