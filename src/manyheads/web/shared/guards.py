"""What stands before an application: who may ask, how much may be sent, and what answers carry.

A loopback address is no boundary against web pages: any page that the user has open may send
requests there. So the name in `Host` is held to those of the server, which defeats a foreign name
that resolves to this machine, and `Origin` to the server's own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from manyheads.web.shared.requesters import Refusal, Requesters

log = logging.getLogger("manyheads.web")

Message = dict[str, Any]
Scope = dict[str, Any]

_LINGER = 1.0  # seconds for which what a refused client still sends is read, so that it listens
_SECURITY = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What requests may take: bytes of one body and of all bodies at a time, bytes of the headers
    with the address, seconds in which a body has to arrive, and requests in flight.
    """

    body_bytes: int = 64 << 20
    bodies_bytes: int = 512 << 20
    header_bytes: int = 32 << 10
    body_seconds: float = 60.0
    in_flight: int = 256


@dataclass(frozen=True)
class Answered:
    """A request that was answered: its method and route, and status, seconds and bytes of it.

    `route` is the route's pattern, such as `/models/{name}/predict`, and `-` where there is none:
    what a client has written is not told. `refused` says that a guard has answered.
    """

    method: str
    route: str
    status: int
    seconds: float
    bytes: int
    refused: bool


@dataclass
class _Held:
    """What is in flight."""

    requests: int = 0
    body_bytes: int = 0


def guarded(
    app: Any,
    *,
    names: Collection[str],
    token: str | None,
    limits: Limits,
    open_paths: Collection[str] = (),
    answered: Callable[[Answered], object] | None = None,
) -> Any:
    """`app`, an ASGI application, behind checks of each request; also an ASGI application.

    `names` are what the server may be called in `Host`, as `requesters.own_names` gives them. With
    a `token` each request has to carry it, except for `open_paths`, which count in no limit on
    requests either. `answered` hears of each answer, in the server's loop. A body is handed on
    once it is whole. Refusals are JSON, `{"error": "expected …, found …; do"}`: 400, 401, 403, 408,
    413, 421, 431, and 503 with `Retry-After`. An exception of the application is a 500 without a
    word of it; the log has the traceback.
    """
    return _GuardedApp(app, Requesters(names, token), limits, frozenset(open_paths), answered)


class _GuardedApp:
    def __init__(
        self,
        app: Any,
        requesters: Requesters,
        limits: Limits,
        open_paths: frozenset[str],
        answered: Callable[[Answered], object] | None,
    ) -> None:
        self._app, self._requesters, self._limits = app, requesters, limits
        self._open_paths, self._answered = open_paths, answered
        self._held = _Held()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _Answer(send))
        else:  # a WebSocket, which nothing here speaks
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Any, answer: _Answer) -> None:
        began, refused = time.perf_counter(), False
        body: _Body | None = None
        is_open = scope["path"] in self._open_paths
        self._held.requests += not is_open
        try:
            try:
                self._check(scope, is_open)
                if (cookie := self._requesters.admitted_by_address(scope)) is not None:
                    await answer.redirect(cookie)
                    return
                body = _Body(receive, self._limits, self._held)
                await body.read()
            except Refusal as refusal:
                refused = True
                if body is None and refusal.status != 431:
                    await _linger(scope, receive)
                await answer.refuse(refusal)
                return
            await self._app(scope, body.receive, answer.send)
        except _Gone:
            pass
        except Exception:
            log.exception("internal error")
            await answer.fail()
        finally:
            self._held.requests -= not is_open
            if body is not None:
                body.release()
            self._tell(scope, answer, time.perf_counter() - began, refused)

    def _check(self, scope: Scope, is_open: bool) -> None:
        limits, headers = self._limits, scope["headers"]
        size = sum(len(name) + len(value) + 4 for name, value in headers)
        size += len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if size > limits.header_bytes:
            expected = f"at most {limits.header_bytes:,} bytes of headers and address"
            raise Refusal(431, expected, f"{size:,}", "send fewer")
        self._requesters.check(scope, needs_token=not is_open)
        if _announced(headers) > limits.body_bytes:
            raise _too_large(limits)
        if self._held.requests > limits.in_flight:
            raise Refusal(
                503, f"at most {limits.in_flight} requests at a time", "more", "repeat it later"
            )

    def _tell(self, scope: Scope, answer: _Answer, seconds: float, refused: bool) -> None:
        route = getattr(scope.get("route"), "path", "-")
        method = scope["method"] if scope["method"] in _METHODS else "-"
        told = Answered(method, route, answer.status, seconds, answer.bytes, refused)
        log.info(
            "%s %s %d %.0f ms %d bytes", method, route, told.status, 1000 * seconds, told.bytes
        )
        if self._answered is not None:
            self._answered(told)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class _Gone(Exception):
    """The client has left."""


