"""The address of a Ray cluster: whether one answers there, and whether it lets this process in."""

from __future__ import annotations

import os
import platform
import secrets
import socket
import sys
from contextlib import suppress
from pathlib import Path

from manyheads.errors import RunError, SettingError

_TIMEOUT = 5.0  # seconds for a connection
_MODE, _TOKEN, _TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_REMEDY = (
    "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to the file of the cluster's token, "
    "as docs/guides/workers.md describes"
)


class ClusterAddress:
    """`ray`, for a cluster of one's own, `ray://HOST:PORT` or `HOST:PORT`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_own = text == "ray"
        host, _, port = text.removeprefix("ray://").rpartition(":")
        self._host = host.strip("[]")
        self._port = int(port) if port.isdecimal() else 0

    @property
    def is_here(self) -> bool:
        """Whether the address is one of this machine."""
        if self.is_own:
            return True
        names = {"localhost", "127.0.0.1", "::1", platform.node()}
        if self._host in names:
            return True
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self._host, 0))  # which only an address of this machine allows
            return True
        return False

    def answers(self) -> bool:
        """Whether something answers there, within seconds."""
        with suppress(OSError), socket.create_connection((self._host, self._port), _TIMEOUT):
            return True
        return False

    def require_answer(self) -> None:
        """Raise `RunError` if nothing answers there."""
        if not self.answers():
            raise RunError(
                f"a Ray cluster at {self.text}", "none that answers",
                "check the address, the port (6379, or 10001 after ray://) and the firewall",
            )  # fmt: skip

    def require_token(self) -> None:
        """Raise `SettingError` for a cluster on another machine without a token.

        Whoever reaches its port could run any code there, and could answer in its place.
        """
        has_file = Path(os.environ.get(_TOKEN_FILE) or "~/.ray/auth_token").expanduser().is_file()
        has_token = bool(os.environ.get(_TOKEN)) or has_file
        if os.environ.get(_MODE, "").lower() == "token":
            if not has_token:
                raise SettingError(f"a token for the cluster {self.text}", "none", _REMEDY)
        elif not self.is_here:
            found = f"{_MODE} not set to token"
            raise SettingError(f"a token for the cluster {self.text}", found, _REMEDY)

    def settle(self) -> None:
        """Let Ray, before it is imported, report nothing, and ask for a token.

        A cluster that is started here has a token of its own, unless the user has one.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if self.is_own and "ray" not in sys.modules and os.environ.get(_MODE) is None:
            os.environ[_MODE] = "token"
            os.environ.setdefault(_TOKEN, secrets.token_hex(32))

    def refusal(self, error: Exception) -> RunError:
        """Why a cluster does not let this process in, in one line."""
        text = " ".join(str(error).split()).rstrip(".")
        if "ersion mismatch" in text:
            return RunError(
                "a cluster with this Ray and this Python", f"others at {self.text}: {text[:200]}",
                "install the versions of the cluster here, or those of this machine there",
            )  # fmt: skip
        if "uthenticat" in text or "UNAUTHENTICATED" in text or "token" in text.lower():
            found = f"that {self.text} refuses it"
            return RunError("the token of the cluster", found, _REMEDY)
        if was_not_ready(error):
            found = f"one that started no server for this process: {_last_line(error)[:200]}"
            remedy = "repeat the command when the cluster's head has less to do, or read its logs"
            return RunError(f"a Ray cluster at {self.text}", found, remedy)
        if isinstance(error, ConnectionError):
            # Ray says no more to a wrong token, or to none.
            found = f"one that answers but lets nobody in: {text[:120]}"
            return RunError(f"a Ray cluster at {self.text}", found, f"if it has a token, {_REMEDY}")
        return RunError(
            f"to join the Ray cluster {self.text}", f"{type(error).__name__}: {text[:200]}",
            "use ray://HOST:10001 from a machine that is no node of the cluster",
        )  # fmt: skip


def was_not_ready(error: Exception) -> bool:
    """Whether the head let this process in, but could not serve it yet.

    A head that is busy starts the server of a client too late for its own limit of 30 seconds.
    """
    return isinstance(error, ConnectionAbortedError) and "Initialization failure" in str(error)


def _last_line(error: Exception) -> str:
    return str(error).rstrip().rpartition("\n")[2].removeprefix("RuntimeError: ")
