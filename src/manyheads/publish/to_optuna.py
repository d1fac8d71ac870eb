"""Optuna: a study in its storage with a trial for each candidate, for its dashboard and plots."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manyheads.core.addresses import without_secrets
from manyheads.core.destinations import file_for
from manyheads.core.job import Job
from manyheads.core.places import make_folder
from manyheads.errors import SettingError, TrackerError
from manyheads.heads.hyperparameters import DECLARED
from manyheads.publish.publication import (
    CURVE,
    Publication,
    PublishedRow,
    RowState,
    Value,
    varying,
)
from manyheads.publish.tracker_tables import TrackerTables, tracker_tables
from manyheads.publish.trackers import RowCounts, library, silenced

_USUAL, _SQLITE = "sqlite:///optuna.db", "sqlite:///"
_DATABASES = ("sqlite", "postgresql", "mysql")
_KEY, _CONTENT = "manyheads.study", "manyheads.content"
_STATE: Mapping[RowState, str] = {"done": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
_VALUE = ("trial_id", "objective", "value", "value_type")
_STEP = ("trial_id", "step", "intermediate_value", "intermediate_value_type")
_NEEDED = {
    "trials": ("trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"),
    "trial_values": _VALUE,
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
    "trial_intermediate_values": _STEP,
    "trial_system_attributes": ("trial_id", "key", "value_json"),
}
_NO_FILES = "Optuna has no place for files: they are in the run folder."


def tracker(address: str | None, project: str | None) -> OptunaTracker:
    """The storage at `address` (None: `optuna.db` here); raises `SettingError` for a folder."""
    return OptunaTracker(_uri(address or _USUAL), project)


class OptunaTracker:
    """A database of Optuna."""

    def __init__(self, uri: str, project: str | None) -> None:
        self._uri, self._project = uri, project

    @property
    def place(self) -> str:
        """The address of the storage, without secrets."""
        return without_secrets(self._uri)

    def publish(self, publication: Publication, job: Job) -> RowCounts:
        """Publish a study; if it has changed, its former trials are replaced."""
        with silenced({}):
            optuna = library("optuna")
            if self._uri.startswith(_SQLITE):
                make_folder(Path(self._uri.removeprefix(_SQLITE)).parent)
            name = "/".join(filter(None, [self._project, publication.label]))
            study = optuna.create_study(
                storage=self._uri, study_name=name, load_if_exists=True,
                direction="minimize" if publication.metric == "log_loss" else "maximize",
            )  # fmt: skip
            counts = self._written(optuna, study, publication, job)
        return RowCounts.of(
            counts,
            f"optuna-dashboard {shlex.quote(self.place)}",
            remarks=(_NO_FILES,) if publication.files else (),
        )

    def _written(
        self, optuna: Any, study: Any, publication: Publication, job: Job
    ) -> dict[str, int]:
        known, total = study.user_attrs, len(publication.rows)
        if known.get(_CONTENT) == publication.content:
            return {"new": 0, "unchanged": total}
        if known.get(_KEY, publication.key) != publication.key:
            raise TrackerError(
                f"the study {study.study_name} in {self.place} to be this one",
                "another", "name another `project`",
            )  # fmt: skip
        trials = _Trials(optuna, publication)
        with tracker_tables(self._uri, _NEEDED) as tables:
            former = None if tables is None else _replace(tables, study._study_id, trials, job)
        if former is None:
            former = len(study.trials)
            if former:  # by calls, trials cannot be taken away
                raise TrackerError(
                    f"tables of Optuna in {self.place} that are known here", "others",
                    "publish to a new storage",
                )  # fmt: skip
            study.add_trials(trials.made())
        told = {**publication.parameters, **publication.tags, **publication.metrics}
        for key, value in {**told, "text": publication.text, _KEY: publication.key}.items():
            study.set_user_attr(key, value)
        study.set_metric_names([publication.metric])
        study.set_user_attr(_CONTENT, publication.content)  # the last, so that all is there
        changed = min(former, total)
        return {"new": total - changed, "changed": changed}


class _Trials:
    """The rows of a study as Optuna's trials, in the order of the candidates."""

    def __init__(self, optuna: Any, publication: Publication) -> None:
        self._optuna, self._publication = optuna, publication
        self.rows = sorted(publication.rows, key=lambda row: row.number)
        self.distributions = _distributions(optuna.distributions, self.rows)
        name = "loss" if publication.metric == "log_loss" else publication.metric
        self._curve = f"{CURVE}val_{name}"

    @property
    def moment(self) -> datetime:
        """When the study ended, in UTC, as Optuna keeps it."""
        return datetime.fromtimestamp(self._publication.ended, UTC).replace(tzinfo=None)

    def value(self, row: PublishedRow) -> float | None:
        """What the study is ranked by; None for a row that has not been trained to its end."""
        return row.metrics.get(self._publication.metric) if row.state == "done" else None

    def params(self, row: PublishedRow) -> dict[str, Value]:
        """The hyperparameters that differ between rows."""
        return {n: v for n, v in row.parameters.items() if n in self.distributions}

    def attributes(self, row: PublishedRow) -> dict[str, Value]:
        """All else that is told of a row."""
        fixed = {n: v for n, v in row.parameters.items() if n not in self.distributions}
        return {"candidate": row.number, "name": row.name, **fixed, **row.metrics}

    def steps(self, row: PublishedRow) -> dict[int, float]:
        """The learning curve, by epoch."""
        return dict(enumerate(row.curves.get(self._curve, ()), start=1))

    def made(self) -> Iterator[Any]:
        """The trials by Optuna's own calls."""
        states = self._optuna.trial.TrialState
        for row in self.rows:
            params = self.params(row)
            yield self._optuna.trial.create_trial(
                state=states[_STATE[row.state]],
                value=self.value(row),
                params=params,
                distributions={name: self.distributions[name] for name in params},
                user_attrs=self.attributes(row),
                intermediate_values=self.steps(row),
            )

    def written(self, name: str) -> str:
        """A distribution as Optuna keeps it."""
        return self._optuna.distributions.distribution_to_json(self.distributions[name])


