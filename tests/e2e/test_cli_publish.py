"""`manyheads publish` and `--publish`: what is printed, and which exit codes there are."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from benchmarks.parts.made_runs import made_run
from manyheads import open_study
from manyheads.errors import TrackerError
from manyheads.publish.publishing import Published
from tests.e2e.conftest import Command, refused
from tests.stand_ins.trackers import MlflowServer, stand_in_mlflow

SERVER = "http://tracker:5000"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> MlflowServer:
    """A stand-in for MLflow and its server, where the environment says that it is."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    return stand_in_mlflow(monkeypatch)


def test_a_study_is_published_and_its_place_is_said(command: Command, server: MlflowServer) -> None:
    made_run(Path("photos"))
    said = command("publish", "photos", "--to", "mlflow", "--project", "mine")
    assert said.code == 0
    first, took, opened = said.out.splitlines()
    assert first.startswith("Published  MLflow has photos-")
    assert first.endswith(f"at {SERVER}: 4 rows (4 new), 4 learning curves and 3 files.")
    assert took.startswith("Took ")
    assert opened == f"Open       {SERVER}"
    assert list(server.experiments) == ["mine"]
    said = command(
        "publish", "photos", "--to", "mlflow", "--project", "mine", "--no-artifacts", "--json"
    )
    found = json.loads(said.out)
    assert (found["rows"], found["new"], found["unchanged"], found["files"]) == (4, 0, 4, 0)
    assert found["place"] == SERVER


def test_python_publishes_alike(server: MlflowServer, tmp_path: Path) -> None:
    made_run(tmp_path / "photos")
    found = open_study(tmp_path / "photos").publish("mlflow", artifacts=False, progress=False)
    assert isinstance(found, Published)
    assert (found.counts.new, len(found.entries), server.files) == (4, 4, [])
    assert str(found).startswith("MLflow has photos-")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["photos", "--to", "neptune"], ["--to to be one of mlflow, wandb"]),
        (["nowhere", "--to", "mlflow"], ["a run folder at nowhere"]),
        (
            ["photos", "--to", "mlflow", "--to-address", "mlruns"],
            ["--to-address", "sqlite:///mlruns"],
        ),
    ],
)
def test_what_cannot_be_published_is_one_line(
    arguments: list[str], words: list[str], command: Command, server: MlflowServer
) -> None:
    made_run(Path("photos"))
    refused(command("publish", *arguments), *words)
    assert not server.runs


def test_a_tracker_that_fails_is_one_line(command: Command, server: MlflowServer) -> None:
    made_run(Path("photos"))
    server.fails = ConnectionError("refused")
    said = command("publish", "photos", "--to", "mlflow")
    assert (said.code, said.out) == (1, "")
    assert "ConnectionError: refused" in said.complaint


@pytest.mark.usefixtures("free")
def test_a_sweep_publishes_at_its_end(sweep, photos: Path, server: MlflowServer) -> None:
    said = sweep(photos, "--publish", "mlflow")
    assert said.code == 0
    assert "Published  MLflow has run-" in said.out
    assert len(server.runs) == 2
    again = sweep(photos, "--publish", "mlflow", "--json")
    assert json.loads(again.out)
    assert "MLflow has run-" in again.err
    assert len(server.runs) == 2


@pytest.mark.when_changed("commands")
@pytest.mark.usefixtures("free")
def test_a_failing_tracker_changes_no_exit_code(sweep, photos: Path, server: MlflowServer) -> None:
    server.fails = TrackerError("a tracker", "none", "start it")
    said = sweep(photos, "--publish", "mlflow")
    assert said.code == 0
    assert Path("run/report.html").is_file()
    assert said.complaint.startswith("manyheads: not published: expected a tracker, found none")
    assert "`manyheads publish run --to mlflow` publishes them" in said.complaint
    command = shlex.split(said.complaint.partition("`manyheads ")[2].partition("`")[0])
    assert command == ["publish", "run", "--to", "mlflow"]


@pytest.mark.usefixtures("free")
def test_a_tracker_that_is_not_there_is_said_before_training(sweep, photos: Path, monkeypatch):
    monkeypatch.setattr("manyheads.publish.trackers.find_spec", lambda _: None)
    refused(sweep(photos, "--publish", "optuna"), "pip install 'manyheads[optuna]'")
    refused(sweep(photos, "--publish-address", "here"), "--publish-address")


@pytest.mark.when_changed("commands")
@pytest.mark.usefixtures("free")
def test_a_fit_publishes_its_options(command: Command, photos: Path, server: MlflowServer) -> None:
    said = command(
        "fit", photos, "--budget", "90s", "--backbone", "mobilenet", "--image-size", "71",
        "--folds", 2, "--heads", 1, "--out", "fitted", "--publish", "mlflow",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "Published  MLflow has fitted-" in said.out
    whole = next(iter(server.runs.values()))
    metrics = {name for name, *_ in whole.data.metrics}
    assert {"expected_accuracy", "expected_accuracy_low", "expected_log_loss"} <= metrics
    assert any(name.startswith("best.") for _, name in server.files)
    before = len(server.runs)
    assert command("publish", "fitted", "--to", "mlflow").code == 0
    assert len(server.runs) == before
