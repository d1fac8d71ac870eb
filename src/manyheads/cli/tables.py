"""Results as tables for people and as JSON for programs, on stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from manyheads.cli.output import is_unicode
from manyheads.study.space import HYPERPARAMETERS, shown_names, value_words

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.evidence.findings import Findings
    from manyheads.pipeline import Finished
    from manyheads.study.results import StudyResult
    from manyheads.study.select import CandidateResult, Spread

_COLUMNS = {
    "peak_val_accuracy": ("peak\nval_accuracy", 3),
    "last_ten_val_accuracy": ("last ten\nepochs", 3),
    "min_val_loss": ("minimum\nval_loss", 3),
    "final_val_loss": ("final\nval_loss", 3),
    "best_epoch": ("epoch of\nthe best", 1),
}
MAX_ROWS = 20


def results_table(result: StudyResult, varying: Sequence[str]) -> Table:
    """A row a candidate in the grid's order, the best few of very many; the best is marked."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    names = varying or shown_names(*result.grid)
    for name in names:
        table.add_column(name, justify="right")
    for title, _ in _COLUMNS.values():
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    shown = result.in_order
    if len(shown) > MAX_ROWS:
        shown = [*result.ranking, *result.pruned][:MAX_ROWS]
    for entry in shown:
        setting = result.hyperparameters(entry.candidate)
        values = [value_words(name, getattr(setting, name)) for name in names]
        cells = [
            _spread(entry.measures.get(name), digits) for name, (_, digits) in _COLUMNS.items()
        ]
        table.add_row(*values, *cells, _remark(entry, result))
    return table


def unshown(result: StudyResult) -> list[str]:
    """A line about the candidates for which `results_table` has no room, if there are any."""
    if len(result.grid) <= MAX_ROWS:
        return []
    trained = len(result.ranking) + len(result.pruned)
    count = len(result.grid) - min(trained, MAX_ROWS)
    kinds = [
        f"{number:,} {what}"
        for number, what in (
            (min(len(result.pruned), max(0, trained - MAX_ROWS)), "pruned"),
            (len(result.without_result), "diverged"),
        )
        if number
    ]
    of_which = f", {' and '.join(kinds)} among them" if kinds else ""
    return [f"… {count:,} more in results.csv{of_which}"]


def results_json(finished: Finished) -> dict[str, Any]:
    """The results as plain data."""
    result = finished.result
    return {
        "run": str(finished.folder.path),
        "model": str(finished.folder.best),
        "data": finished.dataset.name,
        "images": {split: len(finished.dataset.rows(split)) for split in ("train", "validation")},
        "backbone_passes": finished.features.passes,
        "weights_source": finished.weights.source,
        "selected_by": result.rule,
        "rungs": [
            {"candidates": rung.candidates, "epochs": rung.epochs}
            for rung in finished.settings.rungs
        ],
        "best": result.ranking[0].candidate,
        "predict_one_class": _collapsed_json(finished.findings),
        "candidates": [_candidate_json(entry, result) for entry in result.in_order],
    }


def print_json(document: Any, *, begun: str = "") -> None:
    """Print `document` as JSON, what is `begun` of it left out; what is not a number is null."""
    # Where the encoding lacks a character, JSON has escapes of its own, which programs understand.
    ascii_only = not is_unicode(sys.stdout)
    text = json.dumps(_finite(document), indent=2, ensure_ascii=ascii_only, allow_nan=False)
    print(text.removeprefix(begun))


def print_table(table: Table) -> None:
    """Print a table; as wide as it needs to be, and without colours, where no terminal is."""
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    plain = Console(highlight=False, width=200)
    with plain.capture() as capture:
        plain.print(table)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _spread(spread: Spread | None, digits: int) -> str:
    if spread is None:
        return "–"
    mean = f"{spread.mean:.{digits}f}"
    return mean if spread.deviation is None else f"{mean} ± {spread.deviation:.{digits}f}"


def _remark(entry: CandidateResult, result: StudyResult) -> str:
    if entry.best is None:
        return "every trial diverged"
    words = [
        "← selected" if entry is result.ranking[0] else "",
        f"pruned after epoch {entry.pruned_after}" if entry.pruned_after is not None else "",
        f"{entry.failed} diverged" if entry.failed else "",
    ]
    return " ".join(filter(None, words))


def _candidate_json(entry: CandidateResult, result: StudyResult) -> dict[str, Any]:
    setting = result.hyperparameters(entry.candidate)
    return {
        "candidate": entry.candidate,
        **{name: getattr(setting, name) for name in HYPERPARAMETERS},
        "trials": entry.trials,
        "failed": entry.failed,
        "pruned_after": entry.pruned_after,
        **{
            name: {"mean": spread.mean, "std": spread.deviation}
            for name, spread in entry.measures.items()
        },
    }


def _collapsed_json(findings: Findings | None) -> list[dict[str, int]] | None:
    """How many heads of a candidate predict one class only; None where no predictions are kept."""
    return None if findings is None else [asdict(each) for each in findings.collapsed]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
