"""Keras's own server, or a mirror of it, and the files that Keras itself has fetched before."""

from __future__ import annotations

import hashlib
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from manyheads.backbones import keras_builds
from manyheads.backbones.registry import BackboneSpec
from manyheads.core import download, keras_process
from manyheads.core.job import SILENT, Job
from manyheads.errors import DownloadError

_SERVER = "https://storage.googleapis.com"
_PATIENCE = 4.0  # seconds for the server's first sign of life


@contextmanager
def fetched(
    spec: BackboneSpec,
    folder: Path,
    job: Job = SILENT,
) -> Iterator[Path]:
    """Yield the file with the backbone's ImageNet weights, checked against Keras's own hash.

    (Keras has none for MobileNet and MobileNetV2; their arrays must still fit the network.)
    It is the one in Keras's own folder if Keras has been here before, else a download below
    `folder`, which is removed afterwards. `MANYHEADS_KERAS_URL` names a mirror: its address
    replaces the server's, and the paths stay. Raises `DownloadError`, and `Interrupted` when
    `job` is stopped.
    """
    own = _own_folder()
    if not any(own.glob("*.h5")):
        _knock(_server())  # before a child process is started in vain
    asked = keras_process.call(keras_builds.origin, {"backbone": spec.name}, job=job)
    present = own / asked["file"]
    if present.is_file() and _is(present, asked["hash"]):
        yield present
        return
    _knock(_server())
    url = _server() + urlsplit(asked["url"]).path
    target = folder / f"download-{asked['file']}"
    expected = {_algorithm(asked["hash"]): asked["hash"]} if asked["hash"] else {}
    download.download(url, target, step="fetching weights", job=job, **expected)
    try:
        yield target
    finally:
        target.unlink(missing_ok=True)


def _server() -> str:
    return (os.environ.get("MANYHEADS_KERAS_URL") or _SERVER).rstrip("/")


def _own_folder() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path("~/.keras").expanduser()) / "models"


def _knock(server: str) -> None:
    """Raise `DownloadError` within seconds if the server cannot, or must not, be reached."""
    download.require_network(server)
    answer: list[str] = []
    # Neither a name lookup nor a proxy keeps to urllib's time limit, so a thread waits for them.
    knocker = threading.Thread(target=lambda: answer.append(_reply(server)), daemon=True)
    knocker.start()
    knocker.join(_PATIENCE)
    problem = answer[0] if answer else f"no answer within {_PATIENCE:g} seconds"
    if problem:
        raise DownloadError(f"to reach {server}", problem, "check the network")


def _reply(server: str) -> str:
    try:
        request = urllib.request.Request(server, method="HEAD")
        urllib.request.urlopen(request, timeout=_PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()  # an answer of any kind
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)).lower()
    return ""


def _is(file: Path, expected: str) -> bool:
    if not expected:
        return True
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, _algorithm(expected)).hexdigest() == expected


def _algorithm(expected: str) -> str:
    return "sha256" if len(expected) == 64 else "md5"
