"""The trackers that studies are published to: their names, what they need, and how they fail."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from manyheads.core.addresses import without_secrets
from manyheads.core.job import Job
from manyheads.core.settings import choice
from manyheads.errors import ManyheadsError, MissingExtraError, TrackerError
from manyheads.publish.publication import Publication

_LONGEST = 300  # letters of another program's complaint


@dataclass(frozen=True)
class TrackerKind:
    """A tracker that can be published to: its module here, and the packages that it needs."""

    title: str
    module: str
    packages: tuple[str, ...]


TRACKERS: Mapping[str, TrackerKind] = {
    "mlflow": TrackerKind("MLflow", "to_mlflow", ("mlflow", "sqlalchemy")),
    "wandb": TrackerKind("Weights & Biases", "to_wandb", ("wandb",)),
    "trackio": TrackerKind("Trackio", "to_trackio", ("trackio",)),
    "tensorboard": TrackerKind("TensorBoard", "to_tensorboard", ("tensorboard",)),
    "optuna": TrackerKind("Optuna", "to_optuna", ("optuna",)),
}


@dataclass(frozen=True, kw_only=True)
class RowCounts:
    """How many rows a tracker had not, had otherwise, or had already; and how many files it took.

    `opened_by` is the command that shows it, and `remarks` say what the tracker has no place for.
    """

    opened_by: str
    new: int
    changed: int = 0
    unchanged: int = 0
    files: int = 0
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, rows: Mapping[str, int], opened_by: str, files: int = 0, remarks: Sequence[str] = ()
    ) -> RowCounts:
        """The counts of `rows` by how they were found."""
        found = {name: rows.get(name, 0) for name in ("new", "changed", "unchanged")}
        return cls(opened_by=opened_by, files=files, remarks=tuple(remarks), **found)


def no_rows() -> dict[str, int]:
    """The counts of rows before the first."""
    return {"new": 0, "changed": 0, "unchanged": 0}


class Tracker(Protocol):
    """A place of one tracker, to which studies are published.

    It is made with an address and the name of a project, which may be None, and raises
    `SettingError` for an address that it does not take. `place` is where it publishes to, without
    secrets.
    """

    @property
    def place(self) -> str: ...

    def publish(self, publication: Publication, job: Job) -> RowCounts:
        """Publish: what the tracker has already is left, what it has otherwise is replaced.

        `job` hears how many rows are done. Raises `Interrupted` when it is stopped, and whatever
        the tracker raises.
        """
        ...


def tracker_named(to: str, address: str | None = None, project: str | None = None) -> Tracker:
    """The tracker `to`, at an `address` or at its usual place; nothing is made there yet.

    Raises `SettingError` for a name or an address that it does not take, and `MissingExtraError`
    where its packages are not installed.
    """
    kind = TRACKERS[choice("to", to, tuple(TRACKERS))]
    absent = [name for name in kind.packages if not _is_there(name)]
    if absent:
        raise MissingExtraError(
            f"{kind.title} to publish to", f"no {' and no '.join(absent)}",
            f"run: pip install 'manyheads[{to}]'",
        )  # fmt: skip
    module: Any = import_module(f"manyheads.publish.{kind.module}")
    return module.tracker(address or None, project or None)


@contextmanager
def tracker_errors(to: str, place: str) -> Iterator[None]:
    """Turn whatever a tracker raises into a `TrackerError` of one line, without secrets."""
    try:
        yield
    except ManyheadsError:
        raise
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        words = words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"
        raise TrackerError(
            f"{TRACKERS[to].title} at {place} to take the study", _hidden(words),
            "see that it is there and may be written, and publish again: nothing doubles",
        ) from error  # fmt: skip


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, as long as the context lasts."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def silenced(variables: Mapping[str, str]) -> Iterator[None]:
    """Keep a tracker from printing, warning and logging, and set its switches by `variables`."""
    before = logging.root.manager.disable
    with environment(variables), redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def library(name: str) -> Any:
    """A tracker's module, which the types of this project need not know."""
    return import_module(name)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # a stand-in that has no spec
        return True


def _hidden(words: str) -> str:
    """A complaint without the passwords of the addresses in it."""
    return " ".join(without_secrets(word) if "://" in word else word for word in words.split(" "))
