"""Studies with a real backbone and real models survive SIGKILL and Ctrl-C."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.processes import Runner, interrupt, same_outcome, wait_for
from tests.small_study import small_images


@pytest.fixture
def real(tmp_path: Path, cache: Path) -> Runner:
    """Sweeps with MobileNetV2; the cache is shared, so that it is compiled once."""
    data = small_images(tmp_path / "data", train=60, validation=20)
    options = ("--backbone", "mobilenet_v2", "--weights", "random:0", "--image-size", "32")
    options += ("--epochs", "20", "--seeds", "4", "--droprate", "0", "0.2", "0.5", "0.8")
    runner = Runner(tmp_path, data, options, [sys.executable, "-m", "manyheads.cli.main"])

    def environment(place: Path) -> Mapping[str, str]:
        own = place / "cache"
        for shared in ("weights", "compiled"):
            (cache / shared).mkdir(parents=True, exist_ok=True)
            own.mkdir(parents=True, exist_ok=True)
            if not (own / shared).exists():
                (own / shared).symlink_to(cache / shared, target_is_directory=True)
        return {"MANYHEADS_CACHE": str(own)}

    runner.environment = environment
    return runner


def arrays_of(model: Path) -> list[np.ndarray]:
    """All arrays of a `.keras` file."""
    import h5py

    found: list[np.ndarray] = []
    with (
        zipfile.ZipFile(model) as archive,
        archive.open("model.weights.h5") as file,
        h5py.File(file, "r") as weights,
    ):
        weights.visititems(
            lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.when_changed("resuming"))])
def test_kills_with_a_real_backbone(real: Runner, kills: int) -> None:
    code, errors = real.finish(real.start("whole"))
    assert code == 0, errors
    started = time.monotonic()
    assert real.finish(real.start("timed"))[0] == 0
    took = time.monotonic() - started
    whole, killed, studies = real.folder / "whole" / "run", 0, 0
    while killed < kills:
        # A start that is quicker than its kill finishes its study; the next study goes on.
        name = f"killed-{studies}"
        killed += real.kill_until_done(
            name, kills=kills - killed, seed=studies, span=(0.3, 0.7 * took)
        )
        studies += 1
        assert studies < kills
        other = real.folder / name / "run"
        same_outcome(whole, other)
        arrays = zip(arrays_of(whole / "best.keras"), arrays_of(other / "best.keras"), strict=True)
        assert all(np.array_equal(left, right) for left, right in arrays)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["extraction", "training"])
def test_ctrl_c_with_a_real_backbone(real: Runner, phase: str) -> None:
    run = real.folder / "cut" / "run"
    points = {
        "extraction": lambda: list((real.folder / "cut" / "cache").rglob("features.f32")),
        "training": lambda: list(run.glob("heads/*")),
    }
    process = real.start("cut")
    wait_for(points[phase], process)
    seconds, errors = interrupt(process)
    assert seconds < 3.5, errors
    assert not (run / "best.keras").exists()
    code, errors = real.finish(real.start("cut"))
    assert code == 0, errors
    assert arrays_of(run / "best.keras")
    assert not [path for path in run.iterdir() if path.name.startswith("tmp")]
