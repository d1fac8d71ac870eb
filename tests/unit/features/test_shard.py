"""Extraction that is killed, and extraction by several processes at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.features.cache import FeatureCache
from manyheads.features.shard import fill
from tests.unit.features.fakes import IMAGE, FakeBackbone, image_files, recipe

IMAGES = 120
ROOT = Path(__file__).parents[3]

# Fills the cache with the images of a folder; each batch takes a few milliseconds.
WORKER = """
import hashlib, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from manyheads.features.cache import FeatureCache
from manyheads.features.shard import fill
from tests.unit.features.fakes import IMAGE, FakeBackbone, recipe

class Slow(FakeBackbone):
    def expected(self, pixels):
        time.sleep(float(sys.argv[3]))
        return super().expected(pixels)

files = {hashlib.sha256(path.read_bytes()).hexdigest(): path
         for path in sorted(Path(sys.argv[2]).iterdir())}
print("ready", flush=True)
sys.stdin.readline()
with FeatureCache(recipe()) as cache:
    settled = cache.known(list(files))
    missing = {content: path for content, path in files.items() if content not in settled}
    print(fill(cache, missing, Slow(), IMAGE)[0], flush=True)
"""


class Worker:
    """A process that has imported everything and waits to be told to start."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(ROOT), str(folder), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        assert self._output.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def start(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def passes(self) -> int:
        output, complaints = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, complaints
        return int(output)

    @property
    def _output(self) -> Any:
        return self.process.stdout


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Path]:
    return image_files(tmp_path / "images", IMAGES)


def features(images: dict[str, Path]) -> Any:
    with FeatureCache(recipe()) as cache:
        rows = cache.rows(list(images))
        found = zip(images, rows, strict=True)
        return {content: cache.matrix()[row].tobytes() for content, row in found if row >= 0}


@pytest.mark.when_changed("resuming")
@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_resumes_to_the_same_bits(
    kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(kills)
    batch, latest = FakeBackbone().batch, 0.25
    # Even if each kill came at the latest, work would be left for the next.
    images = image_files(tmp_path / "images", 5 * batch * kills)
    seconds = latest / 5
    stored = 0
    for number in range(kills):
        with Worker(tmp_path / "images", seconds) as worker:
            worker.start()
            time.sleep(chance.uniform(0.01, latest))
            # On a busy machine a worker may have begun nothing by then; the last one always has.
            while number == kills - 1 and not features(images):
                time.sleep(0.01)
            worker.process.send_signal(signal.SIGKILL)
            assert worker.process.wait() == -signal.SIGKILL
        survived = features(images)
        assert len(survived) >= stored  # nothing that was committed is lost
        stored = len(survived)
    assert 0 < stored < len(images)
    backbone = FakeBackbone()
    with FeatureCache(recipe()) as cache:
        settled = cache.known(list(images))
        missing = {name: path for name, path in images.items() if name not in settled}
        assert fill(cache, missing, backbone, IMAGE) == (len(missing), {})
    resumed = features(images)

    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "undisturbed"))
    with FeatureCache(recipe()) as cache:
        fill(cache, images, backbone, IMAGE)
    assert resumed == features(images)
    assert len(resumed) == len(images)


@pytest.mark.when_changed("studies")
def test_two_processes_share_the_work_and_agree(images: dict[str, Path], tmp_path: Path) -> None:
    seconds = 0.05
    with (
        Worker(tmp_path / "images", seconds) as first,
        Worker(tmp_path / "images", seconds) as second,
    ):
        first.start()
        second.start()
        passes = [first.passes(), second.passes()]
    assert sum(passes) >= IMAGES
    assert max(passes) < IMAGES  # how often they meet at one image is chance
    both = features(images)
    assert len(both) == IMAGES
    backbone = FakeBackbone()
    with FeatureCache(recipe()) as cache:
        assert len(cache.matrix()) == IMAGES  # no row twice, no hole
    from manyheads.data.images import load_pixels

    for content, path in images.items():
        pixels = load_pixels(path, IMAGE)[np.newaxis]
        assert both[content] == backbone.expected(pixels)[0].tobytes()
