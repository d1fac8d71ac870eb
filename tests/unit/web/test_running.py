"""A server listens, says so, ends in good order, and lets no connection linger."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from manyheads.core.job import Job
from manyheads.errors import WorldError
from manyheads.web.shared import running
from manyheads.web.shared.running import run_server
from manyheads.web.shared.static_pages import add_page, add_static
from tests.web_servers import exchanged, serving_app

PROGRAM = """
import sys, time
from fastapi import FastAPI
from manyheads.core.job import Job
from manyheads.web.shared.running import run_server
app = FastAPI()

@app.get("/slow")
def slow():
    time.sleep(1)
    return "done"

def hangup():
    print("again", flush=True)

run_server(app, host="127.0.0.1", port=0, job=Job(), drain_seconds=3, hangup=hangup,
           ready=lambda address: print(address, flush=True))
print("ended")
"""


def test_an_address_in_use_is_one_line() -> None:
    with serving_app(FastAPI()) as address:
        port = int(address.rpartition(":")[2])
        with pytest.raises(WorldError, match="another program that listens there") as caught:
            run_server(FastAPI(), host="127.0.0.1", port=port, job=Job(), ready=print)
        assert "`port`" in str(caught.value)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such name.invalid"])
def test_an_address_of_another_machine_is_one_line(host: str) -> None:
    with pytest.raises(WorldError, match="to listen at"):
        run_server(FastAPI(), host=host, port=0, job=Job(), ready=print)


def test_ipv6_is_listened_at() -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    try:
        with serving_app(FastAPI(), host="::1") as address:
            assert address.startswith("http://[::1]:")
            assert httpx.get(address).status_code == 404
    except WorldError:
        pytest.skip("no IPv6 here")


@pytest.mark.when_changed("pages")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_what_is_in_flight_is_answered(number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    answers: list[str] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.get(f"{address}/slow", timeout=20).text)
    )
    asking.start()
    process.send_signal(signal.SIGHUP)
    assert process.stdout.readline() == "again\n"
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    asking.join()
    assert answers == ['"done"']
    assert (process.returncode, out) == (0, "ended\n"), err
    assert "Traceback" not in err


def test_a_head_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_HEAD_SECONDS", 0.3)
    with serving_app(FastAPI()) as address:
        for sent in (b"", b"GET / HTT"):
            began = time.monotonic()
            exchanged(address, sent)
            assert time.monotonic() - began < 5


@pytest.mark.when_changed("commands")
def test_nonsense_is_answered_and_hurts_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    with serving_app(FastAPI()) as address:
        for sent in (
            b"\0\0\0\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, os.urandom(4096),
        ):  # fmt: skip
            assert exchanged(address, sent, 2)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"")
        assert httpx.get(address).status_code == 404
    assert "Traceback" not in capfd.readouterr().err


def test_files_are_sent_by_their_exact_names(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    (folder / "more").mkdir(parents=True)
    (folder / "index.html").write_text("<p>page</p>")
    (folder / "more" / "a.js").write_text("1")
    (folder / "notes.py").write_text("secret")
    (tmp_path / "outside.js").write_text("secret")
    app = FastAPI()
    add_page(app, "/", folder / "index.html")
    add_static(app, "service", folder)
    with serving_app(app) as address, httpx.Client(base_url=address) as client:
        page = client.get("/")
        assert (page.text, page.headers["content-type"]) == (
            "<p>page</p>", "text/html; charset=utf-8",
        )  # fmt: skip
        script = client.get("/static/service/more/a.js")
        assert (script.text, script.headers["content-type"]) == (
            "1",
            "text/javascript; charset=utf-8",
        )
        tag = script.headers["etag"]
        again = client.get("/static/service/more/a.js", headers={"If-None-Match": f'"x", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert client.head("/static/service/index.html").status_code == 200
        for wrong in (
            "notes.py", "more", "", "more/", "more/../index.html", "../outside.js",
            "%2e%2e/outside.js", "..%2foutside.js", "%2Fetc%2Fpasswd", "more\\a.js", "a.js%00",
        ):  # fmt: skip
            head = f"GET /static/service/{wrong} HTTP/1.1\r\nHost: a\r\nConnection: close"
            answer = exchanged(address, f"{head}\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 404"), wrong


def test_a_log_that_nobody_reads_does_not_stop_the_server() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", f"from manyheads.web.shared import request_log\n{NOISY}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "all told\n"
    process.kill()
    process.communicate()


NOISY = """
import logging
with request_log.request_log():
    for number in range(50_000):
        logging.getLogger("manyheads.web").info("line %d of many that nobody reads", number)
    print("all told", flush=True)
"""
