"""Requests that mean harm, or make no sense, as the bytes that go over the wire."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator

from tests.strategies import distinct_image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
NAMES = (
    "../../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/shadow", "a\0.png", "con", "nul.png",
    "file:///etc/passwd", "http://127.0.0.1:22/", "s3://bucket/key", "|ls", "$(id)", "`id`",
    "<script>alert(1)</script>.png", "'\"; DROP TABLE x", "%2e%2e%2fpasswd", "\u202egnp.exe",
    "x" * 5000, "\r\nSet-Cookie: a=b", "{{7*7}}", "%s%s%n", "~root", ".", "..", "", " ",
)  # fmt: skip
HOSTS = (
    b"evil.example", b"localhost.evil.example", b"127.0.0.1.nip.example", b"169.254.169.254",
    b"0.0.0.0", b"", b"[::ffff:127.0.0.1]", b"localhost:99999", b"user@localhost", b"local host",
    b"2130706433", b"0x7f.1", b"\xe2\x93\x9bocalhost",
)  # fmt: skip
ORIGINS = (b"http://evil.example", b"null", b"https://localhost.evil.example", b"file://", b"x")
METHODS = (b"TRACE", b"CONNECT", b"PROPFIND", b"PUT", b"DELETE", b"get", b"G\0T", b"A" * 300)
PATHS = (
    b"/static/service/../../../../etc/passwd", b"/static/service/%2e%2e/%2e%2e/etc/passwd",
    b"/static/service/..%2f..%2fetc%2fpasswd", b"/static/service/%00", b"//etc/passwd",
    b"/models/../../etc/passwd/predict", b"/models/%2e%2e/predict", b"http://evil.example/",
    b"/v2/models/..%2f..%2f/infer", b"*", b"/" + b"a/" * 3000, b"/%ff%fe", b"/?" + b"a=1&" * 2000,
    b"/predict?top=99999999999999999999", b"/predict?top=-1", b"/predict?min_confidence=1e999",
    b"/predict?min_confidence=nan", b"/predict?top=1&top=2", b"/predict?explain=%00", b"/docs",
    b"/.env", b"/predict/", b"/openapi.json/..", b"/?token=" + b"x" * 3000,
)  # fmt: skip


def requests(seed: int, host: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """So many requests with the name of their kind; `host` is what the server is called."""
    chance = random.Random(seed)
    pictures = [_picture(form, number) for form in FORMATS for number in range(3)]
    for _ in range(count):
        kind = chance.choice(KINDS)
        yield kind.__name__.strip("_"), kind(chance, host, pictures)


def post(host: bytes, path: bytes, body: bytes, *lines: bytes) -> bytes:
    """A request whole and in order, whatever its body is."""
    head = [
        b"POST " + path + b" HTTP/1.1", b"Host: " + host, b"Connection: close",
        b"Content-Length: %d" % len(body), *lines,
    ]  # fmt: skip
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def large_png(width: int, height: int, rows: int = 0) -> bytes:
    """A PNG that claims so many pixels, and has so many rows of them."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes((width + 1) * rows) if rows else bytes(1000))
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _picture(form: str, number: int) -> bytes:
    content = io.BytesIO()
    distinct_image(f"{form} {number}", 24).save(content, form)
    return content.getvalue()


def _bomb(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    png = pictures[0]
    head = png.index(b"IDAT") - 4
    text = zlib.compress(bytes(1 << 24))
    jpeg = bytearray(pictures[3])
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = b"\xff\xff\xff\xff"
    body = chance.choice(
        [
            large_png(60_000, 60_000), large_png(2**31 - 1, 2**31 - 1), large_png(8000, 8000, 100),
            large_png(1, 80_000_000), large_png(0, 0),
            png[:head] + chunk(b"zTXt", b"a\0\0" + text) + png[head:],
            png[:head] + chunk(b"iCCP", b"a\0\0" + text) + png[head:],
            bytes(jpeg), gzip.compress(bytes(1 << 20)), b"PK\3\4" + text,
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24,
                                0, 0, 0, 0, 0, 0),
            b"II*\0\x08\0\0\0" + b"\xff\xff" + bytes(range(256)) * 8,
            b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
            b"RIFF\xff\xff\xff\xffWEBPVP8L" + bytes(40), b"GIF89a" + b"\xff" * 400,
            b"<svg><!ENTITY a '&b;&b;'>" * 50, b"P6 99999999 99999999 255\n", b"%!PS\n" * 100,
        ]
    )  # fmt: skip
    kind = chance.choice([b"image/png", b"application/octet-stream", b"image/x-anything"])
    more = [b"Content-Encoding: gzip"] if chance.random() < 0.2 else []
    return post(host, b"/predict", body, b"Content-Type: " + kind, *more)


