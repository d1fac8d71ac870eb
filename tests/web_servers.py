"""An application of ours at work in a thread of the test, and raw requests to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from manyheads.core.job import Job
from manyheads.web.shared.running import run_server

_PATIENCE = 30.0  # seconds


@contextmanager
def serving_app(app: Any, *, host: str = "127.0.0.1", drain_seconds: float = 5.0) -> Iterator[str]:
    """Serve an ASGI application until the block ends; its address, such as http://127.0.0.1:8000.

    What the server raises is raised here.
    """
    job, listens = Job(), threading.Event()
    address: list[str] = []
    raised: list[BaseException] = []

    def ready(text: str) -> None:
        address.append(text)
        listens.set()

    def serve() -> None:
        try:
            run_server(app, host=host, port=0, job=job, ready=ready, drain_seconds=drain_seconds)
        except BaseException as error:
            raised.append(error)
        finally:
            listens.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert listens.wait(_PATIENCE)
        if address:
            yield address[0]
    finally:
        job.stop()
        thread.join(_PATIENCE)
        assert not thread.is_alive(), "the server did not end"
    if raised:
        raise raised[0]


def exchanged(address: str, sent: bytes, seconds: float = 10.0) -> bytes:
    """What a server answers to these bytes, until it closes the connection or is silent."""
    at = urlsplit(address)
    assert at.hostname is not None
    found = b""
    with socket.create_connection((at.hostname, at.port or 80), timeout=seconds) as connection:
        try:
            connection.sendall(sent)
            while part := connection.recv(1 << 16):
                found += part
        except OSError:  # a reset, or a time-out
            pass
    return found


def status_of(answer: bytes) -> int:
    """The status of a raw answer; 0 for none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") else 0
