"""`manyheads studio` as a command: what it refuses, and what it says at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.cli import studio
from manyheads.cli.main import main
from manyheads.web.shared import serve_extra
from manyheads.web.studio.run_processes import StudioProcess


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--port", "x"], "--port"),
        (["--port", "70000"], "--port"),
        (["nowhere"], "a folder to open"),
        (["--token-file", "none"], "a file with a token"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["studio", *words]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert complaint in said.err
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve_extra, "find_spec", lambda _: None)
    assert main(["studio"]) == 1
    assert "pip install 'manyheads[serve]'" in capsys.readouterr().err


def test_it_tells_how_to_resume_what_it_has_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    process = StudioProcess(
        number="1", kind="fit", arguments=["fit", "my photos"], run="runs/a", begun="", pid=1,
        started=None,
    )  # fmt: skip
    studio._ended(".", [process])
    studio._ended("project", [process])
    assert capsys.readouterr().out.splitlines() == [
        "stopped runs/a; to resume: manyheads fit 'my photos'",
        "stopped runs/a; to resume, in project: manyheads fit 'my photos'",
    ]
