"""Commands in a real pseudo-terminal: what a person sees at several widths and encodings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from tests.small_study import small_images
from tests.terminals import Session, run_in_terminal

pytest.importorskip("termios")

RATES, DROPRATES = ("0.001", "0.01"), ("0", "0.2", "0.5", "0.8")
SWEEP = (
    "sweep", "photos", "--backbone", "mobilenet", "--weights", "random:0", "--image-size", 32,
    "--learning-rate", ",".join(RATES), "--droprate", ",".join(DROPRATES), "--size-inner", 8,
    "--epochs", 3, "--seeds", 2, "--select", "best_accuracy",
)  # fmt: skip
SELDOM = pytest.mark.when_changed("screens")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7])(?:;\d+)*m")

Terminal = Callable[..., Session]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Run a command in a folder with photographs and a cache that all commands share."""
    folder = tmp_path_factory.mktemp("terminal")
    small_images(folder / "photos", test=2)

    def run(*arguments: object, width: int = 80, interrupt_at: str = "", **more: str) -> Session:
        cache = {"MANYHEADS_CACHE": str(folder / more.pop("cache", "cache"))}
        return run_in_terminal(
            arguments, folder, width, environment=cache | more, interrupt_at=interrupt_at
        )

    return run


def plan_of(lines: Sequence[str]) -> list[str]:
    """The lines of the plan, which a blank one ends."""
    start = next(n for n, line in enumerate(lines) if line.startswith("Data "))
    return list(lines[start : lines.index("", start)])


def candidates(lines: Sequence[str], mark: str = "← selected") -> list[tuple[str, str]]:
    """The hyperparameters of the rows of the table of results, whose first is the selected one."""
    rows = [line for line in lines if re.search(r"\d ?(±|\+-) ?\d", line)]
    assert [line.endswith(mark) for line in rows] == [True, *[False] * (len(rows) - 1)]
    found = [re.match(r" *([\d.]+)[ |]+([\d.]+)[ |]", line) for line in rows]
    return [(each[1], each[2]) for each in found if each is not None]


@pytest.mark.when_changed("screens")
@pytest.mark.parametrize(
    "width", [80, *(pytest.param(each, marks=SELDOM) for each in (60, 120, 200))]
)
def test_a_sweep_is_right_at_every_width(terminal: Terminal, width: int) -> None:
    told = terminal(*SWEEP, "--out", f"runs/{width}", width=width)
    assert told.code == 0, told.text
    lines = told.screen.lines
    # A command to copy stays in one piece.
    assert [row for row in told.screen.wrapped if "  manyheads " not in row] == []
    plan = plan_of(lines)
    labels = [line.split()[0] for line in plan if line[0] != " "]
    assert labels == ["Data", "Backbone", "Grid", "Time"]
    assert all(line[:11] == " " * 11 for line in plan if line[0] == " ")
    assert sorted(candidates(lines)) == [(rate, drop) for rate in RATES for drop in DROPRATES]
    peaks = [float(peak) for peak in re.findall(r"^ *[\d.]+ +[\d.]+ +(0\.\d+) ?±", "\n".join(lines),
                                                re.MULTILINE)]  # fmt: skip
    assert peaks == sorted(peaks, reverse=True)
    assert ("Not shown here" in "\n".join(lines)) == (width < 100)
    for label in ("Use", "Verdict", "Model"):
        start = next(n for n, line in enumerate(lines) if line.startswith(f"{label} "))
        more = lines[start + 1 : lines.index("", start)]
        assert all(line[:9] == " " * 9 for line in more if not re.match(r"[A-Z]\w+ ", line))
    # What was counted stays, and its times; of spinners nothing does.
    assert [line for line in lines if "training  16/16 heads" in line]
    assert not [line for line in lines if "preparing" in line and "Time" not in line]
    assert told.text.count("\x1b[?25l") == told.text.count("\x1b[?25h") > 0
    assert told.text.rindex("\x1b[?25h") > told.text.rindex("\x1b[?25l")


@pytest.mark.when_changed("screens")
def test_what_is_done_once_has_a_spinner_and_an_interruption_one_line(terminal: Terminal) -> None:
    told = terminal(
        *SWEEP, "--out", "runs/other", interrupt_at="preparing mobilenet  0:0", cache="other"
    )
    assert told.code == 130
    assert told.screen.wrapped == []
    *_, last = [line for line in told.screen.lines if line]
    end = " ".join(" ".join(told.screen.lines).partition("stopping …")[2].split())
    assert re.fullmatch(r"manyheads: stopped before .+ was finished; .+", end)
    assert "preparing mobilenet  0:" not in "\n".join(told.screen.lines)
    assert told.text.count("\x1b[?25l") == told.text.count("\x1b[?25h")
    assert last


@SELDOM
@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        ({"NO_COLOR": "1"}, "← selected"),
        ({"PYTHONIOENCODING": "ascii"}, "<- selected"),
        ({"PYTHONIOENCODING": "cp1252"}, "<- selected"),
        ({"PYTHONIOENCODING": "cp850"}, "<- selected"),
    ],
)
def test_a_terminal_without_colours_or_signs_loses_nothing(
    terminal: Terminal, environment: dict[str, str], mark: str
) -> None:
    name = "".join(environment.values())
    told = terminal(*SWEEP, "--out", f"runs/{name}", **environment)
    assert told.code == 0, told.text
    assert told.screen.wrapped == []
    assert len(candidates(told.screen.lines, mark)) == 8
    if "NO_COLOR" in environment:
        assert not COLOUR.search(told.text)
    if name == "ascii":
        assert told.text.isascii()
    assert "training  16/16 heads" in told.text


@SELDOM
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(terminal: Terminal) -> None:
    told = terminal(*SWEEP, "--out", "runs/dumb", TERM="dumb")
    assert told.code == 0, told.text
    assert "\x1b" not in told.text
    assert told.screen.wrapped == []
    assert len(candidates(told.screen.lines)) == 8


def test_errors_are_broken_between_words(terminal: Terminal) -> None:
    for line in (
        ("sweep", "photos", "--dropout", "0.5", "--lr", "0.1", "--bs", "3"),
        ("sweep", "photos", "--droprate", "1.5", "--out", "runs/none"),
    ):
        told = terminal(*line, width=60)
        assert told.code in (1, 2)
        assert told.screen.wrapped == []
        assert len([each for each in told.screen.lines if each]) > 1
