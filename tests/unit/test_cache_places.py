"""Everything that caches lies below one place, and a temporary one where that cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.core import places
from manyheads.core.places import cache_dir, is_writable, make_folder, scratch_dir
from manyheads.errors import DiskError

VARIABLES = ("NUMBA_CACHE_DIR", "KERAS_HOME", "MPLCONFIGDIR")


def settled(home: Path, **given: str) -> dict[str, str | None]:
    """The folders of libraries after an import of manyheads in a process of its own."""
    kept = {k: v for k, v in os.environ.items() if k not in (*VARIABLES, "XDG_CONFIG_HOME")}
    program = (
        "import json, os, manyheads.core.places\n"
        f"print(json.dumps({{name: os.environ.get(name) for name in {VARIABLES}}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=kept | {"HOME": str(home)} | given,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_the_caches_of_libraries_lie_in_ours(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    found = settled(tmp_path / "home", MANYHEADS_CACHE=str(cache))
    assert found == {
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "KERAS_HOME": str(cache / "keras"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
    }


def test_what_the_user_has_set_or_has_already_stays(tmp_path: Path) -> None:
    given = {name: str(tmp_path / name) for name in VARIABLES}
    assert settled(tmp_path, **given) == given
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".config" / "matplotlib").mkdir(parents=True)
    found = settled(tmp_path)
    assert found["KERAS_HOME"] is None
    assert found["MPLCONFIGDIR"] is None


def test_numba_finds_its_folder_whatever_is_imported_first(tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    program = "import manyheads.heads.fused.blocks, numba; print(numba.config.CACHE_DIR)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=kept | {"MANYHEADS_CACHE": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(tmp_path / "numba")


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache that cannot be made, for anyone: it would lie below a file."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(places.tempfile, "tempdir", str(tmp_path))
    places._temporary.cache_clear()
    yield tmp_path
    places._temporary.cache_clear()


def test_what_is_soon_made_again_goes_to_a_temporary_folder(unwritable: Path) -> None:
    assert not is_writable(cache_dir())
    found = scratch_dir("numba")
    assert found.parent.parent == unwritable
    assert found.parent.stat().st_mode & 0o777 == 0o700
    places._temporary.cache_clear()
    assert scratch_dir("numba") == found  # as a later process finds it


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system has no users of this kind")
def test_a_temporary_folder_that_others_can_fill_is_not_taken(unwritable: Path) -> None:
    planted = unwritable / f"manyheads-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    found = scratch_dir("numba").parent
    assert found != planted
    assert found.parent == unwritable
    planted.rmdir()
    planted.symlink_to(unwritable)
    places._temporary.cache_clear()
    assert scratch_dir("numba").parent != planted


@pytest.mark.usefixtures("unwritable")
def test_what_needs_the_cache_names_the_variable() -> None:
    with pytest.raises(DiskError, match="set MANYHEADS_CACHE to a folder that you may write"):
        make_folder(cache_dir() / "features")


def test_a_user_whom_the_system_does_not_know_has_a_cache_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MANYHEADS_CACHE")
    monkeypatch.setattr(places, "user_cache_path", lambda *_, **__: Path("~/.cache/manyheads"))

    def unknown(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    assert cache_dir() == Path("/.cache/manyheads")
