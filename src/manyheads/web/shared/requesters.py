"""Who may ask a server something: by the name it is called, by the page that asks, by a token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import re
import socket
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(\d{1,5}))?")
_ONCE = (b"host", b"origin", b"content-length", b"transfer-encoding", b"authorization")
_SAFE = ("GET", "HEAD", "OPTIONS")
_USUAL_PORTS = (80, 443)  # those that a browser leaves out
_EVERYWHERE = ("0.0.0.0", "[::]")
_COOKIE_AGE = 30 * 24 * 3600  # seconds


class Refusal(Exception):
    """A request that is not answered: a status, and what was expected, found and is to be done."""

    def __init__(self, status: int, expected: str, found: str, remedy: str) -> None:
        super().__init__(f"expected {expected}, found {found}; {remedy}")
        self.status = status

    @property
    def content(self) -> bytes:
        """The body of the answer."""
        return json.dumps({"error": str(self)}).encode()


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address to listen at, is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def own_names(host: str, further: Collection[str] = ()) -> frozenset[str]:
    """What a server that listens at `host` may be called, with the `further` names.

    A name without a port is meant with the port that the server listens at; one with a port, such
    as `photos.example.org:443`, is what clients of a proxy before it write. A server that listens
    everywhere may be called by the address at which a request has arrived.
    """
    written = f"[{host}]" if ":" in host and not host.startswith("[") else host
    names = {"localhost", "127.0.0.1", "[::1]", written, *further}
    if written in _EVERYWHERE:
        names.add(socket.gethostname())
    return frozenset(name.lower() for name in names)


class Requesters:
    """Decides who may ask; `names` as `own_names` gives them, and a `token` or None."""

    def __init__(self, names: Collection[str], token: str | None) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._token = None if token is None else token.encode()
        self._ticket = hmac.new(self._token or b"", b"manyheads", hashlib.sha256).hexdigest()

    def check(self, scope: dict[str, Any], *, needs_token: bool) -> None:
        """Raise `Refusal` if the request may not be made."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in _ONCE:
                raise Refusal(400, f"one header {name.decode()}", "several", "send it once")
            headers[name] = value
        if b"content-length" in headers and b"transfer-encoding" in headers:
            raise Refusal(400, "one length of the body", "Content-Length and Transfer-Encoding",
                          "send one of them")  # fmt: skip
        if not scope["path"].startswith("/") or "\0" in scope["path"]:
            raise Refusal(400, "an address that begins with /", "another", "send the path alone")
        host = headers.get(b"host", b"").decode("latin-1").lower()
        self._check_host(host, scope.get("server"))
        self._check_page(host, headers, scope["method"])
        if needs_token and self._token is not None and not self._knows_token(scope, headers):
            remedy = "send it as Authorization: Bearer TOKEN, or open /?token=TOKEN"
            raise Refusal(401, "the token of this server", "none, or another", remedy)

    def admitted_by_address(self, scope: dict[str, Any]) -> str | None:
        """The cookie for a browser that has opened `/?token=…` with the right token, or None."""
        if self._token is None or scope["path"] != "/" or scope["method"] != "GET":
            return None
        if not self._is_token(_token_in_address(scope)):
            return None
        return (
            f"{self._cookie_name(scope)}={self._ticket}; Path=/; Max-Age={_COOKIE_AGE}; "
            "HttpOnly; SameSite=Strict"
        )

    def _check_host(self, host: str, server: Any) -> None:
        found = _HOST.fullmatch(host)
        if found is None:
            raise Refusal(400, "a header Host with a name", "none, or no name", "send one")
        name, written = found[1], found[2]
        here, port = server or ("", None)
        port = port or 80
        own = self._names
        if not own.isdisjoint(_EVERYWHERE):
            own = own | {f"[{here}]" if ":" in str(here) else str(here)}
        ports = (int(written),) if written else _USUAL_PORTS
        if name in own and port in ports:
            return
        if any(f"{name}:{each}" in own for each in ports):
            return
        raise Refusal(421, "the name of this server in Host", "another",
                      "use its own address, or name this one with --allow-host")  # fmt: skip

    def _check_page(self, host: str, headers: dict[bytes, bytes], method: str) -> None:
        """Raise `Refusal` for what a page of another origin asks."""
        remedy = "ask from the server's own page, or from a program"
        origin = headers.get(b"origin")
        if origin is not None:
            own = {f"http://{host}", f"https://{host}"}
            if origin.decode("latin-1").lower() not in own:
                raise Refusal(403, "the server's own address in Origin", "another", remedy)
        site = headers.get(b"sec-fetch-site", b"none")
        if method not in _SAFE and site not in (b"same-origin", b"none"):
            raise Refusal(403, "a request of the server's own page", "one of another page", remedy)

    def _knows_token(self, scope: dict[str, Any], headers: dict[bytes, bytes]) -> bool:
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"bearer" and self._is_token(given.strip()):
            return True
        if scope["path"] == "/" and self._is_token(_token_in_address(scope)):
            return True
        try:
            cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
        except CookieError:
            return False
        ticket = cookies.get(self._cookie_name(scope))
        return ticket is not None and hmac.compare_digest(
            ticket.value.encode("latin-1", "replace"), self._ticket.encode()
        )

    def _is_token(self, given: bytes) -> bool:
        return self._token is not None and hmac.compare_digest(given, self._token)

    def _cookie_name(self, scope: dict[str, Any]) -> str:
        # Cookies are shared by all ports of a name, and two servers may have two tokens.
        return f"manyheads_{(scope.get('server') or ('', 80))[1]}"


def _token_in_address(scope: dict[str, Any]) -> bytes:
    query = scope["query_string"].decode("latin-1")
    try:
        given = parse_qs(query, max_num_fields=16).get("token", [""])
    except ValueError:  # more fields than that
        return b""
    return given[0].encode() if len(given) == 1 else b""
