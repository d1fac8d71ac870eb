"""Downloads: whole, resumed, refused, and never half in place."""

from __future__ import annotations

import hashlib
import socket
import threading
import time

import pytest

from manyheads.core import download as module
from manyheads.core.download import download
from manyheads.core.job import Job
from manyheads.errors import DiskError, DownloadError, Interrupted
from tests.jobs import HeardJob
from tests.unit.servers import Site, serving

BODY = bytes(range(256)) * 4000
SHA = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0))


@pytest.fixture
def site():
    with serving(Site({"file.bin": BODY})) as site:
        yield site


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "file.bin"


def names(target):
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


def test_a_whole_file_with_progress(site, target):
    job = HeardJob()
    url = f"{site.url}/file.bin"
    result = download(url, target, sha256=SHA, md5=MD5, job=job)
    assert result == target
    assert target.read_bytes() == BODY
    assert names(target) == ["file.bin"]
    assert job.steps("fetching")[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in job.steps()] == sorted({done for done, _ in job.steps()})


def test_what_is_there_is_not_fetched_again(site, target):
    for _ in range(2):
        download(f"{site.url}/file.bin", target, sha256=SHA)
    download("http://127.0.0.1:1/never-asked", target)
    assert len(site.requests) == 1


def test_a_wrong_file_that_is_there_is_replaced(site, target):
    target.parent.mkdir()
    target.write_bytes(b"wrong")
    download(f"{site.url}/file.bin", target, sha256=SHA.upper())
    assert target.read_bytes() == BODY


def test_a_broken_connection_is_taken_up_within_one_call(site, target):
    site.drops = [300_000, 300_000]
    download(f"{site.url}/file.bin", target, sha256=SHA)
    assert [asked for _, asked in site.requests] == [None, "bytes=300000-", "bytes=600000-"]
    assert target.read_bytes() == BODY


def test_a_later_call_continues_where_an_earlier_one_ended(site, target):
    site.drops = [100_000] * 3
    with pytest.raises(DownloadError, match="300,000 of 1,024,000 bytes") as caught:
        download(f"{site.url}/file.bin", target)
    assert "continues where it stopped" in caught.value.remedy
    assert not target.exists()
    download(f"{site.url}/file.bin", target)
    assert site.requests[-1] == ("/file.bin", "bytes=300000-")
    assert target.read_bytes() == BODY
    assert names(target) == ["file.bin"]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_resuming_without_a_version(site, target, etag):
    site.etag = etag
    site.drops = [300_000]
    download(f"{site.url}/file.bin", target)
    assert target.read_bytes() == BODY


def test_a_server_without_ranges_sends_it_all_again(site, target):
    site.ranges = False
    site.drops = [300_000]
    download(f"{site.url}/file.bin", target, sha256=SHA)
    assert target.read_bytes() == BODY


def test_a_server_that_tells_no_length(site, target):
    site.length = False
    job = HeardJob()
    download(f"{site.url}/file.bin", target, job=job)
    assert target.read_bytes() == BODY
    assert job.steps("fetching")[-1] == (len(BODY), 0)


def test_halves_of_two_versions_are_not_joined(site, target):
    site.drops = [300_000] * 3
    with pytest.raises(DownloadError):
        download(f"{site.url}/file.bin", target)
    site.files["file.bin"] = other = BODY[::-1]
    site.etag = '"2"'
    download(f"{site.url}/file.bin", target)
    assert target.read_bytes() == other


def test_a_wrong_half_is_fetched_again_if_the_digest_tells(site, target):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(b"\0" * 1000)
    download(f"{site.url}/file.bin", target, sha256=SHA)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("extra", [0, 10])
def test_a_part_that_is_as_long_as_the_file_or_longer(site, target, extra):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(BODY + b"x" * extra)
    download(f"{site.url}/file.bin", target, sha256=SHA)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("digest", [{"sha256": "0" * 64}, {"md5": "0" * 32}])
def test_a_wrong_digest_leaves_nothing(site, target, digest):
    with pytest.raises(DownloadError, match="the digest 0000") as caught:
        download(f"{site.url}/file.bin", target, **digest)
    assert caught.value.found in (SHA, MD5)
    assert names(target) == []


def test_a_missing_file_is_not_asked_for_twice(site, target):
    with pytest.raises(DownloadError, match="HTTP status 404"):
        download(f"{site.url}/other.bin", target)
    assert len(site.requests) == 1
    assert names(target) == []


def test_a_busy_server_is_asked_again(site, target):
    site.statuses = [503, 429]
    download(f"{site.url}/file.bin", target, sha256=SHA)
    site.statuses = [500] * 3
    with pytest.raises(DownloadError, match="HTTP status 500"):
        download(f"{site.url}/file.bin", target.with_name("second"))


def test_a_refused_connection(target):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="connection refused; check the network"):
        download(f"http://127.0.0.1:{port}/file.bin", target)
    assert names(target) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/x", "file.bin"])
def test_other_addresses_are_refused(url, target):
    with pytest.raises(DownloadError, match="begins with https://"):
        download(url, target)


def test_a_folder_that_cannot_be_made(site, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DiskError):
        download(f"{site.url}/file.bin", tmp_path / "file" / "file.bin")


def test_a_silent_server_does_not_hold_up_a_stop(target):
    job = Job()
    with serving(Site({"file.bin": BODY}, drops=[1000], stall=threading.Event())) as site:
        threading.Timer(0.3, job.stop).start()
        before = time.monotonic()
        with pytest.raises(Interrupted, match="continues where it stopped"):
            download(f"{site.url}/file.bin", target, job=job)
        assert time.monotonic() - before < 2
    assert not target.exists()
    assert target.with_name("file.bin.part").stat().st_size == 1000


def test_two_at_once_fetch_it_once(site, target):
    calls = [
        threading.Thread(target=download, args=(f"{site.url}/file.bin", target)) for _ in range(4)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert target.read_bytes() == BODY
    assert len(site.requests) == 1
