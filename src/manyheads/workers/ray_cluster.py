"""A Ray cluster, joined or started here, and whether it still answers."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from manyheads.core.machine import cores
from manyheads.errors import ManyheadsError, MissingExtraError, RunError
from manyheads.workers.cluster_address import ClusterAddress, was_not_ready

_PAUSE = 2.0  # seconds between two looks whether the head answers
_LOOKS = 3  # times that it may not answer, one after the other
_LEAVING = 10.0  # seconds for leaving a cluster, whose head may be gone


class RayCluster:
    """The cluster at an address; raises `MissingExtraError` without Ray.

    `ray` starts one of this machine's cores, without a dashboard and with a token of its own, or
    takes the one that this process has joined already.
    """

    def __init__(self, address: str) -> None:
        self.address = ClusterAddress(address)
        self.address.settle()
        with without_warnings():
            try:
                self.ray: Any = import_module("ray")
            except ImportError as error:
                remedy = "run: pip install 'manyheads[ray]'"
                raise MissingExtraError("Ray for `workers`", "none installed", remedy) from error
        self._connected = self._stays = False
        self._folder, self._missed, self._over = "", 0, threading.Event()
        self._head = self.address

    def connect(self) -> None:
        """Join the cluster, or start one, unless that has been done.

        Raises `RunError` where none answers, for a wrong token, and for another version of Ray or
        Python, `SettingError` for a cluster on another machine without a token.
        """
        if self._connected:
            return
        ray = self.ray
        self._stays = ray.is_initialized()  # the user's own, in this process
        how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if not self._stays and self.address.is_own:
                self._folder = _new_folder()
                how |= {"num_cpus": cores(), "include_dashboard": False, "_temp_dir": self._folder}
                with _without_lines():
                    ray.init("local", **how)
            elif not self._stays:
                self.address.require_token()
                self.address.require_answer()
                with _without_lines():
                    self._join(how)
        except ManyheadsError:
            raise
        except Exception as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise self.address.refusal(error) from error
        with suppress(AttributeError):
            # A node that is lost would print its log on stdout, and there is no option against it.
            ray._private.worker._worker_logs_enabled = False
        self._connected, self._missed, self._over = True, 0, threading.Event()
        direct = not self.address.text.startswith("ray://")
        known = ClusterAddress(ray.get_runtime_context().gcs_address) if direct else self.address
        self._head = known
        arguments = known, self._over
        threading.Thread(target=self._watch, args=arguments, name="ray", daemon=True).start()

    def _join(self, how: dict[str, Any]) -> None:
        """Join the cluster at the address, in a second try where its head was not ready."""
        try:
            self.ray.init(self.address.text, **how)
        except ConnectionAbortedError as error:
            if not was_not_ready(error):
                raise
            self.ray.init(self.address.text, **how)

    def nodes(self) -> list[int]:
        """The cores of each node that has any; raises `RunError` if there are none."""
        alive = [each for each in self.ray.nodes() if each["Alive"]]
        found = [int(each["Resources"].get("CPU", 0)) for each in alive]
        if not any(found):
            raise RunError("a Ray cluster with cores", "none", "add a node with cores to it")
        return [count for count in found if count]

    @property
    def answers(self) -> bool:
        """Whether the head has answered of late."""
        return self._missed < _LOOKS

    def answers_now(self) -> bool:
        """Whether the head answers at this moment: else Ray's calls would wait for a minute."""
        return self.answers and self._head.answers()

    def require_head(self) -> None:
        """Wait a few seconds for a head that does not answer; raises `RunError` if it stays so."""
        for _ in range(_LOOKS):
            if self.answers_now():
                return
            time.sleep(_PAUSE)
        raise self.lost()

    def lost(self, found: str = "it answers no more") -> RunError:
        """The error of a cluster that cannot be used any more."""
        remedy = "start it again, and repeat the command: what is finished is kept"
        return RunError(f"the Ray cluster {self.address.text}", found, remedy)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Connect, and turn Ray's errors about the cluster into `RunError`."""
        try:
            with without_warnings():
                self.connect()
                yield
        except (ConnectionError, self.ray.exceptions.RaySystemError) as error:
            raise self.lost(str(error).strip().partition("\n")[0]) from error

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        self._over.set()
        if self._connected:
            self._connected = False
            # In a thread, for Ray would wait for a head that is gone.
            leaving = threading.Thread(target=self._leave, name="leaving ray", daemon=True)
            leaving.start()
            leaving.join(_LEAVING)

    def _leave(self) -> None:
        if not self._stays:
            self.ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _watch(self, head: ClusterAddress, over: threading.Event) -> None:
        while not over.wait(_PAUSE):
            self._missed = 0 if head.answers() else self._missed + 1


def _new_folder() -> str:
    """A folder for a cluster's sockets and logs; those of drivers that were killed are removed.

    Its name is short, because those of sockets have at most 107 bytes.
    """
    for left in Path(tempfile.gettempdir()).glob("mhr[0-9]*-*"):
        with suppress(ValueError, OSError):
            pid = int(left.name[3:].partition("-")[0])
            if sys.platform == "win32":  # where signal 0 is Ctrl-C, and sockets have no folder
                continue
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"mhr{os.getpid()}-")


@contextmanager
def without_warnings() -> Iterator[None]:
    """Without the warnings of Ray, which are not the user's concern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _without_lines() -> Iterator[None]:
    """Without what Ray writes to the error stream: a line for each second of a refusal."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