def _replace(tables: TrackerTables, study: int, trials: _Trials, job: Job) -> int:
    """Write the trials of a study in place of its former ones; returns how many these were."""
    former = [each for (each,) in tables.select("trials", ("trial_id",), study_id=study)]
    for table in reversed(_NEEDED):
        tables.delete(table, "trial_id", former)
    first = 1 + tables.greatest("trials", "trial_id")
    rows, written = trials.rows, {name: trials.written(name) for name in trials.distributions}
    job.check("publishing")
    job.progress("publishing", 0, len(rows), "candidates")
    moment = trials.moment
    tables.insert("trials", (
        {"trial_id": first + place, "number": place, "study_id": study,
         "state": _STATE[row.state], "datetime_start": moment, "datetime_complete": moment}
        for place, row in enumerate(rows)
    ))  # fmt: skip
    tables.insert("trial_values", (
        dict(zip(_VALUE, (first + place, 0, value, "FINITE"), strict=True))
        for place, row in enumerate(rows) if (value := trials.value(row)) is not None
    ))  # fmt: skip
    tables.insert("trial_params", (
        {"trial_id": first + place, "param_name": name, "distribution_json": written[name],
         "param_value": trials.distributions[name].to_internal_repr(value)}
        for place, row in enumerate(rows) for name, value in trials.params(row).items()
    ))  # fmt: skip
    job.check("publishing")
    tables.insert("trial_user_attributes", (
        {"trial_id": first + place, "key": key, "value_json": json.dumps(value)}
        for place, row in enumerate(rows) for key, value in trials.attributes(row).items()
    ))  # fmt: skip
    tables.insert("trial_intermediate_values", (
        dict(zip(_STEP, (first + place, step, value, "FINITE"), strict=True))
        for place, row in enumerate(rows) for step, value in trials.steps(row).items()
    ))  # fmt: skip
    job.check("publishing")
    job.progress("publishing", len(rows), len(rows), "candidates")
    return len(former)


def _distributions(known: Any, rows: Sequence[PublishedRow]) -> dict[str, Any]:
    """A distribution for each hyperparameter that varies."""
    return {name: _distribution(known, name, each) for name, each in varying(rows).items()}


def _distribution(known: Any, name: str, values: Sequence[Value]) -> Any:
    numbers = [value for value in values if not isinstance(value, str | bool)]
    if len(numbers) < len(values):
        return known.CategoricalDistribution(tuple(dict.fromkeys(values)))
    low, high = min(numbers), max(numbers)
    is_log = low > 0 and name in DECLARED and DECLARED[name].scale == "log"
    if isinstance(low, int) and all(isinstance(each, int) for each in numbers):
        return known.IntDistribution(low, high, log=is_log)
    return known.FloatDistribution(float(low), float(high), log=is_log)


def _uri(address: str) -> str:
    """The address of a database; a file is one, too."""
    scheme, _, rest = address.partition("://")
    if not rest and Path(address).suffix in (".db", ".sqlite", ".sqlite3"):
        return f"{_SQLITE}{file_for(Path(address).expanduser(), 'to_address')}"
    if not rest or scheme.split("+")[0] not in _DATABASES:
        raise SettingError(
            "a database as `to_address`", without_secrets(address),
            f"name one such as {_USUAL}",
        )  # fmt: skip
    if scheme == "sqlite":
        file_for(Path(address.removeprefix(_SQLITE)), "to_address")
    return address
