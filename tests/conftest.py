"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from manyheads.data.remote_files import forget_connections
from manyheads.run.pipeline import Finished
from manyheads.study.folder import RunFolder
from tests.inputs import changed
from tests.remote_stores import Bucket, credentials, s3_server
from tests.small_study import finished_study
from tests.strategies import distinct_image
from tests.warm_keras import warm_keras

# Machines that run tests are often busy with others' work: a slow example is not a wrong one.
settings.register_profile("manyheads", deadline=None)
settings.load_profile("manyheads")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of groups whose files are those with which they passed."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        groups = [mark.args[0] for mark in item.iter_markers("when_changed")]
        (kept if all(map(changed, groups)) else left_out).append(item)
    items[:] = kept
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where programs are required, a test that skips for want of one has failed."""
    report = yield
    required = os.environ.get("MANYHEADS_PROGRAMS") == "required"
    if required and report.skipped and item.get_closest_marker("programs"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this session share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def cache(shared: Path) -> Iterator[Path]:
    """A cache that no test shares with the user: of this session, or `MANYHEADS_TEST_CACHE`."""
    given = os.environ.get("MANYHEADS_TEST_CACHE")
    folder = Path(given) if given else shared / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYHEADS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def nurseries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Children with Keras that are there at once, where there are forks."""
    if not hasattr(os, "fork"):
        yield
        return
    with warm_keras(tmp_path_factory.mktemp("warm")):
        yield


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for one test alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MANYHEADS_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def clothing() -> Path:
    """The folder of the lesson's photographs."""
    data = os.environ.get("MANYHEADS_DATA")
    if not data:
        pytest.skip("MANYHEADS_DATA, the folder with the clothing photographs, is not set")
    folder = Path(data) / "clothing"
    if not folder.is_dir():
        pytest.skip(f"there are no clothing photographs in {data}")
    return folder


@pytest.fixture
def image_folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of small images that all differ: `image_folder({"train/cat": 3, "cat": 2})`.

    The keys are folders below the new folder `name`, the values numbers of images.
    """

    def make(
        counts: Mapping[str, int], *, name: str = "data", suffix: str = ".png", size: int = 8
    ) -> Path:
        root = tmp_path / name
        root.mkdir()
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True)
            for number in range(count):
                image = distinct_image(f"{folder} {number}", size)
                image.save(root / folder / f"{number:04d}{suffix}")
        return root

    return make


@pytest.fixture(scope="session")
def small_study(shared: Path) -> Finished:
    """A finished study of generated images through MobileNet with random weights; read only."""
    with FileLock(shared / "small.lock"):  # the next process only opens it
        return finished_study(shared / "small")


@pytest.fixture(scope="session")
def small_run(small_study: Finished) -> RunFolder:
    """The run folder of `small_study`."""
    return small_study.folder


@pytest.fixture(scope="session")
def s3() -> Iterator[tuple[str, list[str]]]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(
    s3: tuple[str, list[str]], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """An empty bucket at a server of this machine, and a cache that knows nothing of it."""
    import boto3

    endpoint, log = s3
    credentials(monkeypatch, endpoint)
    forget_connections()
    client = boto3.client("s3")
    name = f"bucket-{own_cache.parent.name}".lower().replace("_", "-")[:60].strip("-")
    client.create_bucket(Bucket=name)
    log.clear()
    yield Bucket(name, client, log)
    client.close()
    forget_connections()
