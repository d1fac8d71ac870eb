"""Run folders that cannot be used, from the command line: one clear line, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.conftest import SMALL, Command

pytestmark = pytest.mark.usefixtures("free")


@pytest.mark.parametrize("out", ["photos/train/cat/0000.png", "file/below", "/proc/none/run"])
def test_a_folder_that_cannot_be_written(command: Command, photos: Path, out: str) -> None:
    Path("file").write_text("mine")
    said = command("sweep", photos, *SMALL, "--out", out)
    assert said.code == 1
    assert said.complaint.startswith("manyheads: expected ")
    assert Path("file").read_text() == "mine"


def test_a_read_only_folder(sweep, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acquire = FileLock.acquire
    refused = "run"

    def refuse(lock: FileLock, *arguments: object, **more: object) -> object:
        if refused in Path(lock.lock_file).parts:
            raise PermissionError(13, "")
        return acquire(lock, *arguments, **more)  # type: ignore

    with monkeypatch.context() as patch:
        patch.setattr("filelock.FileLock.acquire", refuse)
        said = sweep(photos)
        assert said.code == 1
        assert "found permission denied; choose a folder that you may write" in said.complaint
        refused = "cache"  # which another variable names
        said = sweep(photos)
        assert said.code == 1
        assert "found permission denied; set MANYHEADS_CACHE to a folder" in said.complaint
    assert not Path("run/study.toml").exists()


def test_other_files_in_the_run_folder_are_left_alone(sweep, photos: Path) -> None:
    Path("run").mkdir()
    Path("run/notes.txt").write_text("mine")
    said = sweep(photos)
    assert said.code == 1
    assert "found other files (notes.txt); choose another --out" in said.complaint
    assert [path.name for path in Path("run").iterdir() if path.name != ".lock"] == ["notes.txt"]


def test_a_changed_setting_shows_the_difference_and_changes_nothing(sweep, photos: Path) -> None:
    assert sweep(photos).code == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    said = sweep(photos, "--epochs", 5, "--interpolation", "nearest")
    assert said.code == 1
    assert "found grid.epochs: 2 → 5; image.interpolation: bicubic → nearest; " in said.complaint
    (photos / "train" / "cat" / "0000.png").unlink()
    assert "1 image removed (train/cat/0000.png)" in sweep(photos).complaint
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before