class _Answer:
    """The answer to a request, with the headers that all of them carry."""

    def __init__(self, send: Any) -> None:
        self.status, self.bytes = 0, 0
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            known = {name.lower() for name, _ in headers}
            headers += [each for each in _SECURITY if each[0] not in known]
            if b"cache-control" not in known:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal; the connection ends, because its body may be unread."""
        headers = [(b"connection", b"close")]
        if refusal.status == 503:
            headers.append((b"retry-after", b"1"))
        if refusal.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await self._whole(refusal.status, refusal.content, headers)

    async def redirect(self, cookie: str) -> None:
        """Send a browser that knows the token to the page, with a cookie in the token's place."""
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
        await self._whole(303, b"{}", headers)

    async def fail(self) -> None:
        """Answer that something went wrong here; what was begun is broken off by the server."""
        if not self.status:
            await self._whole(500, b'{"error": "internal error"}', [(b"connection", b"close")])

    async def _whole(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        headers = [
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers
        ]  # fmt: skip
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


class _Body:
    """The body of a request, read whole within the limits before the application sees it."""

    def __init__(self, receive: Any, limits: Limits, held: _Held) -> None:
        self._receive, self._limits, self._held = receive, limits, held
        self._parts: list[bytes] = []
        self._size, self._handed_on = 0, False

    async def read(self) -> None:
        """Read it; raises `Refusal`."""
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                await self._read()
        except TimeoutError:
            expected = f"the whole body within {self._limits.body_seconds:g} seconds"
            raise Refusal(408, expected, f"{self._size:,} bytes", "send less, or faster") from None

    async def _read(self) -> None:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            part, more = message.get("body", b""), message.get("more_body", False)
            self._size += len(part)
            self._held.body_bytes += len(part)
            if self._size > self._limits.body_bytes:
                raise _too_large(self._limits)
            if self._held.body_bytes > self._limits.bodies_bytes:
                expected = f"at most {self._limits.bodies_bytes:,} bytes of all requests together"
                raise Refusal(503, expected, "more", "repeat it later")
            if part:
                self._parts.append(part)

    async def receive(self) -> Message:
        """The body as one message, and afterwards what the server says."""
        if self._handed_on:
            return await self._receive()
        self._handed_on = True
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        return {"type": "http.request", "body": body, "more_body": False}

    def release(self) -> None:
        """Count it no longer among what is in flight."""
        self._held.body_bytes -= self._size


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    """The length of the body that the headers announce; 0 if they announce none."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


def _too_large(limits: Limits) -> Refusal:
    """The refusal of a body beyond the limit."""
    expected = f"a body of at most {limits.body_bytes:,} bytes"
    return Refusal(413, expected, "a larger one", "send fewer or smaller images at a time")


async def _linger(scope: Scope, receive: Any) -> None:
    """Read on for a moment: a client that is still sending would see its connection reset."""
    if any(name == b"expect" for name, _ in scope["headers"]):
        return  # it has not begun
    try:
        async with asyncio.timeout(_LINGER):
            while (message := await receive()).get("more_body"):
                del message
    except TimeoutError:
        pass
