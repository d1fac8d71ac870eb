"""Messages say of one thing that it is one: all numbers with a noun go through `counted`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import manyheads

ROOT = Path(manyheads.__file__).parent
NOUNS = "image seed epoch class head candidate fold repeat file pair feature unit group view pass"
PLURAL = re.compile(rf"\{{\}} (?:(?!of )\w+ )?(?:{'|'.join(NOUNS.split())})(?:s|es)\b")
# Of these numbers none is ever 1, or they are a part of a whole ("3 of 1 images" is no case).
NEVER_ONE = {
    "backbones/own_programs.py", "cli/closing.py", "cli/fit_screen.py",
    "cli/sweep.py", "data/archives.py",
    "data/check_problems.py", "data/duplicates.py", "data/folder_errors.py", "data/folds.py",
    "data/left_out.py", "data/planting.py", "data/trainable.py", "findings/baseline_scores.py",
    "findings/claim_words.py",
    "findings/collapsed.py", "findings/labels.py", "findings/run_comparison.py",
    "findings/verdict.py",
    "lesson/longer_claim.py", "lesson/shortcut/arrangement.py",
    "lesson/shortcut/shortcut_planned.py", "modelfiles/keras_archive.py",
    "models/classifier.py", "models/feature_classifier.py", "models/importing/class_names.py",
    "report/from_study.py", "report/plots.py",
    "report/study_curves.py", "report/page_tables.py", "report/shortcut_section.py",
    "run/fit/near_duplicates.py", "run/planned_study.py", "stats/comparisons.py",
    "stats/validation_predictions.py",
    "study/drawn_candidates.py", "study/image_list.py", "study/rungs.py", "study/space.py",
    "web/service/about_model.py", "web/service/service_app.py",
}  # fmt: skip


def plurals(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            yield from PLURAL.findall(text)


def test_a_number_and_its_noun_are_put_together_in_one_place() -> None:
    """A module that is not listed counts with `counted`; one that is has been looked through."""
    found = {file.relative_to(ROOT).as_posix() for file in ROOT.rglob("*.py") if any(plurals(file))}
    assert found - NEVER_ONE == set()
    assert NEVER_ONE - found == set()


def test_nobody_else_makes_plurals() -> None:
    """There is one function: `manyheads.core.text.counted`."""
    own = re.compile(r"def _?count(?:ed|s)?\(number|'' if \w+ == 1 else 's'|'s' \* \(")
    found = [
        file.name for file in ROOT.rglob("*.py") if own.search(file.read_text(encoding="utf-8"))
    ]
    # Points of a margin are no count: there are half ones.
    assert sorted(found) == ["text.py", "wording.py"]
