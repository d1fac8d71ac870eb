"""Texts below the command line name settings in backquotes, and the command line their flags."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import manyheads
from manyheads.cli import narrow
from manyheads.cli.main import COMMANDS, build_parser
from manyheads.cli.parser import Parser, with_flags
from manyheads.run.plan import RunOptions

ROOT = Path(manyheads.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
PUT_TOGETHER = re.compile(r"(?<![\w-])--[a-z{]")
NAMED = re.compile(r"manyheads ([a-z]+)((?:(?!manyheads)[^`;:])*)")
QUOTED = re.compile(r"`([a-z][a-z0-9_]*)`")
# Of pip, of style sheets and of trackers, in modules that name no option of manyheads.
OTHERS = (
    "backbones/wheel.py", "data/image_kinds.py", "report/templating.py", "publish/to_mlflow.py",
    "publish/to_tensorboard.py", "publish/to_trackio.py",
)  # fmt: skip
# What is no setting: names of files, classes and extras, and values of settings.
NO_SETTINGS = {
    "name",
    "xlsx",
    "sweep",
    "export",
    "constant",
    "cosine",
    "adam",
    "adamw",
    "sgd",
    "none",
    "balanced",
    "yes",
    "no",
}


def texts(file: Path) -> Iterator[str]:
    """The strings of a module but docstrings; in an f-string `{}` stands for what is put in."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in node.values]
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def modules(*, of_cli: bool) -> Iterator[tuple[str, Path]]:
    for file in sorted(ROOT.rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if name.startswith("cli/") == of_cli and name not in OTHERS:
            yield name, file


def of_cli() -> list[tuple[str, str]]:
    """Modules of the command line and their strings that name options."""
    return [(name, text) for name, file in modules(of_cli=True)
            if name != "cli/synonyms.py"
            for text in texts(file) if OPTION.search(text)]  # fmt: skip


@pytest.fixture(scope="module")
def parser() -> Parser:
    return build_parser()


@pytest.fixture(scope="module")
def options(parser: Parser) -> dict[str, set[str]]:
    """Of a command with others below it, those of all of them."""
    found: dict[str, set[str]] = {}
    for name, each in parser.commands.items():
        found.setdefault(name.split()[0], set()).update(each.options)
    return found


def test_no_text_below_the_command_line_names_a_flag() -> None:
    """Nor a docstring, nor a comment; commands to be copied are put together by `text.option`."""
    lines = [
        (name, line)
        for name, file in modules(of_cli=False)
        if name != "core/text.py"
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    assert len(lines) > 10_000
    assert [each for each in lines if PUT_TOGETHER.search(each[1])] == []


def test_every_setting_that_a_text_names_is_one(parser: Parser) -> None:
    """An option of a command, or a parameter of what Python users call."""
    public = [getattr(manyheads, name) for name in manyheads.__all__ if not name.startswith("_")]
    called = [each for thing in public for each in (thing, *vars(thing).values())
              if (inspect.isfunction(each) or inspect.isclass(each))
              and each.__module__.startswith("manyheads")
              and not issubclass(each if inspect.isclass(each) else object, dict)]  # fmt: skip
    known = {action.dest for each in parser.commands.values() for action in each._actions}
    known |= {name for each in called for name in inspect.signature(each).parameters}
    known |= {each.name for thing in (*public, RunOptions) if is_dataclass(thing)
              for each in fields(thing)}  # fmt: skip
    named = [
        (module, name)
        for module, file in modules(of_cli=False)
        for text in texts(file)
        for name in QUOTED.findall(text)
    ]
    assert ("study/finished.py", "keep_heads") in named
    assert [each for each in named if each[1] not in known | NO_SETTINGS] == []


def test_a_setting_is_written_as_the_running_command_writes_it(parser: Parser) -> None:
    def said(command: str, text: str) -> str:
        return parser.commands[command].with_flags(text)

    assert said("sweep", "give `image_size`, such as 150") == "give --image-size, such as 150"
    assert said("shortcut", "separate: `target` a b") == "separate: --class a b"
    assert said("sweep", "restore `data`") == "restore DATA"
    assert said("test", "name it with `data`") == "name it with --data"
    # Of another command, with the number behind it; what no command has stays.
    assert said("predict", "use `depth` 12.") == "use --depth 12 of `manyheads sweep`."
    assert said("test", "a larger `keep_heads`") == "a larger --keep-heads of `manyheads sweep`"
    assert said("test", "`folds` 5 and `seeds` 20, then") == (
        "--folds 5 and --seeds 20 of `manyheads sweep`, then"
    )
    assert said("check", "see `foo` and `manyheads check`") == "see `foo` and `manyheads check`"


def test_all_lines_and_notes_pass_there(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from manyheads.cli.screen import Screen

    assert with_flags("`depth` 12") == "`depth` 12"  # no command is running
    monkeypatch.setattr(Parser, "running", parser.commands["check"])
    narrow.print_lines(["train with `depth` 12"])
    Screen().note("train with `depth` 12")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("train with --depth 12\n", "train with --depth 12\n")


def test_every_option_that_the_command_line_names_exists(options: dict[str, set[str]]) -> None:
    known = set.union(*options.values()) | {"--help", "--version", "--print-completion"}
    wrong = [(module, each) for module, text in of_cli()
             for each in OPTION.findall(text) if each.rstrip("-") not in known]  # fmt: skip
    assert wrong == []


def test_a_command_that_is_named_has_the_options_behind_it(options: dict[str, set[str]]) -> None:
    found = [
        (command, option)
        for _, text in of_cli()
        for command, rest in NAMED.findall(text)
        if command in options
        for option in OPTION.findall(rest)
    ]
    assert ("sweep", "--droprate") in found
    assert [pair for pair in found if pair[1] not in options[pair[0]]] == []


def test_what_a_command_says_of_itself_it_has(options: dict[str, set[str]]) -> None:
    own = {f"cli/{module.__name__.rpartition('.')[2]}.py" for module in COMMANDS}
    wrong = []
    for module, text in of_cli():
        # An option alone is declared, or part of a command that is put together.
        if module not in own or "manyheads " in text or OPTION.fullmatch(text):
            continue
        command = module.removeprefix("cli/").removesuffix(".py").rstrip("_")
        wrong += [(command, each) for each in OPTION.findall(text) if each not in options[command]]
    assert wrong == []
