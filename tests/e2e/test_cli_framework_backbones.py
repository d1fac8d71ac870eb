"""Networks of other frameworks on the command line: built once, then without the framework."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Said
from tests.small_study import small_images
from tests.unit.report.page_reader import read_page

Command = Callable[..., Said]
STAND_INS = Path(__file__).parents[1] / "stand_ins"
STUDY = (
    "sweep", "images", "--backbone", "keras_hub:small_map", "--resize", "crop:0.8",
    "--epochs", 2, "--seeds", 1, "--size-inner", 4, "--droprate", "0.5", "--dropblock", "0.3",
    "--out", "run",
)  # fmt: skip


@pytest.mark.when_changed("frameworks")
def test_a_study_goes_on_without_the_framework(
    command: Command, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = next((small_images(tmp_path / "images", train=4, validation=3) / "train").glob("*/*"))
    told = command(*STUDY)
    assert (told.code, "pip install 'manyheads[keras-hub]'" in told.complaint) == (1, True)
    assert not own_cache.exists()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(STAND_INS)
        told = command(*STUDY, "--dry-run")
        line = "keras_hub:small_map, 48×48, bilinear, crop:0.8, preprocessing mean=0.5,0.5,0.5,"
        assert line in told.err + told.out
        assert "weights: to be fetched" in told.err + told.out
        told = command(*STUDY)
        assert told.code == 0, told.err
        assert "Fetching about 0.7 kB, unless keras_hub has them: small_map of " in told.err
        assert "run/best.xml" in told.out
        sys.modules.pop("keras_hub", None)
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    assert 'backbone = "keras_hub:small_map@0.1"' in (tmp_path / "run" / "study.toml").read_text()
    told = command(*STUDY)
    assert (told.code, "features and heads are there already" in told.err) == (0, True), told.err
    assert command("predict", "run", photo).code == 0
    assert command("explain", "run", photo).code == 0
    assert command("export", "run", "--format", "openvino").code == 0
    assert command("predict", "run/export/best.xml", photo).code == 0
    report = read_page((tmp_path / "run" / "report.html").read_text())
    assert "--backbone keras_hub:small_map@0.1" in report.by_id("repeat").text
    told = command(*STUDY[:-1], "other", "--image-size", 64)
    assert told.code == 0, told.err
