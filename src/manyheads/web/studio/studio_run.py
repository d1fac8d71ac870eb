"""Running a studio: one at a time on a folder, for this machine or for who knows the token."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from manyheads.core.job import Job
from manyheads.core.places import disk_errors, make_folder
from manyheads.errors import RunError, SettingError
from manyheads.web.service.serving import token_from
from manyheads.web.shared.guards import Limits, guarded
from manyheads.web.shared.requesters import is_loopback, own_names
from manyheads.web.shared.running import run_server
from manyheads.web.studio.studio_app import Ended, studio_app
from manyheads.web.studio.workspace import StudioPlace

_LEAST_TOKEN = 16  # characters
_DRAIN = 5.0  # seconds: answers are short


def run_studio(
    folder: str | Path,
    *,
    host: str,
    port: int,
    allow_host: Collection[str] = (),
    token_file: str | None,
    opens: bool,
    say: Callable[[str], object],
    ended: Ended,
    job: Job,
) -> None:
    """Serve the studio on `folder` until it is to end; `say` gets lines for the user.

    `allow_host` are further names that it may be called by.

    Raises `DataError` unless it is a folder, `RunError` if another studio is at work in it,
    `SettingError` for a token that is none, and what `run_server` raises.
    """
    desk = StudioPlace(Path(folder))
    token = token_of(host, token_file)
    make_folder(desk.own)
    with disk_errors(desk.own):
        lock = FileLock(desk.own / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"{desk.place} to be free", "another studio at work in it",
                "use that one, or end it",
            ) from None  # fmt: skip

    def ready(address: str) -> None:
        page = address if token is None else f"{address}/?token={token}"
        say(f"Studio     {page}")
        say(f"Folder     {desk.place}")
        say("Ctrl-C ends it, and stops the runs that it began; the same commands resume them")
        if opens:
            with suppress(webbrowser.Error):
                webbrowser.open(page)

    with lock:
        app = guarded(
            studio_app(desk.place, desk, ended=ended),
            names=own_names(host, allow_host), token=token, limits=Limits(),
        )  # fmt: skip
        run_server(app, host=host, port=port, job=job, ready=ready, drain_seconds=_DRAIN)


def token_of(host: str, file: str | None) -> str | None:
    """The token that requests have to carry: from a file or the environment, or a new one.

    None where only this machine is answered and no token is given. Raises `SettingError` for one
    that is too short to keep anybody out.
    """
    given = token_from(file)
    if given is None:
        return None if is_loopback(host) else secrets.token_urlsafe(24)
    if len(given) < _LEAST_TOKEN or not given.isascii() or not given.isprintable():
        raise SettingError(
            f"a token of at least {_LEAST_TOKEN} plain characters", f"{len(given)} characters",
            "make a longer one",
        )  # fmt: skip
    return given
