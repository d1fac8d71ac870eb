"""What the README shows of `manyheads demo` is what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manyheads.backbones import registry, weights
from manyheads.errors import DownloadError
from tests.e2e.conftest import Command

README = Path(__file__).parents[2] / "README.md"
SAME_ANYWHERE = ("Data ", "Grid ")


def words(text: str) -> list[list[str]]:
    """The words of each line, without what differs between machines: numbers, and the curves."""
    lines = [line for line in text.splitlines() if line.strip() and "┤" not in line]
    return [re.sub(r"[\d.,:]*\d", "0", line).split() for line in lines]


@pytest.mark.slow
def test_the_demo_prints_what_the_readme_shows(command: Command) -> None:
    try:
        weights.resolve(registry.get("xception"))
    except DownloadError as error:
        pytest.skip(f"the weights of Xception are out of reach: {error}")
    block = re.search(r"manyheads demo\n```\n\n```text\n(.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    announced, _, shown = block[1].partition("\n…\n")
    said = command("demo")
    assert said.code == 0, said.err
    printed = said.err.splitlines()
    for line in announced.splitlines():
        name = line.split()[0]
        (found,) = [each for each in printed if each.startswith(f"{name} ")]
        if line.startswith(SAME_ANYWHERE):
            assert found == line
        else:  # up to the source of the weights, and to rates that this machine may have shown
            ends = r"weights: .*|preparing xception, once, [\d:]+, "
            ends += r"|( \(first run: an estimate\))?(; fetching the weights is not counted)?$"
            assert words(re.sub(ends, "", found)) == words(re.sub(ends, "", line))
    marks = "← selected"
    assert words(said.out.replace(marks, "")) == words(shown.replace(marks, ""))
    assert said.out.count(marks) == shown.count(marks) == 1
