"""The alternatives: what each needs, and a row that says so where it is missing."""

from __future__ import annotations

import importlib.util
from typing import Any

from benchmarks.machine import ChildFailed, part, show

_BENCH = "pip install 'manyheads[bench]'"
INSTALL = {
    "tensorflow": _BENCH,
    "jax": _BENCH,
    "onnxruntime": _BENCH,
    "tf2onnx": _BENCH,
    "torch": "install PyTorch's CPU build, see docs/performance.md",
}


def lacking(*packages: str) -> str | None:
    """Which of the `packages` is not installed and how to install it, or None."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            return f"not installed: {INSTALL[package]}"
    return None


def measured(
    what: str, name: str, needs: tuple[str, ...] = (), backend: str = "tensorflow", **arguments: Any
) -> dict[str, Any] | str:
    """The answer of `part(name)` under a Keras backend, or why there is none, in a few words.

    An alternative that is missing or fails must not take the others' figures with it.
    """
    answer: dict[str, Any] | str
    if absent := lacking(*needs):
        answer = absent
    else:
        try:
            answer = part(name, {"KERAS_BACKEND": backend}, **arguments)
        except ChildFailed as error:
            answer = f"failed: {str(error).splitlines()[-1][:200]}"
    shown = answer if isinstance(answer, str) else _figures(answer)
    show(f"{what}: {shown}")
    return answer


def best(
    found: dict[str, dict[str, Any] | str], figure: str, *, highest: bool = False
) -> tuple[str, dict[str, Any]] | str:
    """The variant (its name and answer) whose `figure` is best, or why there is none at all."""
    answers = {name: each for name, each in found.items() if not isinstance(each, str)}
    if not answers:
        return next(str(reason) for reason in found.values())
    choose = max if highest else min
    return choose(answers.items(), key=lambda item: item[1][figure])


def _figures(answer: dict[str, Any]) -> str:
    numbers = ((name, value) for name, value in answer.items() if isinstance(value, float))
    return ", ".join(f"{name} {value:.1f}" for name, value in numbers)
