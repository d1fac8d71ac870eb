"""The commands and the code of the guide to `predict` run, in its reader's folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.study.space import Grid
from tests.e2e.test_guides import GUIDES, run
from tests.small_study import finished_study

TEXT = (GUIDES / "predict.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that was trained with dropout, photographs and a manifest of them."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "study").mkdir()
    finished = finished_study(folder / "study", grid=Grid((0.001,), (8,), (0.5,)))
    (folder / "runs").mkdir()
    finished.folder.path.rename(folder / "runs" / "clothing")
    (folder / "photos").mkdir()
    for number, file in enumerate(sorted((folder / "study").glob("images/*/*/*.png")), start=1):
        shutil.copyfile(file, folder / "photos" / f"{number}.jpg")
    (folder / "photos" / "cut.jpg").write_text("no image")
    (folder / "list.csv").write_text("path,label\nphotos/3.jpg,cat\n")
    return folder


def test_its_commands_run(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reader)
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert len(commands) == 6
    for name, *arguments in commands:
        assert name == "manyheads"
        # Where Ray is not installed, the same command divides the images among processes.
        if "ray" in arguments and find_spec("ray") is None:
            arguments[arguments.index("ray")] = "2"
        assert main(arguments) == 0
    assert (reader / "answers.csv").read_bytes().count(b"\n") == 35


def test_its_list_on_stdin_is_read(reader: Path) -> None:
    [command] = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    program = f"{shlex.quote(sys.executable)} -m manyheads.cli.main"
    done = subprocess.run(
        ["sh", "-c", command.replace("manyheads", program, 1)],
        cwd=reader, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 34


def test_its_code_runs(reader: Path) -> None:
    [code] = re.findall(r"<!-- predict -->\n```python\n(.*?)```", TEXT, re.DOTALL)
    printed = run(code, reader).splitlines()
    assert len(printed) == 3
    assert "Uncertainty(low=" in printed[1]
