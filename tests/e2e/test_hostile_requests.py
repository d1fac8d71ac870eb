"""A service meets requests that mean harm: none ends it, leaks a path, or changes an answer."""

from __future__ import annotations

import os
import re
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from manyheads.study.folder import RunFolder
from tests.e2e.test_cli_serve import served
from tests.hostile import requests
from tests.unit.web.fake_models import serving_fakes

STATUSES = {0, 100, 200, 303, 304, 400, 403, 404, 405, 408, 413, 415, 421, 422, 431, 503, 504}
LEAKS = re.compile(rb"Traceback|site-packages|\bFile \"|0x[0-9a-f]{6}|/secret|/usr/|/lib/|\.py\b")
SEED = 18


def answered(address: str, sent: bytes) -> bytes:
    """What comes back; a client that has sent all of it sends no more, and waits a little."""
    at = urlsplit(address)
    found = b""
    try:
        with socket.create_connection((at.hostname or "", at.port or 80), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                found += part
    except OSError:  # the server has closed it before all was sent
        pass
    return found


def wrong(address: str, kind: str, sent: bytes, secrets: tuple[bytes, ...]) -> str:
    """What is wrong with the answer to a request, or ""."""
    found = answered(address, sent)
    for head in re.finditer(rb"(?:\A|\n)HTTP/1\.1 (\d{3}) ", found):
        if int(head[1]) not in STATUSES:
            return f"{kind}: {int(head[1])} for {sent[:300]!r}: {found[-300:]!r}"
    if LEAKS.search(found) or any(each in found for each in secrets):
        return f"{kind}: {found[:2000]!r} for {sent[:300]!r}"
    return ""


def attacked(address: str, count: int, secrets: tuple[bytes, ...]) -> Counter[str]:
    """How many requests of each kind were made; none of them had an answer that is wrong."""
    host, kinds = address.removeprefix("http://").encode(), Counter[str]()
    with ThreadPoolExecutor(8) as pool:
        waiting = []
        for kind, sent in requests(SEED, host, count):
            kinds[kind] += 1
            waiting.append(pool.submit(wrong, address, kind, sent, secrets))
            if len(waiting) == 200:
                assert [problem for each in waiting if (problem := each.result())] == []
                waiting.clear()
        assert [problem for each in waiting if (problem := each.result())] == []
    return kinds


@pytest.mark.when_changed("commands")
def test_hostile_requests_change_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with serving_fakes("pets") as shelf, httpx.Client(base_url=shelf.address) as client:
        from tests.unit.web.test_service_app import PICTURES

        def ask() -> str:
            return client.post("/predict", content=PICTURES["1.png"]).text

        before = ask()
        kinds = attacked(shelf.address, 400, (b"/secret/place", os.fsencode(Path.cwd())))
        assert len(kinds) == 10
        assert ask() == before
        deadline = time.monotonic() + 60  # a large one may still be decoded for who has left
        while 'queue_images{model="pets"} 0.0' not in (told := client.get("/metrics").text):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "passwd" not in told
        assert "evil" not in told
        errors = capfd.readouterr().err
    assert "Traceback" not in errors
    assert "passwd" not in errors  # what a client writes is not in the log


def test_bodies_that_never_end_do_not_keep_others_waiting() -> None:
    with serving_fakes("pets") as shelf, httpx.Client(base_url=shelf.address) as client:
        host = shelf.address.removeprefix("http://").encode()
        at = urlsplit(shelf.address)
        head = b"POST /predict HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 1000\r\n\r\n"
        idle = [socket.create_connection((at.hostname or "", at.port or 80)) for _ in range(200)]
        try:
            for number, connection in enumerate(idle):
                connection.sendall(head[: 30 + number])
            began = time.monotonic()
            assert client.get("/healthz").status_code == 200
            assert time.monotonic() - began < 5
        finally:
            for connection in idle:
                connection.close()


@pytest.mark.slow
def test_ten_thousand_hostile_requests(small_run: RunFolder) -> None:
    run = small_run.path
    image = next((run.parent / "images").glob("*/*/*.png")).read_bytes()
    with served(f"pets={run}") as service, httpx.Client(timeout=60) as client:

        def ask() -> str:
            return client.post(f"{service.address}/predict", content=image).text

        before = ask()
        secrets = (os.fsencode(run.parent), os.fsencode(Path.cwd()))
        attacked(service.address, 500, secrets)
        memory = resident(service.process.pid)
        kinds = attacked(service.address, 10_000, secrets)
        assert sum(kinds.values()) == 10_000
        assert ask() == before
        assert resident(service.process.pid) < memory + 200e6
        errors = service.end()
    assert service.process.returncode == 0
    assert "Traceback" not in errors


def resident(process: int) -> float:
    """Bytes of memory that a process has, once it has decoded what was sent."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    time.sleep(5)
    (found,) = re.findall(r"VmRSS:\s+(\d+) kB", status.read_text())
    return 1024 * float(found)
