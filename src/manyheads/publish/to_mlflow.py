"""MLflow: an experiment with a run for the study, and below it one for each candidate."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.core.addresses import without_secrets
from manyheads.core.destinations import file_for
from manyheads.core.job import Job
from manyheads.core.places import make_folder
from manyheads.core.text import option
from manyheads.errors import SettingError, TrackerError
from manyheads.publish.mlflow_runs import (
    CONTENT_TAG,
    ROW_TAG,
    STUDY_TAG,
    MlflowRun,
    row_runs,
    whole_run,
)
from manyheads.publish.mlflow_tables import write_runs
from manyheads.publish.publication import Publication
from manyheads.publish.trackers import RowCounts, library, no_rows, silenced

_USUAL = "sqlite:///mlflow.db"
_SQLITE = "sqlite:///"
_SWITCHES = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
             "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}  # fmt: skip
_TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # not of language models
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_THREADS = 8  # requests to a server at once
_PAGE = 1_000  # runs that a server is asked for at once
_BATCH = 1_000  # metrics, the most that MLflow takes in one call
_AT_ONCE = 64  # rows between two looks at a request to stop


def tracker(address: str | None, project: str | None) -> MlflowTracker:
    """MLflow at `address` (None: `MLFLOW_TRACKING_URI`, or `mlflow.db` here).

    Raises `SettingError` for a folder, where MLflow no longer keeps runs.
    """
    return MlflowTracker(_uri(address or os.environ.get("MLFLOW_TRACKING_URI") or _USUAL), project)


class MlflowTracker:
    """A database or a server of MLflow."""

    def __init__(self, uri: str, project: str | None) -> None:
        self._given, self._project = uri, project
        # MLflow keeps a database open by its name, which would be another one in another folder.
        file = Path(uri.removeprefix(_SQLITE)).absolute() if uri.startswith(_SQLITE) else None
        self._uri = uri if file is None else f"{_SQLITE}{file}"

    @property
    def place(self) -> str:
        """The tracking URI as it was given, without secrets."""
        return without_secrets(self._given)

    def publish(self, publication: Publication, job: Job) -> RowCounts:
        """Publish a study to the experiment of its project."""
        with silenced(_SWITCHES):
            client = library("mlflow.tracking").MlflowClient(tracking_uri=self._uri)
            experiment = self._experiment(client, self._project or publication.data)
            name = str(experiment.experiment_id)
            whole = whole_run(publication, name)
            counts, run_id = None, whole.run_id
            if self._is_database:
                rows = [*row_runs(publication, name, run_id)]
                location = experiment.artifact_location
                counts = write_runs(self._uri, name, location, whole, rows, job)
            if counts is None:
                counts, run_id = _by_calls(client, name, publication, whole, job)
            for file in publication.files:
                job.check("publishing files")
                client.log_artifact(run_id, str(file))
        return RowCounts.of(counts, self._opened_by, len(publication.files))

    @property
    def _is_database(self) -> bool:
        return self._uri.split(":")[0].split("+")[0] in _DATABASES

    @property
    def _opened_by(self) -> str:
        if not self._is_database:
            return self.place
        return shlex.join(["mlflow", "ui", *option("backend_store_uri", self.place)])

    def _experiment(self, client: Any, name: str) -> Any:
        found = client.get_experiment_by_name(name)
        if found is None:
            created = client.create_experiment(
                name, artifact_location=self._artifacts(), tags=_TRAINING
            )
            return client.get_experiment(created)
        if found.lifecycle_stage != "active":
            raise TrackerError(
                f"the experiment {name} of MLflow at {self.place}", "one that was deleted",
                "restore it there, or name another with `project`",
            )  # fmt: skip
        return found

    def _artifacts(self) -> str | None:
        """Where files lie beside a database's file; None: the server or MLflow decides."""
        if not self._uri.startswith(_SQLITE):
            return None
        file = Path(self._uri.removeprefix(_SQLITE))
        return make_folder(file.with_name(f"{file.stem}-artifacts")).as_uri()


def _by_calls(
    client: Any, experiment: str, publication: Publication, whole: MlflowRun, job: Job
) -> tuple[dict[str, int], str]:
    """Publish by MLflow's own calls, to a server; how many rows were new, and the study's run.

    A changed row is deleted there, which MLflow can undo, and made anew: its curves would double.
    """
    counts = no_rows()
    known = _known(client, experiment, publication.key)
    parent, content = known.get(whole.row, ("", ""))
    if not parent:
        parent = _created(client, experiment, whole)
    elif content != whole.content:
        _log(client, parent, replace(whole, params={}))
    rows, total = row_runs(publication, experiment, parent), len(publication.rows)
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, total, _AT_ONCE):
            job.check("publishing")
            job.progress("publishing", start, total, "candidates")
            send = partial(_sent, client, experiment, known)
            for outcome in pool.map(send, islice(rows, _AT_ONCE)):
                counts[outcome] += 1
    job.progress("publishing", total, total, "candidates")
    return counts, parent


def _known(client: Any, experiment: str, key: str) -> dict[str, tuple[str, str]]:
    """The runs of a study that a server has: by row their ids and their contents."""
    found: dict[str, tuple[str, str]] = {}
    token = None
    while True:
        page = client.search_runs(
            [experiment], f"tags.`{STUDY_TAG}` = '{key}'", max_results=_PAGE, page_token=token
        )
        for run in page:
            tags = run.data.tags
            found[tags.get(ROW_TAG, "")] = run.info.run_id, tags.get(CONTENT_TAG, "")
        token = page.token
        if not token:
            return found


def _sent(
    client: Any, experiment: str, known: Mapping[str, tuple[str, str]], run: MlflowRun
) -> str:
    former, content = known.get(run.row, ("", ""))
    if former and content == run.content:
        return "unchanged"
    if former:
        client.delete_run(former)
    _created(client, experiment, run)
    return "changed" if former else "new"


def _created(client: Any, experiment: str, run: MlflowRun) -> str:
    made = client.create_run(
        experiment, start_time=run.moment, run_name=run.name,
        # Whoever stops in between finds it without a content, and makes it anew.
        tags={name: value for name, value in run.tags.items() if name != CONTENT_TAG},
    )  # fmt: skip
    run_id: str = made.info.run_id
    _log(client, run_id, run)
    client.set_terminated(run_id, run.status, run.moment)
    return run_id


def _log(client: Any, run_id: str, run: MlflowRun) -> None:
    entities = library("mlflow.entities")
    params = [entities.Param(name, value) for name, value in run.params.items()]
    metrics = [entities.Metric(name, value, run.moment, step) for name, value, step in run.metrics]
    for start in range(0, max(len(metrics), 1), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
    client.log_batch(
        run_id, params=params, tags=[entities.RunTag(n, v) for n, v in run.tags.items()]
    )


def _uri(address: str) -> str:
    """A tracking URI; a file of a database is one, too."""
    scheme, _, rest = address.partition("://")
    if rest and scheme != "file":
        if scheme == "sqlite":
            file_for(Path(address.removeprefix(_SQLITE)), "to_address")
        return address
    if address in ("databricks", "databricks-uc"):
        return address
    path = Path(rest or address).expanduser()
    if path.suffix in (".db", ".sqlite", ".sqlite3"):
        return f"{_SQLITE}{file_for(path, 'to_address')}"
    raise SettingError(
        "a database or a server of MLflow as `to_address`",
        f"the folder {path}, where MLflow has kept no runs since 3.14",
        f"name {_SQLITE}{path / 'mlflow.db'}, or http://HOST:PORT",
    )  # fmt: skip
