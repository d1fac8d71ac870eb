"""The record of a study in SQLite: which trials there are, how far each is, and its curves.

A trial is `pending`, `running`, `done`, `failed` or `pruned`. Its epochs are written together with
its end, in one transaction, so that what is recorded of a trial is always whole: a trial that was
cut off is simply pending again, and trained again to the same numbers. A trial that waits at a
rung is pending with the epochs that it has been trained for. Of a trial that is done there are
also the predictions for the images that validated it, after each epoch that a comparison may look
at, so that a verdict needs no training.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float16, Int64

from manyheads.core.places import is_writable
from manyheads.errors import DiskError, RunError
from manyheads.heads.bank import Metrics, Predictions
from manyheads.study.schema import SCHEMA_VERSION, SCORES, statements
from manyheads.study.space import Trial, Trials

_LARGEST = 250_000_000  # bytes of predictions in one part: SQLite's limit of a value is a billion


@dataclass(frozen=True)
class TrialRecord:
    """What is known of a trial: of its `epochs`, `epoch` is the one that the study's rule chose.

    Both are 0 as long as none is recorded.
    """

    trial: Trial
    state: str
    epoch: int = 0
    note: str = ""
    epochs: int = 0


@dataclass(frozen=True)
class Division:
    """The images that validate a fold: their indices in the data set, labels and units."""

    images: Int64[np.ndarray, "images"]
    labels: Int64[np.ndarray, "images"]
    units: Int64[np.ndarray, "images"]


class Store:
    """The trials of one study; a context manager. Use it from one thread.

    Where its file cannot be written it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_only = path.is_file() and not (
            os.access(path, os.W_OK) and is_writable(path.parent)
        )
        # Nobody changes it meanwhile, so that it needs no lock, which would be a file beside it.
        name = f"{path.absolute().as_uri()}?immutable=1" if self._read_only else path
        with self._errors():
            self._db = sqlite3.connect(name, isolation_level=None, uri=self._read_only)
        try:
            with self._errors():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def prepare(self, trials: Trials) -> None:
        """Record all trials of the study once; those that a crash left running are pending.

        A study that has grown keeps what it has of the trials that it had, under their new numbers.
        """
        with self._transaction():
            known = self._db.execute("SELECT count(*) FROM trials").fetchone()[0]
            if 0 < known < len(trials):
                self._renumber(trials)
            if known < len(trials):
                self._db.executemany(
                    "INSERT OR IGNORE INTO trials (trial, candidate, seed, fold)"
                    " VALUES (?, ?, ?, ?)",
                    ((t.number, t.candidate, t.seed, t.fold) for t in trials),
                )
            self._db.execute("UPDATE trials SET state = 'pending' WHERE state = 'running'")
            self._db.execute("CREATE INDEX IF NOT EXISTS by_candidate ON trials (candidate)")

    def start(self, trial: int) -> None:
        """A trial is being trained."""
        with self._transaction():
            self._db.execute("UPDATE trials SET state = 'running' WHERE trial = ?", (trial,))

    def divide(self, divisions: Sequence[Division]) -> None:
        """Record which images validate each fold."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO divisions VALUES (?, ?, ?, ?)",
                (
                    (fold, _bytes(each.images), _bytes(each.labels), _bytes(each.units))
                    for fold, each in enumerate(divisions)
                ),
            )

    def finish(
        self,
        trial: int,
        state: str,
        epoch: int,
        note: str,
        curve: Sequence[Metrics],
        predictions: Mapping[int, Predictions] | None = None,
    ) -> None:
        """A trial has ended as `state` after the epochs of `curve`, or waits at a rung: pending.

        `predictions` are by epoch.
        """
        with self._transaction():
            # After a rung, a trial has epochs already: they are replaced, not added to.
            self._db.execute("DELETE FROM epochs WHERE trial = ?", (trial,))
            self._db.executemany(
                "INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?)",
                ((trial, number, *metrics[:4]) for number, metrics in enumerate(curve, start=1)),
            )
            self._keep_scores(trial, curve)
            self._db.execute(
                "UPDATE trials SET state = ?, epoch = ?, note = ? WHERE trial = ?",
                (state, epoch, note, trial),
            )
            self._db.execute("DELETE FROM predictions WHERE trial = ?", (trial,))
            for kept, predicted in (predictions or {}).items():
                data = memoryview(predicted.astype("<f2").tobytes())
                self._db.executemany(
                    "INSERT INTO predictions VALUES (?, ?, ?, ?)",
                    (
                        (trial, kept, part, data[start : start + _LARGEST])
                        for part, start in enumerate(range(0, len(data), _LARGEST))
                    ),
                )

    def prune(self, candidates: Iterable[int], note: str) -> None:
        """Candidates train no further: their trials are pruned, but for those that failed."""
        with self._transaction():
            self._db.executemany(
                "UPDATE trials SET state = 'pruned', note = ?"
                " WHERE candidate = ? AND state != 'failed'",
                ((note, candidate) for candidate in candidates),
            )

    def trials(self, *states: str, candidate: int | None = None) -> list[TrialRecord]:
        """The trials in any of `states`, and of one `candidate` if that is given, in order."""
        marks = ", ".join("?" * len(states))
        conditions = [f"state IN ({marks})"] if states else []
        conditions += [] if candidate is None else [f"candidate = {candidate:d}"]
        query = (
            "SELECT trial, candidate, seed, fold, state, trials.epoch, note, count(epochs.trial)"
            " FROM trials LEFT JOIN epochs USING (trial)"
            f"{' WHERE ' if conditions else ''}{' AND '.join(conditions)}"
            " GROUP BY trial ORDER BY trial"
        )
        with self._errors():
            rows = self._db.execute(query, states).fetchall()
        return [
            TrialRecord(
                Trial(number=number, candidate=candidate, seed=seed, fold=fold),
                state,
                epoch,
                note,
                epochs,
            )
            for number, candidate, seed, fold, state, epoch, note, epochs in rows
        ]

    def curve(self, trial: int) -> list[Metrics]:
        """The epochs of a trial, in order."""
        score, join = "", ""
        if self._has_scores:
            score, join = ", coalesce(val_score, 0)", " LEFT JOIN scores USING (trial, epoch)"
        where = " WHERE trial = ? ORDER BY epoch"
        columns = "SELECT accuracy, loss, val_accuracy, val_loss"
        query = columns + score + " FROM epochs" + join + where
        with self._errors(), closing(self._db.execute(query, (trial,))) as rows:
            return [Metrics(*row) for row in rows]

    def divisions(self) -> list[Division]:
        """The images that validate each fold; none, if that was never recorded."""
        query = "SELECT images, labels, units FROM divisions ORDER BY fold"
        with self._errors(), closing(self._db.execute(query)) as rows:
            return [Division(*(np.frombuffer(each, "<i8") for each in row)) for row in rows]

    def predictions(
        self, trial: int, epoch: int, classes: int
    ) -> Float16[np.ndarray, "images classes"] | None:
        """Log-probabilities of the images that validated a trial, after `epoch`; None if none."""
        query = (
            "SELECT log_probabilities FROM predictions WHERE trial = ? AND epoch = ? ORDER BY part"
        )
        with self._errors():
            parts = self._db.execute(query, (trial, epoch)).fetchall()
        if not parts:
            return None
        return np.frombuffer(b"".join(part for (part,) in parts), "<f2").reshape(-1, classes)

    def has_predictions(self, after: Literal["chosen", "last"] = "chosen") -> bool:
        """Whether every trial that is done has predictions after its chosen or its last epoch."""
        last = "(SELECT max(epoch) FROM epochs WHERE epochs.trial = trials.trial)"
        query = (
            "SELECT EXISTS (SELECT 1 FROM trials WHERE state = 'done' AND NOT EXISTS"
            " (SELECT 1 FROM predictions WHERE predictions.trial = trials.trial"
            f" AND predictions.epoch = {'trials.epoch' if after == 'chosen' else last}))"
        )
        with self._errors():
            return not self._db.execute(query).fetchone()[0]

    def _keep_scores(self, trial: int, curve: Sequence[Metrics]) -> None:
        """Replace the scores of a trial; a study whose rule needs none has no table of them.

        So an earlier version opens it, as this one opens its studies.
        """
        scored = any(metrics.val_score for metrics in curve)
        if scored and not self._has_scores:
            self._db.execute(SCORES)
            self._has_scores = True
        if self._has_scores:
            self._db.execute("DELETE FROM scores WHERE trial = ?", (trial,))
            self._db.executemany(
                "INSERT INTO scores VALUES (?, ?, ?)",
                ((trial, n, metrics.val_score) for n, metrics in enumerate(curve, start=1)),
            )

    def _renumber(self, trials: Trials) -> None:
        """Give each recorded trial the number that it has among `trials`."""
        rows = self._db.execute("SELECT trial, candidate, seed, fold FROM trials").fetchall()
        numbers = {
            number: trials.same(Trial(number=number, candidate=c, seed=s, fold=f)).number
            for number, c, s, f in rows
        }
        # Numbers only grow, so that from the last one on none meets another; likewise what is of
        # a trial, before the trial itself.
        for number, new in sorted(numbers.items(), reverse=True):
            scores = ["scores"] * self._has_scores
            for table in ("epochs", *scores, "predictions", "trials"):
                self._db.execute(f"UPDATE {table} SET trial = ? WHERE trial = ?", (new, number))

    def _open(self) -> None:
        if not self._read_only:
            # WAL: readers such as a report do not block the writer. NORMAL: a power cut may lose
            # the last transactions, which are trained again, and never damages the file.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        missing = statements(version)
        if missing is None:
            raise RunError(
                f"a study of format {SCHEMA_VERSION} in {self.path}",
                f"format {version}",
                "use the version of manyheads that began it, or begin anew in another run folder",
            )
        if missing:
            with self._transaction():
                for statement in missing:
                    self._db.execute(statement)
        tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'scores'"
        self._has_scores = bool(self._db.execute(tables).fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            # IMMEDIATE takes the write lock now: a deferred one could fail halfway, at its first
            # write, when another process has written meanwhile.
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DiskError(
                f"to write {self.path}",
                str(error),
                "make room or choose a folder that can be written, and repeat the command; "
                "every finished trial is kept",
            ) from error
        except sqlite3.DatabaseError as error:
            raise RunError(
                f"the record of a study in {self.path}",
                str(error),
                "restore the file, or begin the study anew in another run folder",
            ) from error


def _bytes(numbers: Int64[np.ndarray, "images"]) -> bytes:
    return numbers.astype("<i8").tobytes()
