"""What was found on the lesson's claims, as it lies in `RUN/claims/`: JSON for all, CSV to plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from manyheads.core.records import read_record, write_record
from manyheads.findings.ensembles import SCORES, Contrast, ScoreRange, Way
from manyheads.findings.finding import Finding
from manyheads.findings.training_length import BestEpochs, EpochContrast, Longer, Place
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import Margins
from manyheads.study.folder import RunFolder
from manyheads.study.table_writing import write_table

FORMAT = 1
ENSEMBLE_COLUMNS = ("way", "networks", "draws", "metric", "value", "low", "high")
LONGER_COLUMNS = (
    "candidate", "setting", "seed", "fold", "epochs", "log_loss_epoch", "accuracy_epoch",
    "lowest_log_loss", "accuracy_there", "log_loss_past_best", "accuracy_past_best",
)  # fmt: skip

Claim = TypeVar("Claim")


@dataclass(frozen=True, kw_only=True)
class EnsembleClaim(Finding):
    """What was found of a candidate on the claim that dropout works as an ensemble.

    `masks` subnetworks of each head; `accuracy` and `log_loss` are those of single ones, each on
    the images that validated its head. `sentences` say it all, the headline first.
    """

    candidate: int
    name: str
    droprate: float
    size_inner: int
    seeds: int
    folds: int | None
    masks: int
    images: int
    margins: Margins
    accuracy: ScoreRange
    log_loss: ScoreRange
    ways: tuple[Way, ...]
    contrasts: tuple[Contrast, ...]
    sentences: tuple[str, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def entries(self) -> tuple[Way, ...]:
        """The ways to answer, with their scores."""
        return self.ways


@dataclass(frozen=True, kw_only=True)
class LongerClaim(Finding):
    """What was found on the claim that dropout needs longer training.

    Heads trained to epoch `limit` at most, and ended once they had found no lower log loss for
    `patience` epochs.
    """

    limit: int
    patience: int
    seeds: int
    folds: int | None
    images: int
    candidates: tuple[Longer, ...]
    contrasts: tuple[EpochContrast, ...]
    sentences: tuple[str, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def entries(self) -> tuple[Longer, ...]:
        """The candidates, with their best epochs."""
        return self.candidates


def write_ensemble(folder: RunFolder, claim: EnsembleClaim) -> None:
    """Write `ensemble.csv`, a row for each way and score, then `ensemble.json`."""

    def rows() -> Iterable[tuple[object, ...]]:
        for way in claim.ways:
            for metric in (*SCORES, "disagreement"):
                found: Estimate | None = getattr(way, metric)
                if found is not None:
                    values = found.value, found.low, found.high
                    yield way.kind, way.size, way.draws, metric, *values

    write_table(folder.claims / "ensemble.csv", ENSEMBLE_COLUMNS, rows())
    write_record(folder.claims / "ensemble.json", claim, FORMAT)


def write_longer(folder: RunFolder, claim: LongerClaim, best: Mapping[Place, BestEpochs]) -> None:
    """Write `longer.csv`, a row for each head, then `longer.json`."""
    names = {each.candidate: each.name for each in claim.candidates}
    rows = (
        (place[0], names[place[0]], *place[1:], *(int(v) if v is True or v is False else v
                                                  for v in each))
        for place, each in sorted(best.items())
        if place[0] in names
    )  # fmt: skip
    write_table(folder.claims / "longer.csv", LONGER_COLUMNS, rows)
    write_record(folder.claims / "longer.json", claim, FORMAT)


def read_ensemble(folder: RunFolder) -> EnsembleClaim | None:
    """The recorded claim, None if there is none; raises `RunError` if it cannot be read."""
    return _read(folder.claims / "ensemble.json", EnsembleClaim)


def read_longer(folder: RunFolder) -> LongerClaim | None:
    """The recorded claim, None if there is none; raises `RunError` if it cannot be read."""
    return _read(folder.claims / "longer.json", LongerClaim)


def _read(path: Path, kind: type[Claim]) -> Claim | None:
    return read_record(
        path, kind, FORMAT, what="what was found on a claim", renamed={"turned": "past_best"},
        remedy="repeat `manyheads claims`, which writes it anew",
    )  # fmt: skip
