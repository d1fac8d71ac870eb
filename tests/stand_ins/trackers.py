"""Stand-ins for the trackers' packages: the few calls that publishing makes, kept in memory.

They let the mapping be tested where the real ones are not installed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: Any) -> ModuleType:
    """Make `import name` give a module with these contents."""
    made = ModuleType(name)
    made.__dict__.update(contents)
    monkeypatch.setitem(sys.modules, name, made)
    return made


@dataclass
class MlflowServer:
    """MLflow's client, and the server that it talks to."""

    experiments: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    files: list[tuple[str, str]] = field(default_factory=list)
    calls: int = 0
    fails: Exception | None = None

    def get_experiment_by_name(self, name: str) -> Any:
        if self.fails:
            raise self.fails
        return self.experiments.get(name)

    def create_experiment(self, name: str, artifact_location: Any, tags: Any) -> str:
        self.experiments[name] = SimpleNamespace(
            experiment_id="1", lifecycle_stage="active", artifact_location=artifact_location,
            tags=tags,
        )  # fmt: skip
        return name

    def get_experiment(self, name: str) -> Any:
        return self.experiments[name]

    def search_runs(self, _experiments: Any, _query: str, max_results: int, page_token: Any):
        start = int(page_token or 0)
        every = [run for run in self.runs.values() if run.status != "deleted"]
        page = Page(every[start : start + max_results])
        page.token = str(start + max_results) if start + max_results < len(every) else None
        return page

    def create_run(self, _experiment: str, start_time: int, run_name: str, tags: Any) -> Any:
        self.calls += 1
        run = SimpleNamespace(
            info=SimpleNamespace(run_id=f"run{len(self.runs)}", start=start_time), name=run_name,
            data=SimpleNamespace(tags=dict(tags), params={}, metrics=[]), status="RUNNING",
        )  # fmt: skip
        self.runs[run.info.run_id] = run
        return run

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        assert len(metrics) <= 1000
        data = self.runs[run_id].data
        data.metrics += metrics
        data.params |= dict(params)
        data.tags |= dict(tags)

    def set_terminated(self, run_id: str, status: str, _moment: int) -> None:
        self.runs[run_id].status = status

    def delete_run(self, run_id: str) -> None:
        self.runs[run_id].status = "deleted"

    def log_artifact(self, run_id: str, file: str) -> None:
        self.files.append((run_id, Path(file).name))


class Page(list[Any]):
    """A page of runs, and where the next one begins."""

    token: str | None = None


def stand_in_mlflow(monkeypatch: pytest.MonkeyPatch) -> MlflowServer:
    """MLflow, with a server in memory."""
    server = MlflowServer()
    module(monkeypatch, "mlflow")
    module(monkeypatch, "sqlalchemy")
    module(monkeypatch, "mlflow.tracking", MlflowClient=lambda **_: server)
    module(
        monkeypatch, "mlflow.entities", Param=lambda *p: p, RunTag=lambda *t: t,
        Metric=lambda *m: m,
    )  # fmt: skip
    return server


class WandbRun:
    """A run of W&B's."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given, self.points, self.summary = given, list[tuple[Any, Any]](), dict[str, Any]()
        self.files: list[str] = []
        self.exit_code: int | None = None
        self.resumed = False

    def log(self, point: Any, step: int | None = None) -> None:
        self.points.append((step, point))

    def log_artifact(self, artifact: Any) -> None:
        self.files += artifact.files

    def finish(self, exit_code: int = 0) -> None:
        self.exit_code = exit_code
        if self.given["resume"] is None:  # offline, a folder appears
            run_id = self.given["id"]
            folder = Path(self.given["dir"]) / "wandb" / f"offline-run-20260101_000000-{run_id}"
            folder.mkdir()


class WandbArtifact:
    """A set of files."""

    def __init__(self, name: str, type: str) -> None:
        self.name, self.type, self.files = name, type, list[str]()

    def add_file(self, file: str) -> None:
        self.files.append(Path(file).name)


def stand_in_wandb(monkeypatch: pytest.MonkeyPatch) -> list[WandbRun]:
    """W&B, and the runs that it was given."""
    runs: list[WandbRun] = []

    def init(**given: Any) -> WandbRun:
        runs.append(WandbRun(given))
        return runs[-1]

    module(
        monkeypatch, "wandb", init=init, Artifact=WandbArtifact,
        Settings=lambda **given: given, Table=lambda **given: given,
    )  # fmt: skip
    return runs


@dataclass
class TrackioStorage:
    """Trackio's storage of runs, of which it keeps the last that it was given."""

    configs: dict[str, Any] = field(default_factory=dict)
    points: dict[str, list[Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def validate_project_name(self, project: str) -> None:
        assert project.replace("-", "").replace("_", "").isalnum()

    def get_all_run_configs(self, _project: str) -> dict[str, Any]:
        return dict(self.configs)

    def delete_run(self, _project: str, _name: str, run_id: str) -> None:
        del self.configs[run_id], self.points[run_id]

    def bulk_log(
        self, _project: str, name: str, points: Any, steps: Any, times: Any, *, config: Any,
        log_ids: Any, run_id: str,
    ) -> None:  # fmt: skip
        assert len(points) == len(steps) == len(times) == len(set(log_ids))
        self.names[run_id] = name
        self.configs[run_id] = config
        self.points.setdefault(run_id, []).extend(points)


def stand_in_trackio(monkeypatch: pytest.MonkeyPatch, media: Path) -> TrackioStorage:
    """Trackio, with a storage in memory and its files in `media`."""
    storage = TrackioStorage()

    def place(_project: str, relative_path: str) -> Path:
        (media / relative_path).mkdir(parents=True, exist_ok=True)
        return media / relative_path

    table = type("Table", (), {
        "__init__": lambda self, **given: vars(self).update(given),
        "_to_dict": lambda self, *_: {"_value": self.data},
    })  # fmt: skip
    module(monkeypatch, "trackio", Table=table)
    module(monkeypatch, "trackio.sqlite_storage", SQLiteStorage=storage)
    module(monkeypatch, "trackio.utils")
    module(monkeypatch, "trackio.media")
    module(monkeypatch, "trackio.media.utils", get_project_media_path=place)
    return storage
