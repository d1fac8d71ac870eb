"""Running an application: a port, a line that it listens, and an end that loses no request."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from manyheads.core.job import Job
from manyheads.errors import WorldError
from manyheads.web.shared.request_log import request_log

DRAIN = 10.0  # seconds
_HEAD_SECONDS = 15.0  # in which the head of a request has to arrive
_HEAD_BYTES = 64 << 10
_IDLE_SECONDS = 75  # of a connection between requests: longer than proxies keep theirs


def run_server(
    app: Any,
    *,
    host: str,
    port: int,
    job: Job,
    ready: Callable[[str], object],
    drain_seconds: float = DRAIN,
    hangup: Callable[[], object] | None = None,
) -> None:
    """Serve `app` in this thread until SIGTERM, Ctrl-C or the stop of `job`.

    Port 0 is a free one. `ready` gets the address once clients may connect. At the end no
    connection is accepted, and what is in flight is answered, for at most `drain_seconds`; a second
    Ctrl-C does not wait. `hangup` is called at each SIGHUP, in a thread of its own. Raises
    `WorldError` if the address is in use or not one of this machine's.
    """
    with _listening(host, port) as listener, request_log():
        config = uvicorn.Config(
            app, http=_ImpatientProtocol, ws="none", loop="asyncio", log_config=None,
            access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(drain_seconds)),
            h11_max_incomplete_event_size=_HEAD_BYTES, timeout_keep_alive=_IDLE_SECONDS,
        )  # fmt: skip
        _DrainingServer(config, job, lambda: ready(_address(listener)), hangup).run([listener])


class _DrainingServer(uvicorn.Server):
    """A server that says when it listens, ends with its job, and swallows the signal to end."""

    def __init__(
        self,
        config: uvicorn.Config,
        job: Job,
        ready: Callable[[], object],
        hangup: Callable[[], object] | None,
    ) -> None:
        super().__init__(config)
        self._job, self._ready, self._hangup = job, ready, hangup

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        return self._job.stopped or await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals here: the program around it goes on to its own end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers: dict[int, Any] = {signal.SIGINT: self._end, signal.SIGTERM: self._end}
        if hasattr(signal, "SIGHUP") and self._hangup is not None:
            handlers[signal.SIGHUP] = self._hang_up
        before = {number: signal.signal(number, each) for number, each in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.should_exit = True

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._hangup is not None:
            threading.Thread(target=self._hangup, name="hangup", daemon=True).start()


class _ImpatientProtocol(H11Protocol):
    """Closes a connection whose next request has begun, or the first has not, for too long."""

    _waiting: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # nonsense behind an answer that has begun
            self.transport.abort()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch(ends=True)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        super().send_400_response(msg)
        if self.cycle is not None:  # what comes of the request is answered with this
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _watch(self, *, ends: bool = False) -> None:
        incomplete = self.conn.their_state is h11.IDLE
        if self._waiting is not None and (ends or not incomplete):
            self._waiting.cancel()
            self._waiting = None
        elif self._waiting is None and incomplete and not ends:
            self._waiting = self.loop.call_later(_HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.transport.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    try:
        listener = socket.create_server((bare, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = error.strerror if isinstance(error, OSError) else str(error)
        found = "another program that listens there" if in_use else str(reason)
        raise WorldError(
            f"to listen at {host}:{port}", found,
            "end that program, or choose another `port`; 0 is a free one" if in_use
            else "choose another `host` or `port`",
        ) from error  # fmt: skip
    with listener:
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
