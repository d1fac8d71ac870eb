"""`--workers` in a real command: killed, interrupted, resumed, and wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.cli.main import main
from tests.strategies import distinct_image

ROOT = Path(__file__).parents[2]
OPTIONS = ["--backbone", "mobilenet", "--weights", "random:0", "--image-size", "32"]
IMAGES = 240


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(IMAGES // 2):
            distinct_image(f"{name} {number}", 40).save(root / name / f"{number}.png")
    return root


def started(images: Path, cache: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "manyheads", "extract", str(images), *OPTIONS, *more],
        cwd=ROOT, text=True, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"MANYHEADS_CACHE": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        return [int(each) for each in
                Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]  # fmt: skip
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_and_interrupted_commands_go_on_to_the_same_features(
    images: Path, tmp_path: Path, cache: Path
) -> None:
    def prepared(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for area in ("weights", "compiled"):
            (cache / area).mkdir(parents=True, exist_ok=True)
            (folder / area).symlink_to(cache / area)
        return folder

    whole = started(images, prepared("whole"), "--json")
    expected = json.loads(whole.communicate(timeout=120)[0])
    assert expected["backbone_passes"] == IMAGES
    place = prepared("resumed")

    def stored() -> int:
        return sum(file.stat().st_size for file in place.glob("features/*/features.f32"))

    for way in (signal.SIGKILL, signal.SIGINT):
        before = stored()
        process = started(images, place, "--workers", "2")
        wait_until(lambda then=before: stored() > then)
        workers = children_of(process.pid)
        asked = time.monotonic()
        os.killpg(process.pid, way)
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - asked < 5
        wait_until(lambda found=workers: not any(map(is_alive, found)), 5)
        if way == signal.SIGINT:
            assert process.returncode == 130
            assert said.rstrip().endswith("the same command goes on from there")
            assert "Traceback" not in said
    last = started(images, place, "--workers", "2", "--json")
    document = json.loads(last.communicate(timeout=120)[0])
    assert 0 < document["backbone_passes"] < IMAGES
    assert document["recipe"] == expected["recipe"]
    assert rows(place) == rows(tmp_path / "whole")


def rows(cache: Path) -> dict[str, bytes]:
    """The features by content, as they are in the file."""
    import sqlite3
    from contextlib import closing

    (folder,) = (cache / "features").iterdir()
    data = (folder / "features.f32").read_bytes()
    with closing(sqlite3.connect(folder / "index.sqlite")) as index:
        found = index.execute("SELECT content, position FROM features").fetchall()
        (width,) = index.execute("SELECT value FROM facts WHERE name = 'width'").fetchone()
    return {content: data[4 * width * row : 4 * width * (row + 1)] for content, row in found}


def test_a_dry_run_tells_shards_and_computes_nothing(
    images: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", str(images), "--workers", "2", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"Cost +240 backbone passes for 240 images", shown)
    assert re.search(
        r"Workers +2 processes of this machine, .*; about 8 shards of at most 30", shown
    )
    assert not [*own_cache.glob("features/*/features.f32")]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("0", "expected --workers as a number from 1 to 1024, ray, or ray://HOST:PORT, found '0'"),
        ("many", "found 'many'; give 2 for two processes"),
    ],
)
@pytest.mark.parametrize("command", ["extract", "sweep", "check"])
def test_wrong_workers_are_one_line(
    images: Path, capsys: pytest.CaptureFixture[str], command: str, words: str, line: str
) -> None:
    assert main([command, str(images), "--workers", words]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said
