"""Options that messages name exist, in the very commands that say so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import manyheads
from manyheads.cli.main import COMMANDS, build_parser

ROOT = Path(manyheads.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
NAMED = re.compile(r"manyheads ([a-z]+)((?:(?!manyheads)[^`;:])*)")
# Which commands say what a module outside of `cli` says.
TABLE_READERS = "check split extract sweep fit lesson shortcut predict explain import"
IMAGE_READERS = "check extract sweep fit lesson shortcut import"
SAID_BY = {
    "backbones/compiled.py": "check extract sweep lesson shortcut",
    "backbones/keras_builds.py": "check extract sweep fit lesson shortcut",
    "backbones/keras_runtime.py": "check extract sweep lesson shortcut",
    "backbones/preprocessing_modes.py": "check extract sweep fit lesson shortcut",
    "backbones/own_files.py": "check extract sweep fit lesson shortcut test claims",
    "backbones/weights.py": "check extract sweep fit lesson shortcut",
    "lesson/ensemble_claim.py": "claims",
    "lesson/longer_claim.py": "claims",
    "data/cell_paths.py": TABLE_READERS,
    "data/csv_tables.py": TABLE_READERS,
    "data/depth.py": IMAGE_READERS,
    "data/feature_files.py": "sweep",
    "data/manifest.py": TABLE_READERS,
    "data/outputs.py": "split sweep fit lesson shortcut explain",
    "data/check_problems.py": TABLE_READERS,
    "data/remarks.py": IMAGE_READERS,
    "data/table_files.py": TABLE_READERS,
    "core/destinations.py": "split sweep fit lesson shortcut",
    "findings/reading.py": "compare report claims",
    "run/test_evaluation.py": "test",
    "run/fit/image_options.py": "fit",
    "run/fit/near_duplicates.py": "fit",
    "run/fit/fit_record.py": "fit",
    "run/fit/fit_run.py": "fit",
    "run/fit/fit_search.py": "fit",
    "lesson/stages.py": "lesson",
    "models/importing/class_names.py": "import",
    "models/export/exporter.py": "export",
    "models/export/formats.py": "export",
    "models/importing/import_build.py": "import",
    "models/importing/import_check.py": "import",
    "models/importing/imported.py": "import",
    "models/prediction_files.py": "predict",
    "models/subnetwork_answers.py": "predict",
    "run/pipeline.py": "sweep lesson",
    "run/plan.py": "sweep",
    "report/from_study.py": "sweep",
    "lesson/shortcut/arrangement.py": "shortcut",
    "study/finished.py": "sweep",
    "study/folder.py": "sweep lesson demo fit",
    "study/refit.py": "sweep fit",
    "study/reopened.py": "test claims",
    "study/study_settings.py": "",
    "study/store.py": "",
    "study/table_writing.py": "sweep",
    "study/trial_heads.py": "sweep lesson demo claims",
}
# Of pip, of style sheets.
NO_OPTIONS = ("backbones/wheel.py", "data/image_kinds.py", "report/page.py", "cli/synonyms.py")


def texts(file: Path) -> Iterator[str]:
    """The strings of a module that name options, but for docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        if id(node) not in skipped and OPTION.search(text):
            yield text


def naming() -> list[tuple[str, str]]:
    """Modules and their strings that name options."""
    return [
        (str(file.relative_to(ROOT).as_posix()), text)
        for file in sorted(ROOT.rglob("*.py"))
        if file.relative_to(ROOT).as_posix() not in NO_OPTIONS
        for text in texts(file)
    ]


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    return {name: set(parser.options) for name, parser in build_parser().commands.items()}


def test_every_option_that_is_named_exists(options: dict[str, set[str]]) -> None:
    known = set.union(*options.values()) | {"--help", "--version"}
    wrong = [(module, each) for module, text in naming()
             for each in OPTION.findall(text) if each.rstrip("-") not in known]  # fmt: skip
    assert wrong == []


def test_a_command_that_is_named_has_the_options_behind_it(options: dict[str, set[str]]) -> None:
    found = [
        (command, option)
        for _, text in naming()
        for command, rest in NAMED.findall(text)
        if command in options
        for option in OPTION.findall(rest)
    ]
    assert ("sweep", "--folds") in found
    assert [pair for pair in found if pair[1] not in options[pair[0]]] == []


def test_what_a_command_says_of_itself_it_has(options: dict[str, set[str]]) -> None:
    modules = {f"cli/{module.__name__.rpartition('.')[2]}.py": module for module in COMMANDS}
    wrong = []
    for module, text in naming():
        # An option alone is declared, or part of a command that is put together.
        if module not in modules or "manyheads " in text or OPTION.fullmatch(text):
            continue
        command = module.removeprefix("cli/").removesuffix(".py").rstrip("_")
        wrong += [(command, each) for each in OPTION.findall(text) if each not in options[command]]
    assert wrong == []


def test_remedies_name_options_that_all_who_say_them_have(options: dict[str, set[str]]) -> None:
    """Not of another study that is to be begun, nor behind the name of a command."""
    found = [(module, text) for module, text in naming() if not module.startswith("cli/")]
    wrong = []
    for module, text in found:
        named = [options[name] for name, _ in NAMED.findall(text) if name in options]
        speakers = [options[name] for name in SAID_BY.get(module, "").split()]
        for each in OPTION.findall(re.split(r"\bbegin\b", text)[0]):
            said = speakers and all(each in own for own in speakers)
            if not said and not any(each in own for own in named):
                wrong.append((module, each, text))
    assert wrong == []
