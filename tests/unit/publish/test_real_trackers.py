"""Publishing to the real programs, where they are installed, read back by their own readers."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.parts.made_runs import made_run
from manyheads.core.job import Job
from manyheads.errors import Interrupted, TrackerError
from manyheads.publish import mlflow_tables, to_optuna
from manyheads.publish.publication import Publication
from manyheads.publish.publishing import publish_run
from manyheads.publish.read_publication import read_publication
from manyheads.publish.tracker_tables import tracker_tables
from manyheads.study.folder import RunFolder
from manyheads.study.store import Store

pytestmark = [pytest.mark.programs, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no tracker in the environment."""
    for name in ("MLFLOW_TRACKING_URI", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def mixed(run: RunFolder) -> RunFolder:
    """A study with a candidate that failed and one that was pruned."""
    with Store(run.store) as store:
        for record in store.trials(candidate=1):
            store.finish(record.trial.number, "failed", 0, "diverged", [])
        store.prune([2], "pruned")
    return run


def grown(run: RunFolder) -> RunFolder:
    """The same study with more seeds, in the same folder."""
    for file in (run.store, run.settings, run.results):
        file.unlink()
    return made_run(run.path, seeds=5)


def test_mlflow_reads_back_what_was_published(mixed: RunFolder) -> None:
    mlflow = pytest.importorskip("mlflow")
    published = read_publication(mixed)
    found = publish_run(mixed.path, "mlflow")
    assert (found.counts.new, found.counts.files) == (4, 3)
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")
    experiment = client.get_experiment_by_name("photos")
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    rows = {run.data.tags["manyheads.row"]: run for run in runs}
    assert len(rows) == 5
    assert Counter(run.info.status for run in runs) == {"FINISHED": 3, "KILLED": 1, "FAILED": 1}
    best = published.rows[0]
    run = rows[best.key]
    assert run.info.run_name == best.name
    assert run.data.params == {name: str(value) for name, value in best.parameters.items()}
    assert {n: v for n, v in run.data.metrics.items() if "/" not in n} == best.metrics
    history = client.get_metric_history(run.info.run_id, "curves/val_loss")
    assert [(m.step, m.value) for m in history] == [*enumerate(best.curves["curves/val_loss"], 1)]
    whole = rows["study"]
    assert run.data.tags["mlflow.parentRunId"] == whole.info.run_id
    files = {each.path for each in client.list_artifacts(whole.info.run_id)}
    assert files == {"report.html", "study.toml", "results.csv"}
    found = client.search_runs([experiment.experiment_id], "metrics.accuracy > 0.2")
    assert len(found) == 3


def test_mlflow_is_brought_up_to_date_and_never_doubled(run: RunFolder) -> None:
    mlflow = pytest.importorskip("mlflow")
    publish_run(run.path, "mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")
    key = read_publication(run).rows[0].key
    (noted,) = client.search_runs(["1"], f"tags.`manyheads.row` = '{key}'")
    client.set_tag(noted.info.run_id, "mine", "keep")
    again = publish_run(run.path, "mlflow").counts
    assert (again.new, again.changed, again.unchanged) == (0, 0, 4)
    changed = publish_run(grown(run).path, "mlflow").counts
    assert (changed.new, changed.changed, changed.unchanged) == (0, 4, 0)
    runs = client.search_runs(["1"])
    assert len(runs) == 5
    same = client.get_run(noted.info.run_id)
    assert same.data.tags["mine"] == "keep"
    assert same.data.metrics["trials"] == 5
    assert len(client.get_metric_history(noted.info.run_id, "curves/loss")) == 5
    client.delete_run(noted.info.run_id)
    assert publish_run(run.path, "mlflow").counts.changed == 1
    assert client.get_run(noted.info.run_id).info.lifecycle_stage == "active"


def test_mlflow_with_other_tables_is_told_by_its_calls(run: RunFolder, monkeypatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setattr(mlflow_tables, "_NEEDED", {"runs": ("no_such_column",)})
    assert publish_run(run.path, "mlflow").counts.new == 4
    assert publish_run(run.path, "mlflow").counts.unchanged == 4
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")
    assert len(client.search_runs(["1"])) == 5


def test_a_stop_leaves_a_database_as_it_was(run: RunFolder, monkeypatch) -> None:
    pytest.importorskip("mlflow")
    publish_run(run.path, "mlflow")
    before = _rows("mlflow.db", "metrics")
    monkeypatch.setattr(mlflow_tables, "_AT_ONCE", 2)
    job = Job()
    stop = job.heard_by(lambda event: job.stop() if getattr(event, "done", 0) == 2 else None)
    with pytest.raises(Interrupted):
        publish_run(grown(run).path, "mlflow", job=stop)
    assert _rows("mlflow.db", "metrics") == before


def test_a_database_of_mlflow_that_is_none_is_one_line(run: RunFolder, here: Path) -> None:
    pytest.importorskip("mlflow")
    (here / "mlflow.db").write_text("no database at all, but a text that is long enough" * 40)
    with pytest.raises(TrackerError) as caught:
        publish_run(run.path, "mlflow")
    assert "\n" not in str(caught.value)


def test_optuna_reads_back_what_was_published(mixed: RunFolder) -> None:
    optuna = pytest.importorskip("optuna")
    published = read_publication(mixed)
    assert publish_run(mixed.path, "optuna").counts.new == 4
    study = optuna.load_study(study_name=published.label, storage="sqlite:///optuna.db")
    _same_as(study, published)
    assert Counter(t.state.name for t in study.trials) == {"COMPLETE": 2, "PRUNED": 1, "FAIL": 1}
    assert study.user_attrs["backbone"] == "xception"
    assert list(study.best_trial.distributions) == ["droprate"]
    again = publish_run(mixed.path, "optuna").counts
    assert (again.unchanged, len(study.trials)) == (4, 4)


def test_optuna_is_brought_up_to_date_and_never_doubled(run: RunFolder) -> None:
    optuna = pytest.importorskip("optuna")
    publish_run(run.path, "optuna")
    publish_run(made_run(run.path.with_name("others"), 6).path, "optuna")
    counts = publish_run(grown(run).path, "optuna").counts
    assert (counts.new, counts.changed) == (0, 4)
    published = read_publication(run)
    study = optuna.load_study(study_name=published.label, storage="sqlite:///optuna.db")
    _same_as(study, published)
    assert len(optuna.get_all_study_names("sqlite:///optuna.db")) == 2
    assert _rows("optuna.db", "trials") == 10


def test_optuna_with_other_tables_is_told_by_its_calls(run: RunFolder, monkeypatch) -> None:
    optuna = pytest.importorskip("optuna")
    monkeypatch.setattr(to_optuna, "_NEEDED", {"trials": ("no_such_column",)})
    published = read_publication(run)
    publish_run(run.path, "optuna")
    study = optuna.load_study(study_name=published.label, storage="sqlite:///optuna.db")
    _same_as(study, published)
    with pytest.raises(TrackerError, match="publish to a new storage"):
        publish_run(grown(run).path, "optuna")


def _same_as(study: Any, published: Publication) -> None:
    """The trials of an Optuna study are the rows of a publication."""
    assert study.direction.name == "MAXIMIZE"
    rows = {row.number: row for row in published.rows}
    assert [trial.number for trial in study.trials] == [*range(len(rows))]
    for trial in study.trials:
        row = rows[trial.user_attrs["candidate"]]
        assert trial.params == {"droprate": row.parameters["droprate"]}
        assert trial.value == row.metrics.get("accuracy")
        curve = row.curves.get("curves/val_accuracy", ())
        assert trial.intermediate_values == pytest.approx(dict(enumerate(curve, 1)))
    assert study.best_value == max(row.metrics.get("accuracy", 0) for row in published.rows)


def test_tensorboard_reads_back_what_was_published(mixed: RunFolder, here: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_accumulator  # pyright: ignore
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2  # pyright: ignore

    published = read_publication(mixed)
    assert publish_run(mixed.path, "tensorboard").counts.new == 4
    root = here / "tensorboard" / published.label
    best = published.rows[0]
    read = event_accumulator.EventAccumulator(str(root / best.key), size_guidance={"scalars": 0})
    read.Reload()
    assert read.Scalars("accuracy")[0].value == pytest.approx(best.metrics["accuracy"])
    points = [(p.step, p.value) for p in read.Scalars("curves/loss")]
    assert points == [
        (step, pytest.approx(value)) for step, value in enumerate(best.curves["curves/loss"], 1)
    ]
    content = read.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert start.hparams["droprate"].number_value == best.parameters["droprate"]
    again = publish_run(mixed.path, "tensorboard").counts
    assert (again.new, again.changed, again.unchanged) == (0, 0, 4)
    whole = event_accumulator.EventAccumulator(str(root))
    whole.Reload()
    assert metadata.EXPERIMENT_TAG in whole.PluginTagToContent("hparams")


def test_tensorboard_loses_rows_that_a_study_has_no_longer(run: RunFolder, here: Path) -> None:
    pytest.importorskip("tensorboard")
    publish_run(run.path, "tensorboard")
    (root,) = (here / "tensorboard").iterdir()
    stranger = root / "candidate-77"
    stranger.mkdir()
    (stranger / "events.out.tfevents.0000000000.manyheads").write_bytes(b"")
    (root / "candidate-78").mkdir()
    (root / "candidate-78" / "notes.txt").write_text("mine")
    publish_run(run.path, "tensorboard")
    assert not stranger.exists()
    assert (root / "candidate-78" / "notes.txt").is_file()


def test_wandb_offline_keeps_one_folder_for_each_run(run: RunFolder, here: Path) -> None:
    pytest.importorskip("wandb")
    assert publish_run(run.path, "wandb").counts.new == 4
    assert publish_run(run.path, "wandb").counts.unchanged == 4
    folders = [*(here / "wandb").glob("offline-run-*")]
    assert len(folders) == 5
    assert all(any(folder.glob("run-*.wandb")) for folder in folders)


def test_trackio_reads_back_what_was_published(run: RunFolder, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    published = read_publication(run)
    project = f"photos-{tmp_path.name}"  # its folder is the same for all tests of a process
    assert publish_run(run.path, "trackio", project=project).counts.new == 4
    assert publish_run(run.path, "trackio", project=project).counts.unchanged == 4
    from trackio.sqlite_storage import SQLiteStorage  # pyright: ignore

    names = SQLiteStorage.get_runs(project)
    assert len(names) == 5
    best = published.rows[0]
    (name,) = (name for name in names if best.key in name)
    logs = SQLiteStorage.get_logs(project, name)
    assert logs[0]["accuracy"] == best.metrics["accuracy"]
    assert [log["curves/loss"] for log in logs[1:]] == pytest.approx(best.curves["curves/loss"])


def test_tables_are_taken_as_they_are_or_not_at_all(here: Path) -> None:
    pytest.importorskip("sqlalchemy")
    with sqlite3.connect(here / "some.db") as database:
        database.execute(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT, must TEXT NOT NULL)"
        )
    uri = f"sqlite:///{here / 'some.db'}"
    for needed, is_known in (
        ({"runs": ("name", "must")}, True),
        ({"runs": ("name",)}, False),  # a column that is needed there
        ({"runs": ("name", "must", "other")}, False),
        ({"others": ("name",)}, False),
    ):
        with tracker_tables(uri, needed) as tables:
            assert (tables is not None) == is_known
    with tracker_tables(uri, {"runs": ("name", "must")}) as tables:
        assert tables is not None
        assert tables.greatest("runs", "id") == 0
        tables.insert("runs", ({"name": f"{n}", "must": "x"} for n in range(12_000)))
        tables.delete("runs", "name", [f"{n}" for n in range(1, 12_000)])
        tables.update("runs", "name", [{"name": "0", "must": "y"}])
        assert tables.select("runs", ("name", "must")) == [("0", "y")]


def _rows(file: str, table: str) -> int:
    with sqlite3.connect(file) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
