"""A run folder holds one study, for one process at a time."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.errors import DiskError, RunError
from manyheads.study.folder import RunFolder

DOCUMENT = {"study": {"epochs": 3, "data": "/here"}, "grid": {"droprate": [0.0, 0.5]}}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "one")


def test_a_new_folder_is_made_with_its_settings(folder: RunFolder) -> None:
    with folder.opened(DOCUMENT):
        assert folder.document() == DOCUMENT


def test_the_same_settings_open_it_again(folder: RunFolder) -> None:
    with folder.opened(DOCUMENT):
        (folder.path / "history.csv").write_text("results")
    before = folder.settings.stat().st_mtime_ns
    with folder.opened(DOCUMENT | {"study": {"epochs": 3, "data": "/elsewhere"}}):
        pass
    assert folder.settings.stat().st_mtime_ns == before


def test_changed_settings_are_shown_and_change_nothing(folder: RunFolder) -> None:
    with folder.opened(DOCUMENT):
        pass
    changed = {"study": {"epochs": 4}, "grid": {"droprate": [0.0, 0.8]}}
    with (
        pytest.raises(RunError, match=r"droprate: 0.0 0.5 → 0.0 0.8; grid.epochs: 3 → 4; repeat"),
        folder.opened(changed),
    ):
        pass
    assert folder.document() == DOCUMENT


def test_a_folder_of_other_files_is_left_alone(folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(RunError, match=r"found other files \(thesis.tex\); choose another `out`"),
        folder.opened(DOCUMENT),
    ):
        pass
    assert not folder.settings.exists()
    assert (folder.path / "thesis.tex").read_text() == "years of work"


def test_a_folder_that_holds_only_claims_takes_a_study(folder: RunFolder) -> None:
    folder.claims.mkdir(parents=True)
    (folder.claims / "shortcut.json").write_text("{}")
    with folder.opened(DOCUMENT):
        pass
    assert folder.document() == DOCUMENT
    assert (folder.claims / "shortcut.json").exists()


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with (
        pytest.raises(RunError, match="found a file; choose another `out`"),
        RunFolder(tmp_path / "file").opened(DOCUMENT),
    ):
        pass
    with (
        pytest.raises(DiskError, match="not a directory"),
        RunFolder(tmp_path / "file" / "below").opened(DOCUMENT),
    ):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_settings_that_are_no_toml_are_a_run_error(folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    folder.settings.write_text("= = =")
    with pytest.raises(RunError, match="in another run folder"), folder.opened(DOCUMENT):
        pass


def test_another_process_is_told_that_the_folder_is_taken(folder: RunFolder) -> None:
    script = (
        "import sys; from manyheads.study.folder import RunFolder\n"
        "with RunFolder(sys.argv[1]).opened({}): pass"
    )
    command = [sys.executable, "-c", script, str(folder.path)]
    with folder.opened({}):
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "found another manyheads at work in it; wait until" in second.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_the_folder_is_free_again_after_an_error(folder: RunFolder) -> None:
    with pytest.raises(ZeroDivisionError), folder.opened(DOCUMENT):
        raise ZeroDivisionError
    with folder.opened(DOCUMENT):
        pass


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "read-only file system; choose a folder on a disk that can be written"),
        (errno.EACCES, "permission denied; choose a folder that you may write"),
        (errno.ENOSPC, "no space left on device; free some space and repeat"),
    ],
)
def test_a_folder_that_cannot_be_written_is_a_disk_error(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DiskError, match=words), folder.opened(DOCUMENT):
        pass


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_a_study_has_no_document(folder: RunFolder, make: bool) -> None:
    if make:
        folder.path.mkdir(parents=True)
    found = "no study.toml in it" if make else "no such folder"
    with pytest.raises(RunError, match=f"{found}; name the run folder of a study"):
        folder.document()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("photos", "photos"),
        ("a/my photos/", "my-photos"),
        ("list.csv", "list"),
        ("a/..", None),
        ("photos.v1", "photos.v1"),
        ("photos.v2/", "photos.v2"),
        ("photos.v1/list.CSV", "list"),
    ],
)
def test_a_folder_is_named_after_the_data(data: str, name: str | None) -> None:
    assert RunFolder.named_after(data).path == Path("runs") / (name or Path.cwd().name)
