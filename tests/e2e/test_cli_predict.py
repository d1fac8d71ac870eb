"""`manyheads predict` as a process: killed, interrupted, fed slowly, read in part."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.study.folder import RunFolder
from tests.processes import ROOT, interrupt, wait_for

PROGRAM = [sys.executable, "-m", "manyheads.cli.main"]
LIST = 600  # names, of a few contents: more than are read ahead


@pytest.fixture
def names(small_run: RunFolder) -> list[str]:
    """Many names of a few contents, and one of none."""
    files = sorted((small_run.path.parent / "images").glob("*/*/*.png"))
    found = [str(files[n % len(files)]) for n in range(LIST)]
    return [*found[:50], "absent.png", *found[50:]]


def start(small_run: RunFolder, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "predict", str(small_run.path), *options],
        cwd=ROOT, text=True, start_new_session=True, env=os.environ,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def feed(process: subprocess.Popen[str], names: list[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("".join(f"{name}\n" for name in names))
    process.stdin.flush()


def finish(process: subprocess.Popen[str], names: list[str]) -> str:
    output, errors = process.communicate("".join(f"{name}\n" for name in names), timeout=300)
    assert process.returncode == 0, errors
    return output


def rows(path: Path) -> int:
    found = path if path.exists() else path.with_name(f"{path.name}.rows")
    return found.read_bytes().count(b"\n") if found.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(
    small_run: RunFolder, names: list[str], tmp_path: Path, name: str
) -> None:
    whole, out = tmp_path / f"whole-{name}", tmp_path / name
    finish(start(small_run, "-", "--out", str(whole)), names)
    for fed in (250, 500):
        process = start(small_run, "-", "--out", str(out), "--no-cache")
        feed(process, names[:fed])
        wait_for(lambda fed=fed: rows(out) > fed - 150, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert 0 < rows(out) < LIST
    finish(start(small_run, "-", "--out", str(out)), names)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_ctrl_c_is_heard_and_what_was_written_stays(
    small_run: RunFolder, names: list[str], tmp_path: Path
) -> None:
    manifest, out = tmp_path / "list.csv", tmp_path / "out.csv"
    manifest.write_text("path\n" + "".join(f"{name}\n" for name in names * 100))
    process = start(small_run, str(manifest), "--out", str(out), "--no-cache")
    wait_for(lambda: rows(out) > 20, process)
    seconds, said = interrupt(process)
    assert seconds < 3
    assert "the same command goes on from there" in said
    written = out.read_bytes()
    assert written.endswith(b"\n")
    wanted = finish(start(small_run, "-", "--csv"), names)
    assert written[:2000] == wanted.encode()[:2000]


@pytest.mark.slow
def test_rows_come_while_the_list_does_and_who_has_read_enough_may_go(
    small_run: RunFolder, names: list[str]
) -> None:
    process = start(small_run, "-", "--jsonl", "--no-cache")
    feed(process, names)
    assert process.stdout is not None
    assert names[0] in process.stdout.readline()
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
