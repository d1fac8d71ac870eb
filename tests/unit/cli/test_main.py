"""The command line as a program: help, exit codes, Ctrl-C, pipes, and what it imports."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from manyheads import __version__
from manyheads.cli import check, main
from manyheads.cli.main import COMMANDS, build_parser
from manyheads.core.job import Job
from manyheads.errors import DataError, Interrupted, ManyheadsError

HEAVY = "keras openvino numba matplotlib numpy scipy sklearn h5py PIL rich tensorflow torch jax"


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def test_every_command_is_there() -> None:
    names = {"demo", "check", "extract", "sweep", "lesson", "compare", "claims", "report", "test"}
    names |= {"explain", "export", "features", "fit", "import", "predict", "runs", "serve"}
    names |= {"split", "backbones", "shortcut", "studio", "publish"}
    assert set(commands()) == names
    assert len(COMMANDS) == len(names)


@pytest.mark.parametrize("name", [*commands(), "features pack", "features unpack"])
def test_every_command_and_option_has_help(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    parser = build_parser().commands[name]
    for action in parser._actions:
        assert action.help, f"{name} {action.option_strings or action.dest} lacks help"
        assert action.help != argparse.SUPPRESS
    with pytest.raises(SystemExit) as ended:
        main.main([*name.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert parser.description
    assert parser.description.split()[0] in shown
    for action in parser._actions:
        for option in action.option_strings:
            assert option in shown
    assert "%(" not in shown


def test_the_first_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["--help"])
    shown = capsys.readouterr().out
    groups = (
        "check split extract features", "demo fit sweep lesson backbones",
        "runs compare claims shortcut report test",
        "predict explain serve studio export import publish",
    )  # fmt: skip
    for title, names in zip(("data", "train", "judge", "use"), groups, strict=True):
        section = shown.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  ([a-z]+) ", section, re.MULTILINE) == names.split()
    assert set(" ".join(groups).split()) == set(commands())
    with pytest.raises(SystemExit):
        main.main(["--version"])
    assert capsys.readouterr().out == f"manyheads {__version__}\n"


def test_the_usage_names_what_must_be_given_and_options_if_they_are_few() -> None:
    usages = {name: " ".join(each.format_usage().split()) for name, each in commands().items()}
    assert usages["sweep"] == "usage: manyheads sweep [options] DATA"
    assert usages["split"] == "usage: manyheads split --out FILE [options] DATA"
    assert "(--classes NAME [NAME ...] | --classes-from WHERE)" in usages["import"]
    assert usages["demo"] == "usage: manyheads demo [-h] [--out FOLDER] [-v] [--json] [--debug]"


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    script = (
        "import sys, time; started = time.process_time()\n"
        "from manyheads.cli.main import main\n"
        "try: main(['sweep', '--help'])\n"
        "except SystemExit: pass\n"
        "print(time.process_time() - started, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    seconds, *modules = done.stderr.split()
    assert not set(HEAVY.split()) & set(modules)
    assert float(seconds) < 0.4


@pytest.mark.parametrize(
    ("arguments"), [[], ["dance"], ["sweep"], ["sweep", "x", "--steps", "3"], ["predict", "run"]]
)
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(arguments)
    assert ended.value.code == 2
    assert "usage: manyheads" in capsys.readouterr().err


def replaced(monkeypatch: pytest.MonkeyPatch, run) -> None:
    monkeypatch.setattr(check, "run", run)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("a\n thing", "none", "look"), 1, "expected a thing, found none; look"),
        (Interrupted("it", "repeat it"), 130, "stopped before it was finished; repeat it"),
        (KeyboardInterrupt(), 130, "stopped before the command was finished; repeat it to resume"),
    ],
)
def test_an_error_is_one_line_and_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error, code, line
) -> None:
    def run(*_: object) -> None:
        raise error

    replaced(monkeypatch, run)
    assert main.main(["check", "x"]) == code
    assert capsys.readouterr() == ("", f"manyheads: {line}\n")


def test_ctrl_c_asks_first_and_forces_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def deaf(_: argparse.Namespace, job: Job) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert job.wait(1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    replaced(monkeypatch, deaf)
    started = time.monotonic()
    assert main.main(["check", "x"]) == 130
    assert time.monotonic() - started < 5
    assert "stopping …" in capsys.readouterr().err


def test_the_grace_after_ctrl_c_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "_GRACE", 0.2)

    def deaf(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    replaced(monkeypatch, deaf)
    started = time.monotonic()
    assert main.main(["check", "x"]) == 130
    assert time.monotonic() - started < 5


def test_what_python_cannot_interrupt_ends_too(tmp_path: Path) -> None:
    """A library at work in C: neither the first Ctrl-C nor the end of grace is seen meanwhile."""
    program = (
        "import hashlib, os, signal, sys\n"
        "from manyheads.cli import main\n"
        "main._GRACE, main._LAST = 0.2, 0.6\n"
        "def deaf(*_):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 1 << 30)\n"
        "main.check.run = deaf\n"
        "sys.exit(main.main(['check', 'x']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 130
    assert done.stderr.splitlines()[-2:] == [
        "stopping …",
        "manyheads: stopped before the command was finished; repeat it to resume",
    ]


def test_what_fails_because_of_ctrl_c_is_not_blamed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: argparse.Namespace, job: Job) -> None:
        job.stop()
        raise ManyheadsError("a child", "it died", "look")

    replaced(monkeypatch, run)
    assert main.main(["check", "x"]) == 130
    assert "died" not in capsys.readouterr().err


def test_the_callers_signals_and_warnings_are_left_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*_: object) -> None:
        warnings.warn("a library advises", DeprecationWarning, stacklevel=1)

    replaced(monkeypatch, run)
    before, filters = signal.getsignal(signal.SIGINT), list(warnings.filters)
    assert main.main(["check", "x"]) == 0
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert list(warnings.filters) == filters


def test_a_command_runs_in_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    replaced(monkeypatch, lambda *_: None)
    thread = threading.Thread(target=lambda: codes.append(main.main(["check", "x"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_a_reader_that_has_enough_is_no_error() -> None:
    script = (
        "import sys, time; from manyheads.cli import check; from manyheads.cli.main import main\n"
        "check.run = lambda *_: [print('x' * 100) for _ in range(10_000)]\n"
        "sys.exit(main(['check', 'x']))"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout
    assert writer.stderr
    writer.stdout.read(10)
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.stderr.close()
    assert writer.wait() == 0
