"""Runs in MLflow's own database, thousands at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manyheads.core.job import Job
from manyheads.publish.mlflow_runs import CONTENT_TAG, MlflowRun
from manyheads.publish.tracker_tables import TrackerTables, tracker_tables
from manyheads.publish.trackers import no_rows

_RUN = (
    "run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status",
    "start_time", "end_time", "deleted_time", "source_version", "lifecycle_stage", "artifact_uri",
    "experiment_id",
)  # fmt: skip
_POINT = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")
_NEEDED = {
    "runs": _RUN,
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "metrics": _POINT,
    "latest_metrics": _POINT,
}
_AT_ONCE = 1_000  # runs between two looks at a request to stop


def write_runs(
    uri: str,
    experiment: str,
    artifacts: str,
    whole: MlflowRun,
    rows: Sequence[MlflowRun],
    job: Job,
) -> dict[str, int] | None:
    """Write a study's runs to the database at `uri`, all or none; how many `rows` were new.

    Those that are there with the same content are left; of others all that was published is
    replaced, and tags that others gave them stay. `artifacts` is where the experiment's files lie.
    None if the tables are not those that are known here: then nothing is written.
    """
    counts = no_rows()
    with tracker_tables(uri, _NEEDED) as tables:
        if tables is None:
            return None
        known = _known(tables, int(experiment))
        _write(tables, int(experiment), artifacts, known, [whole])
        for start in range(0, len(rows), _AT_ONCE):
            job.check("publishing")
            job.progress("publishing", start, len(rows), "candidates")
            block = rows[start : start + _AT_ONCE]
            new, changed = _write(tables, int(experiment), artifacts, known, block)
            counts["new"] += new
            counts["changed"] += changed
            counts["unchanged"] += len(block) - new - changed
        job.progress("publishing", len(rows), len(rows), "candidates")
    return counts


def _write(
    tables: TrackerTables,
    experiment: int,
    artifacts: str,
    known: Mapping[str, str],
    runs: Sequence[MlflowRun],
) -> tuple[int, int]:
    """Write those runs that are not there as they are to be; how many were new, and changed."""
    written = [run for run in runs if known.get(run.run_id) != run.content]
    former = [run for run in written if run.run_id in known]
    new = [run for run in written if run.run_id not in known]
    _remove(tables, former)
    tables.update("runs", "run_uuid", [_run_row(run, experiment, artifacts) for run in former])
    tables.insert("runs", (_run_row(run, experiment, artifacts) for run in new))
    _insert(tables, written)
    return len(new), len(former)


def _known(tables: TrackerTables, experiment: int) -> dict[str, str]:
    """The content that runs of an experiment were published with; "" of one that was deleted."""
    found = tables.select("runs", ("run_uuid", "lifecycle_stage"), experiment_id=experiment)
    contents = dict(tables.select("tags", ("run_uuid", "value"), key=CONTENT_TAG))
    return {
        run_id: contents.get(run_id, "") if stage == "active" else "" for run_id, stage in found
    }


def _remove(tables: TrackerTables, runs: Sequence[MlflowRun]) -> None:
    ids = [run.run_id for run in runs]
    names = sorted({name for run in runs for name in (*run.tags, "mlflow.runName")})
    for table in ("params", "metrics", "latest_metrics"):
        tables.delete(table, "run_uuid", ids)
    tables.delete("tags", "run_uuid", ids, key=names)


def _insert(tables: TrackerTables, runs: Sequence[MlflowRun]) -> None:
    tables.insert(
        "params",
        (
            {"run_uuid": run.run_id, "key": key, "value": value}
            for run in runs
            for key, value in run.params.items()
        ),
    )
    tables.insert(
        "tags",
        (
            {"run_uuid": run.run_id, "key": key, "value": value}
            for run in runs
            for key, value in {**run.tags, "mlflow.runName": run.name}.items()
        ),
    )
    tables.insert("metrics", (point for run in runs for point in _points(run)))
    tables.insert("latest_metrics", (point for run in runs for point in _last_points(run)))


def _run_row(run: MlflowRun, experiment: int, artifacts: str) -> dict[str, Any]:
    return {
        "run_uuid": run.run_id, "name": run.name, "source_type": "UNKNOWN", "source_name": "",
        "entry_point_name": "", "user_id": "", "status": run.status, "start_time": run.moment,
        "end_time": run.moment, "deleted_time": None, "source_version": "",
        "lifecycle_stage": "active", "experiment_id": experiment,
        "artifact_uri": f"{artifacts.rstrip('/')}/{run.run_id}/artifacts",
    }  # fmt: skip


def _points(run: MlflowRun) -> Iterator[dict[str, Any]]:
    for key, value, step in run.metrics:
        yield {
            "run_uuid": run.run_id, "key": key, "value": value, "timestamp": run.moment,
            "step": step, "is_nan": False,
        }  # fmt: skip


def _last_points(run: MlflowRun) -> Iterator[dict[str, Any]]:
    """The last point of each metric, which MLflow's tables show."""
    return iter({point["key"]: point for point in _points(run)}.values())