def _damaged(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    body = bytearray(chance.choice(pictures))
    if chance.random() < 0.4:
        del body[chance.randrange(len(body)) :]
    for _ in range(chance.randrange(12)):
        if body:
            body[chance.randrange(len(body))] = chance.randrange(256)
    if chance.random() < 0.2:
        at = chance.randrange(len(body) + 1)
        body[at:at] = chance.randbytes(chance.randrange(3000))
    return post(host, b"/predict", bytes(body), b"Content-Type: image/png")


def _polyglot(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    first, second = chance.choice(pictures), chance.choice(pictures)
    body = chance.choice(
        [
            first + b"PK\3\4" + second, b"GIF89a/*" + second + b"*/=1;alert(1)", first + second,
            b"%PDF-1.4\n" + first, b"<html><script>1</script>" + first, b"#!/bin/sh\n" + first,
            first + b"<?php system($_GET['x']); ?>", b"\xef\xbb\xbf" + first, first[:8] + second,
            b"MZ" + bytes(60) + first, b"\x7fELF" + first,
        ]
    )  # fmt: skip
    return post(host, b"/predict?explain=0", body, b"Content-Type: image/gif")


def _wrong_type(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    kind = chance.choice(
        [
            b"application/json", b"text/html", b"multipart/mixed; boundary=a", b"", b"/", b"image/",
            b"image/png; x=" + b"y" * 2000, b"multipart/form-data; boundary=" + b"b" * 300,
            b"multipart/form-data; boundary=\xff\xfe", b"a" * 99,
            b"multipart/form-data; boundary=\"",
            b"application/x-www-form-urlencoded", b"application/x-python-pickle", b"image/png, a/b",
        ]
    )  # fmt: skip
    body = chance.choice([chance.choice(pictures), b"", b"image=/etc/passwd", b"\x80\x04K\x01."])
    return post(
        host, chance.choice([b"/predict", b"/models/pets/predict"]), body, b"Content-Type: " + kind
    )


def _abandoned(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    whole = post(host, b"/predict", chance.choice(pictures), b"Content-Type: image/png")
    return whole[: chance.randrange(1, len(whole))]


def _smuggled(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    start = b"POST /predict HTTP/1.1\r\nHost: " + host + b"\r\n"
    inner = b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    body = chance.choice(pictures)
    return chance.choice(
        [
            start + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
            start + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef" + inner,
            start + b"Content-Length: 5, 5\r\n\r\nabcde",
            start + b"Content-Length: +5\r\n\r\nabcde",
            start + b"Content-Length: 0x5\r\n\r\nabcde", start + b"Content-Length: -1\r\n\r\n",
            start + b"Content-Length: 99999999999999999999999\r\n\r\n" + body,
            start + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
            start + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            start + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + body,
            start + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
            start + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 99999 + b"\r\nabcde",
            start + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", start + b" folded: 1\r\n\r\n",
            start + b"X: a\nContent-Length: 5\n\nabcde", start + b"X: a\0b\r\n\r\n",
            start + b"X\r: a\r\n\r\n", start + b"\r\n" + inner, inner * 20, b"GET /\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            b"GET / HTTP/9.9\r\nHost: " + host + b"\r\n\r\n", b"\r\n" * 5000,
            chance.randbytes(2000),
            start + b"Host: evil.example\r\nContent-Length: 0\r\n\r\n",
            start + b"A: " + b"b" * 100_000 + b"\r\n\r\n", start + b"A: b\r\n" * 2000 + b"\r\n",
            start + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\n\r\n",
            start + b"Expect: 200-maybe\r\nContent-Length: 3\r\n\r\nabc",
            start + b"Connection: close\r\nAuthorization: Bearer " + b"x" * 9999 + b"\r\n\r\n",
        ]
    )  # fmt: skip


def _rebinding(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    path, body = chance.choice([b"/predict", b"/models/pets/reload"]), chance.choice(pictures)
    if chance.random() < 0.5:
        return post(chance.choice(HOSTS), path, body, b"Content-Type: image/png")
    site = chance.choice([b"Origin: " + chance.choice(ORIGINS), b"Sec-Fetch-Site: cross-site"])
    return post(host, path, body, b"Content-Type: text/plain", site)


def _form(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    def part(name: str, body: bytes, *more: bytes) -> bytes:
        about = f'Content-Disposition: form-data; name="image"; filename="{name}"'.encode()
        return b"\r\n".join([b"--bound", about, *more, b"", body, b""])

    picture, end = chance.choice(pictures), b"--bound--\r\n"
    body = chance.choice(
        [
            part("a.png", b"x") * 3000 + end, part("a.png", picture), part("a.png", picture)[:-9],
            part(chance.choice(NAMES), picture) + end, part(chance.choice(NAMES), picture) + end,
            part("a.png", picture, *[b"X-%d: y" % n for n in range(20)]) + end,
            part("a.png", picture, b"X: " + b"y" * 10_000) + end,
            part("a.png", picture, b"Content-Transfer-Encoding: base64") + end,
            part("a.png", part("b.png", picture) + end) + end, end, b"--bound\r\n" * 3000, b"",
            b"--bound\r\n\r\n" + picture + b"\r\n" + end, b"--boundary\r\n" + picture, b"\0" * 3000,
            b'--bound\r\nContent-Disposition: form-data; name="image"; filename*=utf-8\'\'%2e%2e%2f'
            b"\r\n\r\nx\r\n" + end,
            b"--bound\r\nContent-Disposition: form-data; name=\r\n\r\nx\r\n" + end,
            b"".join(part(f"{n}.png", picture) for n in range(8)) + end,
        ]
    )  # fmt: skip
    kind = b"Content-Type: multipart/form-data; boundary=bound"
    return post(host, b"/predict?top=2", body, kind)


def _protocol(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    image = base64.b64encode(chance.choice(pictures)).decode()
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [image]}
    odd = chance.choice(
        [
            {"shape": [10**30]}, {"shape": [-1]}, {"shape": [[1]]}, {"shape": None},
            {"data": image},
            {"datatype": "FP32"}, {"data": [[image]]}, {"data": ["%%%"]}, {"data": [image] * 400},
            {"parameters": {"binary_data_size": 10**18}}, {"parameters": {"binary_data_size": -1}},
            {"parameters": []}, {"name": "/etc/passwd"}, {"data": [None]}, {},
        ]
    )  # fmt: skip
    body = chance.choice(
        [
            json.dumps({"inputs": [tensor | odd]}).encode(), b"[" * 50_000, b'{"a":' * 50_000,
            json.dumps({"inputs": [tensor], "outputs": [{"name": n} for n in NAMES]}).encode(),
            b'{"inputs": NaN}', b'{"inputs": 1e999}', b"9" * 9000, b"\xff\xfe\0{",
            b'{"inputs": [{}]}',
            json.dumps({"inputs": [tensor] * 50, "id": "x" * 9999}).encode(), b"null", b'"\\ud800"',
            json.dumps({"id": {"a": 1}, "inputs": [tensor]}).encode(), chance.randbytes(500),
        ]
    )  # fmt: skip
    length = chance.choice([b"0", b"5", b"-5", b"1e3", b"99999999999999", str(len(body)).encode()])
    lines = [b"Inference-Header-Content-Length: " + length] if chance.random() < 0.4 else []
    return post(host, b"/v2/models/pets/infer", body, *lines)


def _address(chance: random.Random, host: bytes, pictures: list[bytes]) -> bytes:
    method, path = chance.choice([b"GET", b"POST", *METHODS]), chance.choice(PATHS)
    body = chance.choice(pictures) if method == b"POST" else b""
    return post(host, path, body).replace(b"POST", method, 1)


Kind = Callable[[random.Random, bytes, list[bytes]], bytes]
KINDS: tuple[Kind, ...] = (
    _bomb, _damaged, _polyglot, _wrong_type, _abandoned, _smuggled, _rebinding, _form, _protocol,
    _address,
)  # fmt: skip
