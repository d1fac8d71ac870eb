"""`history.csv`: a row for each trial and epoch, written while the study trains.

While it trains, the file grows by whole trials: those of the first rung in their order, then what
those of the second add, and so on. At the end it is in the order of trials and epochs. It is a
view of the store, and a study that is resumed begins it anew.
"""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from manyheads.core.places import disk_errors
from manyheads.data.spreadsheet_cells import row_cells
from manyheads.heads.epoch_rules import scored_by
from manyheads.study.space import Candidates, Trial, setting_values
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from manyheads.study.table_writing import write_table

METRICS = ("accuracy", "loss", "val_accuracy", "val_loss")


def history_columns(candidates: Candidates, rule: str) -> tuple[str, ...]:
    """The columns of `history.csv` of a study that selects by `rule`."""
    return ("trial", "candidate", *candidates.names, "seed", "fold", "epoch", *metrics_told(rule))


def metrics_told(rule: str) -> tuple[str, ...]:
    """The metrics of an epoch by their names: the score that a rule selects by is the last."""
    metric = scored_by(rule)
    return METRICS if metric is None else (*METRICS, f"val_{metric}")


class HistoryFile:
    """The file of a study in training; what is recorded is read from `store`, a trial at a time."""

    def __init__(self, path: Path, store: Store, settings: StudySettings) -> None:
        self.path, self._store, self._settings = path, store, settings
        bounds = [0, *(rung.epochs for rung in settings.rungs)]
        self._parts = [slice(start, end) for start, end in pairwise(bounds)]
        self._part = self._parts[0]
        self._order: list[Trial] = []
        self._written = 0
        self._ready: set[int] = set()

    def begin(self, place: int, trials: Sequence[Trial], ready: Iterable[int]) -> None:
        """Go on to the rung at `place`: `trials` climb to it, and the numbers `ready` have."""
        if place == 0:
            write_table(self.path, self._columns, ())
        self._part, self._order, self._written = self._parts[place], list(trials), 0
        self._ready = set(ready)
        self._write()

    def ended(self, trial: Trial) -> None:
        """A trial has come to the rung, or ended before; the store has its epochs."""
        self._ready.add(trial.number)
        self._write()

    def rows(self) -> Iterator[Sequence[object]]:
        """The rows of all trials that have ended, in the order of trials and epochs."""
        for record in self._store.trials("done", "failed", "pruned"):
            yield from self._rows(record.trial, slice(None))

    def complete(self) -> None:
        """Write the whole file."""
        write_table(self.path, self._columns, self.rows())

    @property
    def _columns(self) -> tuple[str, ...]:
        return history_columns(self._settings.grid, self._settings.select)

    def _write(self) -> None:
        """Append the trials whose turn it is: ready, like all before them."""
        while self._written < len(self._order):
            trial = self._order[self._written]
            if trial.number not in self._ready:
                return
            self._ready.remove(trial.number)
            self._written += 1
            text = io.StringIO()
            rows = map(row_cells, self._rows(trial, self._part))
            csv.writer(text, lineterminator="\n").writerows(rows)
            # One write a trial, past all buffers: whoever reads meanwhile finds whole rows.
            with disk_errors(self.path), self.path.open("ab", buffering=0) as file:
                data, size = text.getvalue().encode(), file.tell()
                if file.write(data) < len(data):
                    file.truncate(size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rows(self, trial: Trial, part: slice) -> Iterator[Sequence[object]]:
        setting = setting_values(self._settings.grid, trial.candidate)
        numbered = list(enumerate(self._store.curve(trial.number), start=1))
        for epoch, metrics in numbered[part]:
            fixed = trial.number, trial.candidate, *setting, trial.seed, trial.fold
            yield (*fixed, epoch, *metrics[: len(metrics_told(self._settings.select))])
