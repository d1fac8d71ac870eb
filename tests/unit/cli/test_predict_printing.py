"""Predictions on stdout, for people and for programs."""

from __future__ import annotations

import json

import pytest

from manyheads.cli import predict_printing
from manyheads.cli.predict_printing import ArrayPrinter, LinePrinter, Printer, TablePrinter
from manyheads.models.row_lines import LINES
from tests.unit.models.outputs import FULL, PLAIN, entries

Capture = pytest.CaptureFixture[str]


def printed(printer: Printer, capsys: Capture, count: int = 9) -> str:
    for entry in entries(count):
        printer.write(entry, "dog")
    printer.finish()
    return capsys.readouterr().out


def test_an_array_is_what_json_makes_of_the_whole(capsys: Capture) -> None:
    documents = [FULL.document(entry, "dog") for entry in entries()]
    wanted = json.dumps(documents, indent=2, ensure_ascii=False) + "\n"
    assert printed(ArrayPrinter(FULL), capsys) == wanted
    assert printed(ArrayPrinter(FULL), capsys, 0) == "[]\n"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_lines_are_printed_as_they_come(capsys: Capture, suffix: str) -> None:
    lines = LINES[suffix]
    printer = LinePrinter(PLAIN, lines)
    assert capsys.readouterr().out == lines.header(PLAIN).decode()
    for entry in entries():
        printer.write(entry)
        assert capsys.readouterr().out == lines.written(PLAIN, entry, None).decode()


def test_a_table_of_all_rows_where_no_terminal_is(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict_printing, "_BLOCK", 4)
    found = printed(TablePrinter(FULL), capsys, 90)
    assert found.count("probability") == 1  # one head over all blocks
    assert sum(line.startswith("photos/") for line in found.splitlines()) == 90
    first = next(line for line in found.splitlines() if "photos/12.jpg" in line)
    last = next(line for line in found.splitlines() if "photos/84.jpg" in line)
    assert first.split()[1:] == last.split()[1:]
    assert first.index("cat") == last.index("cat")
    assert first.split() == ["photos/12.jpg", "cat", "0.500", "0.100–0.700", "25%", "dog,", "small",
                             "0.375", "dog"]  # fmt: skip
    assert "unreadable: a damaged or" in found
    assert "unsure" in found


def test_a_terminal_gets_the_first_rows(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    found = printed(TablePrinter(PLAIN), capsys, predict_printing.SHOWN + 7)
    assert found.rstrip().splitlines()[-1] == "… 7 more; --out FILE.csv keeps all of them"
    assert f"photos/{predict_printing.SHOWN - 4}.jpg" in found
    assert f"photos/{predict_printing.SHOWN}.jpg" not in found


def test_an_unsure_answer_shows_its_classes(capsys: Capture) -> None:
    found = printed(TablePrinter(PLAIN), capsys, 3).splitlines()[-1]
    assert found.split() == ["photos/2.jpg", "unsure", "0.500", "cat", "0.500,", "dog,", "small",
                             "0.375,", "error", "0.125"]  # fmt: skip
