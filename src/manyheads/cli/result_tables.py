"""Results as tables for people and as JSON for programs, on stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from manyheads.cli import narrow
from manyheads.cli.narrow import print_table as print_table
from manyheads.cli.output import is_unicode
from manyheads.study.space import HYPERPARAMETERS, setting_words, shown_names, value_words

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.findings.study_findings import Findings
    from manyheads.run.pipeline import Finished
    from manyheads.study.results import StudyResult
    from manyheads.study.select import CandidateResult, MeanDeviation

_COLUMNS = {
    "peak_val_accuracy": ("val_accuracy\nbest epoch", 3),
    "last_ten_val_accuracy": ("val_accuracy\nlast ten", 3),
    "min_val_loss": ("val_loss\nbest epoch", 3),
    "final_val_loss": ("val_loss\nlast epoch", 3),
    "best_epoch": ("epoch\nchosen", 1),
}
MAX_ROWS = 20
_SELECTED = "← selected"
_LONG = 10  # letters of a name that fit the head of a column


def results_table(
    result: StudyResult, varying: Sequence[str], *, compact: bool = False, numbered: bool = False
) -> Table:
    """A row a candidate in the grid's order, the best few of very many; the best is marked.

    `compact` leaves out blanks; where they are `numbered`, settings are told elsewhere.
    """
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False,
        padding=(0, 0, 0, 0) if compact else (0, 1),
    )  # fmt: skip
    names = () if numbered else _names(result, varying)
    if numbered:
        table.add_column("candidate", justify="right")
    for name in names:
        title = name.replace("_", "_\n") if compact and len(name) > _LONG else name
        table.add_column(title, justify="right")
    for title, _ in _COLUMNS.values():
        table.add_column(title, justify="right", no_wrap=True)
    remarks = [_remark(entry, result) for entry in _shown(result)]
    table.add_column("", no_wrap=max(map(len, remarks)) <= len(_SELECTED))
    for entry in _shown(result):
        setting = result.hyperparameters(entry.candidate)
        values = [value_words(name, getattr(setting, name)) for name in names]
        cells = [_spread(entry.apart.get(name), digits) for name, (_, digits) in _COLUMNS.items()]
        if compact:
            cells = [cell.replace(" ± ", "±") for cell in cells]
        number = [str(entry.candidate)] if numbered else []
        table.add_row(*number, *values, *cells, _remark(entry, result))
    return table


def print_results(result: StudyResult, varying: Sequence[str]) -> None:
    """Print `results_table` as wide as it is, or closer, or in blocks, or with a list of settings.

    In each way all that tells candidates apart is there, and the mark of the selected one.
    """
    names = len(_names(result, varying))
    console = narrow.console_of()
    wide = results_table(result, varying)
    close = results_table(result, varying, compact=True)
    if len(narrow.parts(wide, console, names, 1) or ()) == 1:
        narrow.print_table(wide, names=names, marks=1)
    elif narrow.parts(close, console, names, 1) is not None:
        narrow.print_table(close, names=names, marks=1)
    else:
        for entry in _shown(result):
            words = setting_words(result.hyperparameters(entry.candidate), _names(result, varying))
            narrow.print_lines([f"{entry.candidate:>4}  {words}"])
        print()
        numbered = results_table(result, varying, compact=True, numbered=True)
        narrow.print_table(numbered, marks=1)


def _names(result: StudyResult, varying: Sequence[str]) -> Sequence[str]:
    return varying or shown_names(*result.grid)


def _shown(result: StudyResult) -> list[CandidateResult]:
    if len(result.in_order) > MAX_ROWS:
        return [*result.ranking, *result.pruned][:MAX_ROWS]
    return result.in_order


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


def _spread(spread: MeanDeviation | None, digits: int) -> str:
    if spread is None:
        return "–"
    mean = f"{spread.mean:.{digits}f}"
    return mean if spread.deviation is None else f"{mean} ± {spread.deviation:.{digits}f}"


def _remark(entry: CandidateResult, result: StudyResult) -> str:
    if entry.best is None:
        return "every trial diverged"
    words = [
        _SELECTED if entry is result.ranking[0] else "",
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
