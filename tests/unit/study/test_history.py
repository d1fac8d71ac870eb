"""`history.csv` while heads train: it grows by whole trials, and ends in order."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from pathlib import Path

import pytest

from manyheads.core.job import Event
from manyheads.errors import DiskError
from manyheads.heads.bank import Metrics
from manyheads.heads.fused.engine import FusedEngine
from manyheads.study.events import EpochEnded, TrialEnded
from manyheads.study.folder import RunFolder
from manyheads.study.history import HistoryFile
from manyheads.study.space import Grid
from manyheads.study.store import Store
from tests import studies
from tests.jobs import HeardJob
from tests.studies import study_settings, train

GRID = Grid((0.01,), (4,), (0.0, 0.2, 0.4, 0.6))


class Reader(HeardJob):
    """Reads the history whenever a trial has begun or ended."""

    def __init__(self, path: Path) -> None:
        super().__init__(self._read)
        self.path, self.seen = path, list[bytes]()

    def _read(self, event: Event) -> None:
        begun = isinstance(event, EpochEnded) and event.epoch == 1
        if begun or isinstance(event, TrialEnded):
            self.seen.append(self.path.read_bytes())


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("prune", [None, 3])
def test_it_grows_by_whole_trials_while_heads_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prune: int | None, threads: int
) -> None:
    monkeypatch.setattr(studies, "engine_named", lambda _: FusedEngine(threads))
    reader = Reader(tmp_path / "history.csv")
    settings = study_settings(grid=GRID, seeds=3, epochs=9, prune=prune)
    train(settings, tmp_path, job=reader)
    for before, after in pairwise(reader.seen):
        assert after.startswith(before)
        assert after.endswith(b"\n")
        rows = list(csv.DictReader(io.StringIO(after.decode())))
        assert all(None not in row and None not in row.values() for row in rows)
    if threads == 1:  # each trial is there as soon as it has ended
        assert len(set(reader.seen)) == (13 if prune is None else 1 + 12 + 3)
    whole = reader.path.read_bytes()
    if prune is None:
        assert reader.seen[-1] == whole
    assert sorted(reader.seen[-1].splitlines()) == sorted(whole.splitlines())
    ends = [
        (int(row["trial"]), int(row["epoch"]))
        for row in csv.DictReader(io.StringIO(whole.decode()))
    ]
    assert ends == sorted(ends)


def test_a_trial_waits_for_those_before_it(tmp_path: Path) -> None:
    settings = study_settings(epochs=2)
    trials = list(settings.trials())
    with Store(RunFolder(tmp_path).store) as store:
        store.prepare(settings.trials())
        history = HistoryFile(tmp_path / "history.csv", store, settings)
        history.begin(0, trials, ())
        lengths = []
        for number in (3, 1, 4, 2):
            store.finish(number, "done", 1, "", [Metrics(0.5, 1.0, 0.5, 1.0)] * 2)
            history.ended(trials[number - 1])
            lengths.append(len(history.path.read_text().splitlines()))
    assert lengths == [1, 3, 3, 9]


def test_a_full_disk_leaves_no_row_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system then writes a part, and says so only by its length."""
    settings = study_settings(epochs=2, seeds=1)
    trials = list(settings.trials())
    path = tmp_path / "history.csv"
    opened = Path.open

    class Full:
        def __init__(self, file) -> None:
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, data: bytes) -> int:
            return self.file.write(data[:20])

        def __getattr__(self, name: str):
            return getattr(self.file, name)

    with Store(RunFolder(tmp_path).store) as store:
        store.prepare(settings.trials())
        history = HistoryFile(path, store, settings)
        history.begin(0, trials, ())
        before = path.read_bytes()
        store.finish(1, "done", 1, "", [Metrics(0.5, 1.0, 0.5, 1.0)])
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", lambda self, *a, **k: Full(opened(self, *a, **k)))
            with pytest.raises(DiskError, match="no space left"):
                history.ended(trials[0])
    assert path.read_bytes() == before
