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
from manyheads.cli.parser import with_flags
from manyheads.core.settings import plain
from manyheads.findings.score_tables import (
    MAX_ROWS,
    dispensable,
    results_table,
    score_words,
    shown_candidates,
)
from manyheads.study.space import setting_words, shown_names

if TYPE_CHECKING:
    from manyheads.findings.study_findings import Findings
    from manyheads.run.pipeline import Finished
    from manyheads.study.results import StudyResult
    from manyheads.study.select import CandidateResult


def print_results(result: StudyResult, varying: Sequence[str]) -> None:
    """Print `results_table` with as many scores as there is room for.

    Where not even one has room beside the hyperparameters, candidates have numbers, and their
    settings are listed. In each way all that tells candidates apart is there, and the mark of the
    selected one.
    """
    numbered = not _print_fitting(result, varying, numbered=False)
    if numbered:
        for entry in shown_candidates(result):
            words = setting_words(
                result.hyperparameters(entry.candidate), varying or shown_names(*result.grid)
            )
            narrow.print_lines([f"{entry.candidate:>4}  {words}"])
        print()
        if not _print_fitting(result, varying, numbered=True):
            print_table(results_table(result, varying, numbered=True))


def _print_fitting(result: StudyResult, varying: Sequence[str], *, numbered: bool) -> bool:
    """Print the widest table that fits, if one does; scores give way in a fixed order."""
    giving_way = dispensable(result.rule)
    for count in range(len(giving_way) + 1):
        without = giving_way[:count]
        table = results_table(result, varying, numbered=numbered, without=without)
        if len(narrow.fitting(table)) == 1:
            print_table(table)
            if without:
                words = score_words(result.rule, without)
                narrow.print_lines([f"Not shown here, but in results.csv: {words}"])
            return True
    return False


def print_backbones(findings: Findings | None) -> None:
    """Print the backbones of a study of several, side by side."""
    if findings is not None and findings.backbones is not None:
        print()
        print_table(findings.backbones.table)


def print_baselines(findings: Findings | None) -> None:
    """Print the baselines of a study, if it has any."""
    if findings is not None and findings.baselines is not None:
        print()
        print_table(findings.baselines.table)


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
        "backbone_passes": finished.passes,
        "weights_source": finished.weights.source,
        "selected_by": result.rule,
        "rungs": [
            {"candidates": rung.candidates, "epochs": rung.epochs}
            for rung in finished.settings.rungs
        ],
        "best": result.ranking[0].candidate,
        "recommendation": recommendation_json(finished.findings),
        "importance": importance_json(finished.findings),
        "backbones": _backbones_json(finished.findings),
        "baselines": _baselines_json(finished.findings),
        "predict_one_class": _collapsed_json(finished.findings),
        "candidates": [_candidate_json(entry, result) for entry in result.in_order],
    }


def recommendation_json(findings: Findings | None) -> dict[str, Any] | None:
    """Which setting to use and how sure that is, as plain data; None without predictions."""
    if findings is None:
        return None
    found = findings.recommendation
    balance = findings.class_balance
    words = [*found.sentences, *findings.training_notes]
    words += balance.sentences if balance else ()
    return plain(found.best) | {
        "confidence": found.confidence,
        "rivals": found.rivals,
        "next_study": plain(found.next_study),
        "class_balance": [] if balance is None else list(map(plain, balance.scores)),
        "sentences": list(map(with_flags, words)),
    }


def importance_json(findings: Findings | None) -> dict[str, Any] | None:
    """How much each hyperparameter matters, as plain data; None without predictions."""
    if findings is None:
        return None
    found = findings.importance
    return {
        "metric": found.metric,
        "candidates": found.candidates,
        "deviation": found.deviation,
        "interactions": found.interactions,
        "shares": [plain(each) for each in found.shares],
        "sentences": list(found.sentences),
    }


def print_json(document: Any, *, begun: str = "") -> None:
    """Print `document` as JSON, what is `begun` of it left out; what is not a number is null."""
    # Where the encoding lacks a character, JSON has escapes of its own, which programs understand.
    ascii_only = not is_unicode(sys.stdout)
    text = json.dumps(_finite(document), indent=2, ensure_ascii=ascii_only, allow_nan=False)
    print(text.removeprefix(begun))


def _candidate_json(entry: CandidateResult, result: StudyResult) -> dict[str, Any]:
    setting = result.hyperparameters(entry.candidate)
    return {
        "candidate": entry.candidate,
        **{name: getattr(setting, name) for name in result.grid.names},
        "trials": entry.trials,
        "failed": entry.failed,
        "pruned_after": entry.pruned_after,
        **{
            name: {"mean": spread.mean, "std": spread.deviation}
            for name, spread in entry.measures.items()
        },
    }


def _backbones_json(findings: Findings | None) -> list[dict[str, Any]]:
    """The backbones of a study of several; infinite ends of intervals are null."""
    if findings is None or findings.backbones is None:
        return []
    return list(map(plain, findings.backbones.scores))


def _baselines_json(findings: Findings | None) -> list[dict[str, Any]]:
    """The baselines of a study, if it has any; infinite ends of intervals are null."""
    if findings is None or findings.baselines is None:
        return []
    return list(map(plain, findings.baselines.scores))


def _collapsed_json(findings: Findings | None) -> list[dict[str, int]] | None:
    """How many heads of a candidate predict one class only; None where no predictions are kept."""
    return None if findings is None else [asdict(each) for each in findings.collapsed]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
