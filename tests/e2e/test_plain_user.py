"""In a container: a plain user without a home, read-only packages, a read-only run folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.study.folder import RunFolder
from tests.plain_user import PlainUser, prefix, read_only
from tests.small_study import small_images

pytestmark = pytest.mark.slow

STUDY = ("--backbone", "mobilenet", "--weights", "random:0", "--image-size", "32")
SWEEP = (*STUDY, "--epochs", "2", "--seeds", "2", "--droprate", "0", "0.5")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    prefix()
    folder = Path(tempfile.mkdtemp(prefix="plain-")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def user(place: Path) -> Iterator[PlainUser]:
    user = PlainUser(place)
    user.free.chmod(0o777)
    with read_only(user.home, user.packages):
        assert not user.may_write(user.home)
        assert user.may_write(user.free)
        yield user


@pytest.fixture(scope="module")
def images(place: Path) -> Path:
    return small_images(place / "images", test=2)


@pytest.fixture(scope="module")
def run(place: Path, small_run: RunFolder) -> Iterator[Path]:
    """A finished study, read only, with its images."""
    shutil.copytree(small_run.path, place / "run", ignore=shutil.ignore_patterns(".lock"))
    with read_only(place / "run"):
        yield place / "run"


def test_predict_needs_neither_a_home_nor_a_cache(user: PlainUser, run: Path, images: Path) -> None:
    photo = images / "train" / "cat" / "0.png"
    answers = [
        json.loads(user.run("predict", run, photo, "--json", *more).stdout)
        for more in ((), ("--no-cache",))
    ]
    assert answers[0] == answers[1]
    assert answers[0][0]["label"] in ("cat", "dog", "red panda")


def test_reports_and_comparisons_of_a_read_only_run_folder(user: PlainUser, run: Path) -> None:
    compared = user.run("compare", run)
    assert "Verdict" in compared.stdout
    reported = user.run("report", run)
    assert "Verdict" in reported.stdout


def test_a_study_needs_a_cache_and_says_which_variable_names_it(
    user: PlainUser, images: Path
) -> None:
    for command in ("sweep", "fit", "extract"):
        done = user.run(command, images, *STUDY, code=1)
        assert done.stderr.count("\n") <= 3
        assert "MANYHEADS_CACHE" in done.stderr.splitlines()[-1]


def test_with_a_cache_of_ones_own_a_study_runs_and_writes_nowhere_else(
    user: PlainUser, images: Path
) -> None:
    cache = user.free / "cache"
    out = user.free / "swept"
    before = {path.name for path in user.free.iterdir()}
    user.run("sweep", images, *SWEEP, "--out", out, MANYHEADS_CACHE=str(cache))
    assert (out / "best.keras").is_file()
    assert {path.name for path in user.free.iterdir()} - before == {"cache", "swept"}
    assert {"numba", "keras", "matplotlib"} <= {path.name for path in cache.iterdir()}
    user.run("test", out, MANYHEADS_CACHE=str(cache))
    # Baked into an image: what is in the cache serves those who cannot write it.
    with read_only(cache):
        assert not user.may_write(cache)
        user.run("sweep", images, *SWEEP, "--out", out, MANYHEADS_CACHE=str(cache))
        user.run("test", out, MANYHEADS_CACHE=str(cache))
        other = user.free / "other"
        user.run("sweep", images, *SWEEP, "--out", other, MANYHEADS_CACHE=str(cache))
    assert (other / "best.keras").is_file()
