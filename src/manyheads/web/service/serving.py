"""`manyheads serve` as a call: settings, checked, and a server until it is told to end."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manyheads.core.job import Job
from manyheads.core.settings import number, store, whole
from manyheads.errors import SettingError
from manyheads.web.service.served_models import (
    ModelEdition,
    ServedModel,
    ServedModels,
    ServingOptions,
    named_models,
)
from manyheads.web.service.service_metrics import ServiceMetrics
from manyheads.web.shared.guards import Limits, guarded
from manyheads.web.shared.requesters import is_loopback, own_names

TOKEN_VARIABLE = "MANYHEADS_TOKEN"
_LEAST_TOKEN = 16  # letters
_SIZE = re.compile(r"(\d{1,12})([kmg]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 10, "m": 20, "g": 30}
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of mallopt
_DRAIN = 5.0  # seconds that answers in flight have beyond their own limit


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """How models are served; each value may be a text, as the command line gives it.

    `queue` is in images, `timeout` in seconds, `max_bytes` a number of bytes such as 64M, of one
    request. `allow_host` are further names that clients call the server by. Raises `SettingError`.
    """

    models: Mapping[str, Path]
    host: str = "127.0.0.1"
    port: int | str = 8000
    token: str | None = None
    allow_host: Sequence[str] = ()
    max_batch: int | str | None = None
    queue: int | str = 256
    timeout: float | str = 30.0
    max_bytes: int | str = "64M"
    device: str = "cpu"
    body_bytes: int = field(init=False, default=0)
    most_in_batch: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        largest = None if self.max_batch is None else whole("max_batch", self.max_batch, 1, 4096)
        store(
            self, port=whole("port", self.port, 0, 65535), most_in_batch=largest,
            queue=whole("queue", self.queue, 1, 100_000),
            timeout=number("timeout", self.timeout, 0.1, 3600),
            body_bytes=size_in_bytes("max_bytes", self.max_bytes),
        )  # fmt: skip
        if self.token is not None and len(self.token) < _LEAST_TOKEN:
            raise SettingError(
                f"a token of {_LEAST_TOKEN} letters or more", f"{len(self.token)}",
                "make one: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )  # fmt: skip
        if self.token is None and not is_loopback(self.host):
            raise SettingError(
                f"a token for a server at {self.host}, which other machines reach", "none",
                f"put one in a file and give `token_file`, or set {TOKEN_VARIABLE}",
            )  # fmt: skip


def token_from(file: str | None) -> str | None:
    """The token in a file, or in the environment, or None; raises `SettingError`."""
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        text = Path(file).expanduser().read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "other letters than ASCII"
        raise SettingError(f"a file with a token at {file}", str(reason), "write one") from error
    if not text:
        raise SettingError(f"a token in {file}", "an empty file", "write one into it")
    return text


def size_in_bytes(name: str, value: int | str) -> int:
    """A number of bytes, such as 5000000, 64M or 1G; raises `SettingError`."""
    found = _SIZE.fullmatch(str(value).strip())
    size = int(found[1]) << _POWERS[found[2].lower()] if found else 0
    if not 1024 <= size <= 1 << 34:
        raise SettingError(f"`{name}` from 1K to 16G", repr(str(value)), "give it as in 64M")
    return size


def settings_of(models: Sequence[str], **others: Any) -> ServiceSettings:
    """The settings for models given as `MODEL` or `NAME=MODEL`."""
    return ServiceSettings(models=named_models(models), **others)


def serve(
    settings: ServiceSettings,
    job: Job,
    opened: Callable[[str, ModelEdition], object],
    ready: Callable[[str], object],
) -> None:
    """Serve until SIGTERM, Ctrl-C or the stop of `job`; SIGHUP opens all models anew.

    `opened` hears of each model by its name before the server listens, and `ready` of its address
    once it does. Raises what opening a model raises, and `WorldError` for an address that cannot
    be listened at.
    """
    _return_memory()
    metrics = ServiceMetrics()
    options = ServingOptions(
        device=settings.device, max_batch=settings.most_in_batch, queue=int(settings.queue)
    )
    models = ServedModels(
        [
            ServedModel(name, path, options, metrics.batches_of(name))
            for name, path in settings.models.items()
        ]
    )
    try:
        with ThreadPoolExecutor(1, "open") as beside:
            opening = [beside.submit(model.open, job) for model in models.values()]
            # What answers is imported meanwhile: half a second that nobody has to wait for.
            from manyheads.web.shared.running import run_server

            app = whole_service(models, metrics, settings)
            for each in opening:
                each.result()
        for name, model in models.items():
            opened(name, model.edition)
        run_server(
            app, host=settings.host, port=int(settings.port), job=job, ready=ready,
            drain_seconds=float(settings.timeout) + _DRAIN, hangup=models.reopen,
        )  # fmt: skip
    finally:
        models.close()


def whole_service(models: ServedModels, metrics: ServiceMetrics, settings: ServiceSettings) -> Any:
    """The application of `models` behind its guards."""
    from manyheads.web.service.service_app import OPEN_PATHS, RequestLimits, service_app

    metrics.watch(models)
    limits = RequestLimits(images=int(settings.queue), seconds=float(settings.timeout))
    return guarded(
        service_app(models, metrics, limits),
        names=own_names(settings.host, settings.allow_host),
        token=settings.token,
        limits=Limits(
            body_bytes=settings.body_bytes, bodies_bytes=max(512 << 20, 2 * settings.body_bytes)
        ),
        open_paths=OPEN_PATHS,
        answered=metrics.answered,
    )


def _return_memory() -> None:
    """Let the C library give large blocks back to the system as soon as they are freed.

    It would keep those of Pillow, of 16 MB, for later ones: some gigabytes once a few very large
    images have been decoded.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 20)
