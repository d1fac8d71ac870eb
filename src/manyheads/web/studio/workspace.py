"""The folder that a studio is opened on: its runs and its data by name, and which data are open.

Names come from a page and are never trusted: each is resolved, and refused if it leads elsewhere.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path

from manyheads.core.places import stays_below, write_text
from manyheads.errors import DataError, ManyheadsError, RunError

OWN_FOLDER = ".manyheads-studio"
"""The hidden folder in which a studio keeps its own files."""

_STATE = "data.json"


class Workspace:
    """The folder `place`, with what is open in it; safe to use from several threads.

    The opened data and the manifest with the decisions are kept in a file, so that another studio
    on the same folder begins where this one ended. Raises `DataError` unless `place` is a folder.
    """

    def __init__(self, place: Path) -> None:
        self.place = place.expanduser().absolute()
        if not self.place.is_dir():
            raise DataError("a folder to open", f"none at {place}", "name one that exists")
        self._real = self.place.resolve()
        self._lock = threading.RLock()
        self._names: dict[str, str] = self._read()

    @property
    def own(self) -> Path:
        """The hidden folder with the studio's own files; it may be missing yet."""
        return self.place / OWN_FOLDER

    @property
    def current(self) -> Path | None:
        """The opened data, a folder or a manifest below the place; None if none are open."""
        return self._known("current")

    @property
    def manifest(self) -> Path | None:
        """The manifest with the decisions, which runs use as data; None if nothing was decided."""
        return self._known("manifest")

    def run(self, name: str) -> Path:
        """The run folder of this name, relative to the place.

        Raises `RunError` for a name that leads elsewhere, also by a link, and for one of nothing.
        """
        found = self._below(name)
        if found is None or not found.is_dir():
            raise RunError(
                "the name of a run in this place", repr(name), "choose one from the list"
            )
        return found

    def data(self, name: str) -> Path:
        """The folder or manifest of this name, relative to the place; "." is the place itself.

        Raises `DataError` for a name that leads elsewhere, also by a link, and for one of nothing.
        """
        found = self.place if name == "." else self._below(name)
        if found is None or not found.exists():
            raise DataError(
                "the name of a folder or a manifest in this place",
                repr(name),
                "choose one from the list",
            )
        return found

    def name_of(self, path: Path) -> str:
        """The name of a path below the place, with slashes; "." for the place itself."""
        return path.relative_to(self.place).as_posix()

    def use(self, current: Path | None, manifest: Path | None = None) -> None:
        """Remember what data are open, and the manifest that their decisions are written to."""
        paths = {"current": current, "manifest": manifest}
        names = {key: self.name_of(path) for key, path in paths.items() if path is not None}
        with self._lock:
            if names != self._names:
                write_text(self.own / _STATE, json.dumps(names) + "\n")
                self._names = names

    def _known(self, key: str) -> Path | None:
        with self._lock:
            name = self._names.get(key)
        if name is None:
            return None
        with suppress(ManyheadsError):  # what was moved or removed in the meantime
            return self.data(name)
        return None

    def _below(self, name: str) -> Path | None:
        """The path of a name, unless it leads out of the place."""
        if not stays_below(name) or OWN_FOLDER in Path(name).parts:
            return None
        path = self.place / name
        with suppress(OSError, ValueError):  # a name that is too long, or a loop of links
            if path.resolve().is_relative_to(self._real):
                return path
        return None

    def _read(self) -> dict[str, str]:
        """What another studio left; a file that is damaged says nothing."""
        with suppress(OSError, ValueError):
            found = json.loads((self.own / _STATE).read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return {str(key): str(name) for key, name in found.items()}
        return {}
