"""A server of S3's kind on this machine, a bucket of it, and what it was asked for."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image


def picture(seed: int, side: int = 12) -> bytes:
    """A small PNG; another seed makes another one."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pets(count: int = 6) -> dict[str, bytes]:
    """The files of a folder of two classes, by their paths in it."""
    return {
        f"{name}/{number:02d}.png": picture(100 * place + number)
        for place, name in enumerate(("cat", "dog"))
        for number in range(count)
    }


@dataclass
class Bucket:
    """A bucket at a server of this machine, and the requests that were made since `asked`."""

    name: str
    client: Any
    log: list[str]

    @property
    def address(self) -> str:
        """The address of the bucket."""
        return f"s3://{self.name}"

    def put(self, files: dict[str, bytes], folder: str = "pets") -> str:
        """Write files into a folder; returns its address."""
        for name, data in files.items():
            self.client.put_object(Bucket=self.name, Key=f"{folder}/{name}", Body=data)
        self.log.clear()
        return f"{self.address}/{folder}"

    def get(self, key: str) -> bytes:
        """The bytes of an object."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def asked(self) -> list[str]:
        """Method and path of each request since the last call."""
        found = list(self.log)
        self.log.clear()
        return found

    def read(self) -> list[str]:
        """The objects that were read since the last request that was looked at."""
        start = f"GET /{self.name}/"
        return sorted(each.removeprefix(start) for each in self.asked() if each.startswith(start))


class _Log(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage().split('"')
        if len(words) > 1:
            self._lines.append(words[1].removesuffix(" HTTP/1.1"))


@contextmanager
def s3_server() -> Iterator[tuple[str, list[str]]]:
    """A server of S3's kind on this machine: its address, and the requests that it is sent."""
    from moto.server import ThreadedMotoServer

    lines: list[str] = []
    log, handler = logging.getLogger("werkzeug"), _Log(lines)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    propagate, log.propagate = log.propagate, False
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}", lines
    finally:
        server.stop()
        log.removeHandler(handler)
        log.propagate = propagate


def credentials(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Set the environment by which S3's clients find that server, and no file of the user's."""
    values = {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip
    for name, value in values.items():
        patch.setenv(name, value)
