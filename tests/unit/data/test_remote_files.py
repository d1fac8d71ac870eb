"""What is tried again at an address, how often, and what is said of the rest."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from manyheads.core.job import Job
from manyheads.data import remote_files
from manyheads.data.remote_path import RemoteError
from manyheads.errors import DataError, DownloadError, Interrupted, MissingExtraError
from tests.remote_stores import Bucket
from tests.unit.servers import Site, serving

BODY = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_files, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(remote_files, "_SILENCE", 0.4)
    remote_files.forget_connections()


def failure(address: str, job: Job | None = None) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        remote_files.read(address, job or Job())
    return caught.value


@pytest.mark.parametrize("statuses", [[503], [500, 429, 502, 408]])
def test_what_passes_is_tried_again(statuses: list[int]) -> None:
    with serving(Site({"a.png": BODY}, statuses=list(statuses))) as site:
        assert remote_files.read(f"{site.url}/a.png") == BODY
    assert len(site.requests) == len(statuses) + 1


def test_a_server_may_say_how_long_it_wants_to_rest() -> None:
    with serving(Site({"a.png": BODY}, statuses=[503], retry_after="1")) as site:
        started = time.monotonic()
        assert remote_files.read(f"{site.url}/a.png") == BODY
    assert 0.5 <= time.monotonic() - started < 10


def test_attempts_are_bounded() -> None:
    with serving(Site({"a.png": BODY}, statuses=[503] * 99)) as site:
        error = failure(f"{site.url}/a.png")
    assert (error.found, error.transient) == ("HTTP status 503", True)
    assert len(site.requests) == remote_files.ATTEMPTS


def test_a_broken_answer_is_asked_for_again() -> None:
    with serving(Site({"a.png": BODY}, drops=[0, 17, 4000])) as site:
        assert remote_files.read(f"{site.url}/a.png") == BODY
    assert len(site.requests) == 4


@pytest.mark.when_changed("data")
def test_a_server_that_says_nothing_is_given_up() -> None:
    remote_files.forget_connections()
    stall = threading.Event()
    with serving(Site({"a.png": BODY}, drops=[5] * 99, stall=stall)) as site:
        started = time.monotonic()
        error = failure(f"{site.url}/a.png")
        assert time.monotonic() - started < 15
        stall.set()
    assert error.found.startswith("no answer, or no whole one")


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (401, "no access with these credentials"), (403, "no access with these credentials"),
        (404, "nothing there"), (410, "nothing there"), (400, "HTTP status 400"),
    ],
)  # fmt: skip
def test_what_does_not_pass_is_asked_once(status: int, found: str) -> None:
    with serving(Site({"a.png": BODY}, statuses=[status] * 9)) as site:
        assert failure(f"{site.url}/a.png").found == found
    assert len(site.requests) == 1


def test_another_size_than_listed_is_no_whole_file() -> None:
    with serving(Site({"a.png": BODY})) as site, pytest.raises(RemoteError, match="10,240 of 9"):
        remote_files.read(f"{site.url}/a.png", size=9)
    assert len(site.requests) == remote_files.ATTEMPTS


def test_no_server_there() -> None:
    with serving(Site({})) as site:
        pass
    error = failure(f"{site.url}/a.png")
    assert error.remedy == "check the network and repeat the command"


def test_a_stop_does_not_wait_for_a_server() -> None:
    job, stall = Job(), threading.Event()
    with serving(Site({"a.png": BODY}, drops=[5] * 99, stall=stall)) as site:
        threading.Timer(0.2, job.stop).start()
        started = time.monotonic()
        with pytest.raises(Interrupted):
            remote_files.read(f"{site.url}/a.png", job)
        assert time.monotonic() - started < 1
        stall.set()


def test_what_a_web_server_says_of_a_file() -> None:
    with serving(Site({"a.png": BODY})) as site:
        assert remote_files.facts_of(f"{site.url}/a.png") == (len(BODY), '"1"', 0)
        assert remote_files.facts_if_there(f"{site.url}/b.png") is None
        site.etag = 'W/"1"'
        assert remote_files.facts_of(f"{site.url}/a.png").version == ""
        site.statuses = [503, 503, 503]  # asked for by HEAD, then by GET
        assert remote_files.facts_of(f"{site.url}/a.png").size == len(BODY)


def test_a_page_of_links_is_a_folder() -> None:
    with serving(Site({"d/cat/1.png": b"1", "d/t.csv": b"2"})) as site:
        found = {(each.name, each.is_folder) for each in remote_files.list_folder(f"{site.url}/d")}
        assert found == {("cat", True), ("t.csv", False)}
        with pytest.raises(RemoteError, match="nothing there"):
            remote_files.list_folder(f"{site.url}/e")


def test_without_a_network_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Site({"a.png": BODY})) as site:
        monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
        with pytest.raises(DownloadError, match="MANYHEADS_OFFLINE"):
            remote_files.read(f"{site.url}/a.png")
    assert site.requests == []


def test_an_unknown_scheme() -> None:
    with pytest.raises(DataError, match=r"foo:// in foo://a/b; give one of s3://"):
        remote_files.read("foo://a/b")


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(MissingExtraError, match="install adlfs"):
        remote_files.read("abfs://photos@account/1.jpg")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[remote\]'"):
        remote_files.read("gs://b/1.jpg")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r"fsspec .* pip install 'manyheads\[remote\]'"):
        remote_files.read("memory://1.jpg")


@pytest.mark.when_changed("data")
def test_a_file_is_sent_whole(bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for size in (0, 10, 3 << 20):
        file.write_bytes(b"x" * size)
        remote_files.send(file, f"{bucket.address}/out/a.csv")
        assert bucket.get("out/a.csv") == b"x" * size
    with pytest.raises(RemoteError, match="no such bucket"):
        remote_files.send(file, "s3://no-bucket-of-that-name/a.csv")


@pytest.mark.when_changed("data")
def test_what_a_bucket_says(bucket: Bucket) -> None:
    folder = bucket.put({"a b.png": b"123", "cat/#1?.png": b"1", "x/": b""})
    found = {each.name: each for each in remote_files.list_folder(folder)}
    assert {name: each.is_folder for name, each in found.items()} == {
        "a b.png": False, "cat": True, "x": True,
    }  # fmt: skip
    facts = remote_files.facts_of(f"{folder}/a b.png")
    assert found["a b.png"].facts == facts
    assert facts.size == 3
    assert facts.version
    assert remote_files.read(f"{folder}/cat/#1?.png") == b"1"
    assert failure(f"{folder}/none.png").found == "nothing there"
    assert failure("s3://no-bucket-of-that-name/a").found == "no such bucket"


def test_without_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    remote_files.forget_connections()
    error = failure(f"{bucket.address}/a.png")
    assert error.found == "no credentials"
    assert "FSSPEC_S3_ANON=true" in error.remedy


def test_public_data_need_no_credentials(bucket: Bucket) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key="a.png", Body=b"12", ACL="public-read")
    bucket.client.put_object(Bucket=bucket.name, Key="b.png", Body=b"12")
    code = (
        "from manyheads.data.remote_files import read\n"
        "from manyheads.data.remote_path import RemoteError\n"
        f"print(len(read('{bucket.address}/a.png')))\n"
        f"try: read('{bucket.address}/b.png')\n"
        "except RemoteError as error: print(error.found)\n"
    )
    # fsspec reads the variable once in a process.
    asked = {name: value for name, value in os.environ.items() if name[:7] != "AWS_ACC"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=asked | {"FSSPEC_S3_ANON": "true"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["2", "no access with these credentials"]
