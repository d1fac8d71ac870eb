"""A local web server that misbehaves on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What a server serves, how it fails, and what it was asked for.

    `drops` are numbers of bytes after which the next answers break off; `statuses` are answered
    instead of a file, one a request. With a `token` it answers only who shows it. Without `etag`
    the server names no version. A path that ends with a slash is answered with a page of links.
    """

    files: dict[str, bytes]
    ranges: bool = True
    etag: str | None = '"1"'
    length: bool = True
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    retry_after: str = ""
    stall: threading.Event | None = None
    token: str | None = None
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve the site on this machine until the block ends."""
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        if site.stall is not None:
            site.stall.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_HEAD(self) -> None:
        site = self.site
        site.requests.append((f"HEAD {self.path}", None))
        body = site.files.get(self.path.lstrip("/"))
        if site.statuses or body is None:
            self.send_error(site.statuses.pop(0) if site.statuses else 404)
            return
        self.send_response(200)
        if site.length:
            self.send_header("Content-Length", str(len(body)))
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()

    def do_GET(self) -> None:
        site = self.site
        site.requests.append((self.path, self.headers.get("Range")))
        if self.path.endswith("/") and not site.statuses:
            self._links(self.path.lstrip("/"))
            return
        if site.statuses:
            self.send_response(site.statuses.pop(0))
            self.send_header("Retry-After", site.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if site.token and self.headers.get("Authorization") != f"Bearer {site.token}":
            self.send_error(401)
            return
        body = site.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start = self._start()
        if start >= len(body) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if site.length:
            self.send_header("Content-Length", str(len(body) - start))
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        end = start + site.drops.pop(0) if site.drops else len(body)
        self.wfile.write(body[start:end])
        self.wfile.flush()
        if site.stall is not None:
            site.stall.wait(20)

    def _links(self, folder: str) -> None:
        """A page as servers make it of a folder, with links to other orders and above."""
        below = (name.removeprefix(folder) for name in self.site.files if name.startswith(folder))
        names = sorted({name.partition("/")[0] + "/" * ("/" in name) for name in below})
        links = "".join(f'<a href="{name}">{name}</a>' for name in ["?C=N;O=D", "../", *names])
        page = f"<html><body>{links}</body></html>".encode()
        self.send_response(200 if names else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def _start(self) -> int:
        wanted = self.headers.get("Range")
        unchanged = self.headers.get("If-Range") in (None, self.site.etag)
        if not (wanted and self.site.ranges and unchanged):
            return 0
        return int(wanted.removeprefix("bytes=").rstrip("-"))

    def log_message(self, format: str, *args: object) -> None:
        pass
