"""Commands as processes of their own, to be killed and interrupted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.studies import outcome_of

ROOT = Path(__file__).parents[1]


class Runner:
    """Starts sweeps of one data set as processes, with a cache of their own."""

    def __init__(self, folder: Path, data: Path, options: tuple[str, ...], program: list[str]):
        self.folder, self.data, self.options, self.program = folder, data, options, program

    def start(self, name: str, *more: str) -> subprocess.Popen[str]:
        """A sweep with its run folder and its cache in the folder `name`."""
        place = self.folder / name
        arguments = ["sweep", str(self.data), *self.options, "--out", str(place / "run"), *more]
        return subprocess.Popen(
            [*self.program, *arguments], cwd=ROOT, text=True, start_new_session=True,
            env=os.environ | self.environment(place), stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def environment(self, place: Path) -> Mapping[str, str]:
        """A cache in `place`."""
        return {"MANYHEADS_CACHE": str(place / "cache")}

    @staticmethod
    def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
        """The exit code and stderr of a process that ends."""
        _, errors = process.communicate(timeout=300)
        return process.returncode, errors

    def kill_until_done(self, name: str, kills: int, seed: int, span: tuple[float, float]) -> int:
        """Start it again and again, killing it after random times; returns how often it was."""
        chance, killed = random.Random(seed), 0
        while killed < kills:
            process = self.start(name)
            try:
                process.wait(chance.uniform(*span))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
            code, errors = self.finish(process)
            if code == 0:
                return killed
            assert code == -signal.SIGKILL, errors
        code, errors = self.finish(self.start(name))
        assert code == 0, errors
        return killed


def same_outcome(left: Path, right: Path) -> None:
    """Two run folders hold the same results, bit for bit, and the same best model."""
    assert outcome_of(left) == outcome_of(right)
    assert (left / "best.keras").is_file()


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    """Wait until a process has come to some point; fails if it ends before."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def interrupt(process: subprocess.Popen[str]) -> tuple[float, str]:
    """Ctrl-C; returns how long the process took to end, and what it said."""
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    code, errors = Runner.finish(process)
    assert code == 130, errors
    assert "Traceback" not in errors
    line = errors.rstrip().splitlines()[-1]
    assert line.startswith("manyheads: stopped before "), errors
    assert any(word in line for word in ("resume", "goes on", "continues", "again")), line
    return time.monotonic() - started, errors
