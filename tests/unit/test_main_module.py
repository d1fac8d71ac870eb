"""`python -m manyheads`, and what Ctrl-C does before the command line is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from manyheads import __version__


def test_the_package_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "manyheads", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"manyheads {__version__}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize(
    "module", ["manyheads.cli.main", "argparse", "manyheads.cli.sweep", "manyheads.errors"]
)
def test_ctrl_c_amid_the_imports_is_one_line_and_code_130(module: str) -> None:
    program = f"""
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from manyheads.__main__ import main
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True
    )
    assert done.returncode == 130
    assert done.stderr == "manyheads: stopped before the command was begun; repeat it\n"


def test_little_is_imported_before_ctrl_c_is_caught() -> None:
    program = (
        "import sys; before = {*sys.modules}\n"
        "import manyheads.__main__; print(*{*sys.modules} - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={"PYTHONPATH": sys.modules["manyheads"].__path__[0] + "/.."},
    )  # fmt: skip
    assert {*done.stdout.split()} <= {"manyheads", "manyheads.__main__", "__future__"}
