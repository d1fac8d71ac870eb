"""Who may ask, how much may be sent, and what every answer carries."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from manyheads.errors import SettingError
from manyheads.web.shared.error_answers import add_error_answers
from manyheads.web.shared.guards import Answered, Limits, guarded
from manyheads.web.shared.requesters import is_loopback, own_names
from tests.web_servers import exchanged, serving_app, status_of

TOKEN = "a token of sixteen letters or more"
LIMITS = Limits(
    body_bytes=1000, bodies_bytes=2500, header_bytes=4000, body_seconds=0.5, in_flight=3
)
HOSTS = (b"localhost", b"127.0.0.1", b"[::1]", b"LOCALHOST")


def application() -> FastAPI:
    app = FastAPI(openapi_url=None)
    add_error_answers(app)
    waiting = threading.Event()
    app.state.waiting = waiting

    @app.get("/")
    async def page() -> str:
        return "page"

    @app.get("/items/{name}")
    async def item(name: str, number: int = 0) -> dict[str, Any]:
        return {"name": name, "number": number}

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret of /somewhere")

    @app.get("/refused")
    async def refused() -> None:
        raise SettingError("a number", "a word", "give one")

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.to_thread(waiting.wait, 20)
        return "done"

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    return app


@pytest.fixture(scope="module")
def heard() -> list[Answered]:
    return []


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return application()


@pytest.fixture(scope="module")
def address(app: FastAPI, heard: list[Answered]) -> Iterator[str]:
    names = own_names("127.0.0.1", ["photos.example.org:443"])
    whole = guarded(
        app, names=names, token=None, limits=LIMITS, open_paths=["/healthz"],
        answered=heard.append,
    )  # fmt: skip
    with serving_app(whole) as found:
        yield found


@pytest.fixture(scope="module")
def secret() -> Iterator[str]:
    names = own_names("127.0.0.1")
    whole = guarded(application(), names=names, token=TOKEN, limits=LIMITS, open_paths=["/healthz"])
    with serving_app(whole) as found:
        yield found


def port(address: str) -> bytes:
    return address.rpartition(":")[2].encode()


def get(address: str, host: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    head = [method + b" / HTTP/1.1", b"Host: " + host, b"Connection: close", *lines]
    return exchanged(address, b"\r\n".join(head) + b"\r\n\r\n")


@pytest.mark.parametrize("name", HOSTS)
def test_a_server_answers_to_its_names_at_its_port(address: str, name: bytes) -> None:
    assert status_of(get(address, name + b":" + port(address))) == 200
    assert status_of(get(address, name + b":1")) == 421
    assert status_of(get(address, name)) == 421  # that is port 80


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"localhost.evil.example", b"127.0.0.1.nip.example", b"10.0.0.1", b"0.0.0.0"],
)
def test_a_foreign_name_that_leads_here_is_refused(address: str, host: bytes) -> None:
    answer = get(address, host + b":" + port(address))
    assert status_of(answer) == 421
    assert b"expected the name of this server" in answer


def test_a_proxys_name_is_allowed_with_its_own_port(address: str) -> None:
    assert status_of(get(address, b"photos.example.org")) == 200
    assert status_of(get(address, b"photos.example.org:443")) == 200
    assert status_of(get(address, b"photos.example.org:" + port(address))) == 421


@pytest.mark.parametrize("host", [b"", b"a b", b"localhost/", b"user@localhost", b"localhost:x"])
def test_what_is_no_name_is_refused(address: str, host: bytes) -> None:
    assert status_of(get(address, host)) == 400


def test_a_request_with_two_hosts_or_two_lengths_is_refused(address: str) -> None:
    host = b"localhost:" + port(address)
    assert status_of(get(address, host, b"Host: localhost")) == 400
    both = [b"Content-Length: 3", b"Transfer-Encoding: chunked"]
    assert status_of(get(address, host, *both, method=b"POST")) == 400


def test_a_page_of_another_origin_may_ask_for_nothing(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        for origin in ("http://evil.example", "null", "http://localhost:1", "file://"):
            for answer in (
                client.post("/echo", headers={"Origin": origin}),
                client.get("/", headers={"Origin": origin}),
            ):
                assert answer.status_code == 403, origin
        assert client.post("/echo", headers={"Origin": address}).status_code == 200
        for site, status in {"cross-site": 403, "same-site": 403, "same-origin": 200}.items():
            answer = client.post("/echo", headers={"Sec-Fetch-Site": site})
            assert answer.status_code == status
        # A link on another page may lead here.
        assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_every_answer_carries_what_browsers_are_to_heed(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        for answer in (
            client.get("/"), client.get("/nowhere"), client.get("/broken"),
            client.get("/", headers={"Host": "evil.example"}),
        ):  # fmt: skip
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers
            assert "camera=(self)" in answer.headers["permissions-policy"]


def test_errors_are_one_line_of_json(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        answer = client.get("/refused")
        assert answer.status_code == 400
        assert answer.json() == {"error": "expected a number, found a word; give one"}
        answer = client.get("/items/one?number=x")
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("expected number as ")
        assert client.get("/nowhere").json()["error"].startswith("expected an address")
        assert client.put("/echo").status_code == 405
        answer = client.get("/broken")
        assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})
        assert client.get("/").status_code == 200


def test_a_body_beyond_the_limit_is_refused(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        assert client.post("/echo", content=bytes(1000)).json() == 1000
        assert client.post("/echo", content=bytes(1001)).status_code == 413
        parts = client.post("/echo", content=iter([bytes(600)] * 3))
        assert parts.status_code == 413
        assert "1,000 bytes" in parts.json()["error"]
    # What is announced is believed: it is not waited for.
    host = b"localhost:" + port(address)
    lines = [b"Content-Length: 99999999999", b"Expect: 100-continue"]
    answer = get(address, host, *lines, method=b"POST")
    assert status_of(answer) == 413


def test_a_body_that_does_not_come_is_given_up(address: str) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost:%b\r\nContent-Length: 9\r\n\r\nabc"
    answer = exchanged(address, head % port(address))
    assert status_of(answer) == 408
    assert b"0.5 seconds" in answer


def test_headers_beyond_the_limit_are_refused(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        assert client.get("/", headers={"X-Long": "x" * 5000}).status_code == 431
        assert client.get("/?" + "x" * 5000).status_code == 431
        assert client.get("/", headers={f"x-{n}": "1" for n in range(90)}).status_code == 200


def test_more_requests_than_may_be_in_flight_are_told_to_wait(address: str, app: FastAPI) -> None:
    answers: list[int] = []
    app.state.waiting.clear()

    def ask() -> None:
        answers.append(httpx.get(f"{address}/slow", timeout=30).status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        deadline = 200
        while (answer := httpx.get(f"{address}/")).status_code == 200 and deadline:
            deadline -= 1
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert httpx.get(f"{address}/healthz").status_code == 200
    finally:
        app.state.waiting.set()
        for thread in threads:
            thread.join()
    assert answers == [200] * 3
    assert httpx.get(f"{address}/").status_code == 200


def test_who_counts_hears_of_the_route_and_of_nothing_that_a_client_wrote(
    address: str, heard: list[Answered]
) -> None:
    heard.clear()
    with httpx.Client(base_url=address) as client:
        client.get("/items/secret?number=3")
        client.get("/secret")
        client.request("SECRET", "/")
        client.get("/", headers={"Host": "secret"})
    assert [(each.method, each.route, each.status, each.refused) for each in heard] == [
        ("GET", "/items/{name}", 200, False),
        ("GET", "-", 404, False),
        ("-", "/", 405, False),
        ("GET", "-", 421, True),
    ]
    assert heard[0].bytes == len(json.dumps({"name": "secret", "number": 3}, separators=(",", ":")))


def test_a_token_opens_what_needs_one(secret: str) -> None:
    with httpx.Client(base_url=secret) as client:
        assert client.get("/").status_code == 401
        assert client.get("/", headers={"Authorization": "Bearer no"}).status_code == 401
        assert client.get("/", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
        assert client.get("/items/a", params={"token": TOKEN}).status_code == 401
        assert client.get("/", params={"token": "ü" * 40}).status_code == 401
        known = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/items/a", headers=known).status_code == 200
        assert client.get("/healthz").status_code == 200
        # The token opens no door to other names and pages.
        assert client.get("/", headers=known | {"Host": "evil.example"}).status_code == 421
        assert client.post("/echo", headers=known | {"Origin": "null"}).status_code == 403


def test_a_browser_that_opened_the_link_has_a_cookie(secret: str) -> None:
    with httpx.Client(base_url=secret) as client:
        answer = client.get("/", params={"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        assert client.get("/items/a").status_code == 200
        for wrong in ("x", "", "ü", 'manyheads_="', "a=1; " * 50 + "b=2"):
            client.cookies.clear()
            cookie = f"manyheads_{port(secret).decode()}={wrong}".encode()
            assert client.get("/items/a", headers=[(b"Cookie", cookie)]).status_code == 401


def test_names_and_addresses_of_this_machine_alone() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.5", "example.org", "")))
    assert "[::1]" in own_names("::1")
    assert "photos" in own_names("0.0.0.0", ["Photos"])
