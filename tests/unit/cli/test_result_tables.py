"""Tables for people and JSON for programs."""

from __future__ import annotations

import json

import pytest

from manyheads.cli import result_tables
from manyheads.findings.score_tables import results_table
from manyheads.heads.bank import Metrics
from manyheads.study.results import StudyResult
from manyheads.study.select import CandidateResult, Outcome, ranked, summarise
from manyheads.study.space import Grid, Trial


def made_up(grid: Grid, peaks: list[list[float]], failed: list[int]) -> StudyResult:
    """A result of one-epoch trials with these peaks, a list a candidate."""
    results: list[CandidateResult] = []
    for number, (values, lost) in enumerate(zip(peaks, failed, strict=True), start=1):
        outcomes = [
            Outcome(
                Trial(number=n, candidate=number, seed=n, fold=0), 1, [Metrics(0.5, 1, peak, 0.75)]
            )
            for n, peak in enumerate(values)
        ]
        results.append(summarise(number, "best_accuracy", outcomes, lost, 1))
    rest = tuple(result for result in results if result.best is None)
    return StudyResult("best_accuracy", grid, tuple(ranked("best_accuracy", results)), (), rest)


def shown(result: StudyResult, capsys: pytest.CaptureFixture[str]) -> list[str]:
    result_tables.print_table(results_table(result, result.grid.varying))
    return [line for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_the_best_is_marked_and_failures_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    grid = Grid((0.01,), (10,), (0.0, 0.2, 0.5))
    lines = shown(made_up(grid, [[0.5, 0.7], [0.8], []], [0, 1, 2]), capsys)[-3:]
    assert "0.800" in lines[0]
    assert "±" not in lines[0]
    assert lines[0].endswith("← selected 1 diverged")
    assert lines[1].split()[:4] == ["0", "0.600", "±", "0.141"]
    assert lines[2].split() == ["0.5", *"–" * 5, "every", "trial", "diverged"]


def test_a_pruned_candidate_has_no_score_after_a_last_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = made_up(Grid((0.01,), (10,), (0.0, 0.5)), [[0.5], [0.7]], [0, 0])
    short, full = (each for each in whole.in_order)
    for rule, cells in (
        ("last", ["–", "–", "0.500", "0.750"]),
        ("fixed:1", ["0.500", "0.750"] * 2),
    ):
        result = StudyResult(rule, whole.grid, (full,), (short.pruned(1),), ())
        assert shown(result, capsys)[-1].split()[:5] == ["0", *cells]


def test_a_candidate_without_an_inner_layer_says_none(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(made_up(Grid((0.01,), (0, 10), (0.0,)), [[0.5], [0.6]], [0, 0]), capsys)
    assert [line.split()[0] for line in lines[-2:]] == ["10", "none"]


def test_where_nothing_varies_everything_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(made_up(Grid((0.01,), (10,), (0.5,)), [[0.5]], [0]), capsys)
    assert lines[-1].split()[:3] == ["0.01", "10", "0.5"]


def test_a_table_is_never_folded_where_no_terminal_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = shown(made_up(Grid((0.01,), (10,), (0.0, 0.5)), [[0.5], [0.6]], [0, 0]), capsys)
    assert len(lines) == 5
    assert not any(line.endswith(" ") for line in lines)


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    result_tables.print_json({"a": [float("nan"), 1.5], "b": (float("inf"), None), "ü🦊": "ü🦊"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": [None, 1.5], "b": [None, None], "ü🦊": "ü🦊"}
    assert "ü🦊" in text
