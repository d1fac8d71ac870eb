"""Functions have the defaults of the commands of their name."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

import pytest

import manyheads
from manyheads.cli.main import build_parser

PAIRS = {
    "check": "check", "extract": "extract", "split": "split", "fit": "fit", "run_lesson": "lesson",
    "write_report": "report", "import_model": "import",
}  # fmt: skip
ELSEWHERE = ("backbone", "interpolation", "out")  # None on the command line, and filled in later


def flags(command: str) -> dict[str, Any]:
    """The defaults of a command's options by their names, which are text or None."""
    (commands,) = (
        action for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )  # fmt: skip
    return {action.dest: action.default for action in commands.choices[command]._actions}


def same(given: Any, default: Any) -> bool:
    if isinstance(given, list | tuple):
        return list(map(float, given)) == list(map(float, default))
    return str(given) == str(default) or float(given) == float(default)


@pytest.mark.parametrize(("function", "command"), PAIRS.items())
def test_the_defaults_are_those_of_the_command(function: str, command: str) -> None:
    known, compared = flags(command), 0
    for name, parameter in inspect.signature(getattr(manyheads, function)).parameters.items():
        given = known.get(name)
        if parameter.default is parameter.empty or given is None or name in ELSEWHERE:
            continue
        assert same(given, parameter.default), (name, given, parameter.default)
        compared += 1
    assert compared or command in ("split", "import")


@pytest.mark.parametrize("method", ["verdict", "posteriors", "report", "ensemble_claim"])
def test_margins_have_the_defaults_of_the_command(method: str) -> None:
    known = flags("compare")
    parameters = inspect.signature(getattr(manyheads.OpenedStudy, method)).parameters
    for name in ("margin_accuracy", "margin_log_loss"):
        assert parameters[name].default == known[name]
    shortcut = inspect.signature(manyheads.OpenedStudy.shortcut_claim).parameters
    assert shortcut["margin"].default == flags("shortcut")["margin"]


def test_the_learning_rate_is_one_thousandth_but_in_the_lessons_model() -> None:
    for name, default in (("Study", 0.001), ("HeadClassifier", 0.001), ("make_model", 0.01)):
        assert (
            inspect.signature(getattr(manyheads, name)).parameters["learning_rate"].default
            == default
        )
