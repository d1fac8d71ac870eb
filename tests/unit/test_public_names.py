"""What is public: the types of every public signature, and all that docs and README import."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import manyheads
from manyheads import errors

ROOT = Path(__file__).parents[2]
NAMES = [name for name in manyheads.__all__ if name not in ("__version__", "errors")]
MADE_BY_USERS = ("BackboneFeatures", "HeadClassifier", "Study")
DECLARED = ("manyheads", "manyheads.errors")


def public() -> dict[str, Any]:
    """Every public name of the package, and the errors."""
    found = {name: getattr(manyheads, name) for name in NAMES}
    return found | {name: each for name, each in vars(errors).items() if isinstance(each, type)}


def signatures(name: str) -> Iterator[tuple[str, Any]]:
    """A public function, or the methods and properties of a public class, and its constructor.

    Of a record, which is a dataclass, a user reads fields.
    """
    thing = getattr(manyheads, name)
    if not isinstance(thing, type):
        yield name, thing
        return
    if dataclasses.is_dataclass(thing):
        return
    if name in MADE_BY_USERS:
        yield name, thing.__init__
    for member, value in inspect.getmembers_static(thing):
        if member.startswith("_"):
            continue
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if inspect.isfunction(function) and function.__module__.startswith("manyheads"):
            yield f"{name}.{member}", function


def classes_of(hint: Any) -> Iterator[type]:
    """The classes that an annotation names, wherever in it."""
    if isinstance(hint, type) and not typing.get_args(hint):
        yield hint
    for inner in typing.get_args(hint):
        yield from classes_of(inner)


def private_types(name: str) -> set[str]:
    """The types of the package that a public signature names, and that are not public."""
    known = set(map(id, public().values()))
    return {
        f"{where}: {each.__module__}.{each.__qualname__}"
        for where, function in signatures(name)
        for text in inspect.get_annotations(function).values()
        for each in classes_of(eval(text, namespace_of(function)))
        if each.__module__.startswith("manyheads") and id(each) not in known
    }


def namespace_of(function: Any) -> dict[str, Any]:
    """What a function's annotations may name, also what is imported for type checkers alone."""
    module = sys.modules[function.__module__]
    source = inspect.getsource(module)
    found: dict[str, Any] = dict.fromkeys(re.findall(r"^    import (\w+)$", source, re.M), _Any())
    for names in re.findall(r"^    from (?!manyheads)\S+ import (.+)$", source, re.M):
        found |= dict.fromkeys(names.split(", "), Any)
    for place, names in re.findall(r"^    from (manyheads\S+) import (.+)$", source, re.M):
        imported = import_module(place)
        found |= {name: getattr(imported, name) for name in names.split(", ")}
    return found | vars(module)


class _Any:
    """A framework, any of whose types may be named."""

    def __getattr__(self, _: str) -> Any:
        return Any


@pytest.mark.parametrize("name", NAMES)
def test_every_type_in_a_public_signature_is_public(name: str) -> None:
    assert private_types(name) == set()


def test_a_private_type_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.NAMES", [name for name in NAMES if name != "Verdict"])
    assert "Study.verdict: manyheads.findings.verdict.Verdict" in private_types("Study")


def test_type_checkers_know_the_names_that_are_imported_on_demand() -> None:
    source = (ROOT / "src/manyheads/__init__.py").read_text(encoding="utf-8")
    declared = re.findall(r"^    from manyheads\.(\S+) import (\w+) as \2$", source, re.MULTILINE)
    assert declared == [
        (place, name) for place, names in manyheads._PLACES.items() for name in names
    ]
    assert all(getattr(manyheads, name).__name__ == name for _, name in declared)


def programs() -> Iterator[tuple[str, str]]:
    """The Python code in README, docs and the notebook."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            yield page.name, block
    for notebook in (ROOT / "docs").rglob("*.ipynb"):
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            yield notebook.name, "".join(cell["source"])


def test_docs_import_public_names_alone() -> None:
    found = 0
    for page, block in programs():
        for module, names in re.findall(r"^\s*from (manyheads[\w.]*) import (.+)$", block, re.M):
            assert module in DECLARED, f"{page} imports from {module}"
            for name in re.split(r",\s*", names):
                assert hasattr(manyheads if module == "manyheads" else errors, name), (page, name)
                found += 1
        for module in re.findall(r"^\s*import (manyheads[\w.]*)", block, re.M):
            assert module in DECLARED, f"{page} imports {module}"
    assert found > 10
