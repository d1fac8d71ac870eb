"""Fixtures for whole commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from manyheads.cli.main import main
from tests.studies import free_backbone


class Said(NamedTuple):
    """What a command ended with: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last line on stderr, which is the error of a command that failed."""
        return self.err.rstrip("\n").rpartition("\n")[2]


Command = Callable[..., Said]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """Run `manyheads` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return Said(code, shown.out, shown.err)

    return run


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A backbone that costs nothing, and a cache of its own."""
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    with free_backbone(monkeypatch):
        yield


SMALL = ("--epochs", 2, "--seeds", 1, "--size-inner", 4, "--droprate", "0.5", "--image-size", 71)


@pytest.fixture
def sweep(command: Command) -> Callable[..., Said]:
    """A small sweep; later options win."""
    return lambda data, *options: command("sweep", data, *SMALL, "--out", "run", *options)


@pytest.fixture
def photos(image_folder) -> Path:
    counts = {f"{s}/{c}": n for s, n in (("train", 4), ("validation", 2)) for c in ("cat", "dog")}
    return image_folder(counts, name="photos")


def refused(said: Said, *words: str) -> None:
    """The command failed with one line that holds `words`, and made no run folder."""
    assert said.code == 1, said
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.complaint.startswith("manyheads: expected ")
    for word in (", found ", "; ", *words):
        assert word in said.complaint
    assert not Path("run").exists()
