"""What each tracker is told, by stand-ins of their packages: the mapping, and that none doubles."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.parts.made_runs import made_run
from manyheads.core.job import Job
from manyheads.errors import (
    Interrupted,
    MissingExtraError,
    RunError,
    SettingError,
    TrackerError,
)
from manyheads.publish import to_trackio, to_wandb
from manyheads.publish.publishing import publish_run
from manyheads.publish.read_publication import read_publication
from manyheads.publish.trackers import TRACKERS, environment, tracker_named
from manyheads.study.folder import RunFolder
from manyheads.study.store import Store
from tests.stand_ins.trackers import module, stand_in_mlflow, stand_in_trackio, stand_in_wandb

SERVER = "http://tracker:5000"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no tracker in the environment."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def grown(run: RunFolder) -> RunFolder:
    """The same study with more seeds, in the same folder."""
    for file in (run.store, run.settings, run.results):
        file.unlink()
    return made_run(run.path, seeds=5)


def test_mlflow_has_a_run_for_the_study_and_one_for_each_candidate(run, monkeypatch) -> None:
    server = stand_in_mlflow(monkeypatch)
    found = publish_run(run.path, "mlflow", address=SERVER)
    assert (found.counts.new, found.counts.files, found.curves) == (4, 3, 4)
    whole, *rows = server.runs.values()
    assert [row.status for row in rows] == ["FINISHED"] * 4
    assert {row.data.tags["mlflow.parentRunId"] for row in rows} == {whole.info.run_id}
    best = next(row for row in rows if ("rank", 1.0) in [m[:2] for m in row.data.metrics])
    published = read_publication(run)
    first = published.rows[0]
    assert best.name == first.name
    assert best.data.params == {name: str(value) for name, value in first.parameters.items()}
    metrics = {(name, step): value for name, value, _, step in best.data.metrics}
    assert metrics["accuracy", 0] == first.metrics["accuracy"]
    assert metrics["curves/val_loss", 5] == first.curves["curves/val_loss"][-1]
    assert whole.data.params["droprate"] == "0.0 0.225 0.45 0.675"
    assert whole.data.tags["manyheads.data"] == "photos"
    assert whole.data.tags["mlflow.note.content"] == published.text
    assert {name for _, name in server.files} == {"report.html", "study.toml", "results.csv"}
    assert list(server.experiments) == ["photos"]
    assert found.opened_by == SERVER
    assert "4 rows (4 new), 4 learning curves and 3 files" in str(found)


def test_mlflow_is_brought_up_to_date_and_never_doubled(run, monkeypatch) -> None:
    server = stand_in_mlflow(monkeypatch)
    publish_run(run.path, "mlflow", address=SERVER, files=False)
    again = publish_run(run.path, "mlflow", address=SERVER, files=False).counts
    assert (again.new, again.changed, again.unchanged, server.calls) == (0, 0, 4, 5)
    changed = publish_run(grown(run).path, "mlflow", address=SERVER, files=False).counts
    assert (changed.new, changed.changed, changed.unchanged) == (0, 4, 0)
    alive = [each for each in server.runs.values() if each.status != "deleted"]
    assert len(alive) == 5
    assert not server.files


def test_more_runs_than_a_page_of_mlflow_are_found_again(run, monkeypatch) -> None:
    from manyheads.publish import to_mlflow

    monkeypatch.setattr(to_mlflow, "_PAGE", 2)
    stand_in_mlflow(monkeypatch)
    publish_run(run.path, "mlflow", address=SERVER)
    assert publish_run(run.path, "mlflow", address=SERVER).counts.unchanged == 4


def test_wandb_has_runs_of_the_best_and_a_table_of_all(run, here, monkeypatch) -> None:
    monkeypatch.setattr(to_wandb, "RUNS", 3)
    monkeypatch.setattr("manyheads.publish.study_table.RUNS", 3)
    runs = stand_in_wandb(monkeypatch)
    found = publish_run(run.path, "wandb", project="a b/c")
    assert len(runs) == 4
    *rows, whole = runs
    assert {each.given["project"] for each in runs} == {"a-b-c"}
    assert [row.summary["rank"] for row in rows] == [1, 2, 3]
    assert [step for step, _ in rows[0].points] == [1, 2, 3, 4, 5]
    table = whole.points[0][1]["candidates"]
    assert len(table["data"]) == 4
    assert table["columns"][:2] == ["candidate", "state"]
    assert whole.files == ["report.html", "study.toml", "results.csv"]
    assert "runs of the best 3 rows" in str(found)
    assert os.environ.get("WANDB_MODE") is None
    counts = publish_run(run.path, "wandb", project="a b/c").counts
    assert (counts.unchanged, len(runs)) == (4, 4)
    counts = publish_run(grown(run).path, "wandb", project="a b/c").counts
    assert (counts.new + counts.changed, len(runs)) == (4, 8)
    assert len([*(here / "wandb").glob("offline-run-*")]) == 4


def test_a_damaged_record_of_wandb_runs_is_made_anew(run, here, monkeypatch) -> None:
    runs = stand_in_wandb(monkeypatch)
    publish_run(run.path, "wandb")
    (here / "wandb" / "manyheads.json").write_text("{")
    assert publish_run(run.path, "wandb").counts.changed == 4
    assert len(runs) == 10


def test_a_server_of_wandb_is_told_where_it_is(run, monkeypatch) -> None:
    seen = dict[str, str]()
    runs = stand_in_wandb(monkeypatch)
    init = sys.modules["wandb"].init

    def watched(**given: object):
        seen.update(os.environ)
        return init(**given)

    monkeypatch.setattr(sys.modules["wandb"], "init", watched)
    found = publish_run(run.path, "wandb", address="https://wandb.example")
    assert (seen["WANDB_MODE"], seen["WANDB_BASE_URL"]) == ("online", "https://wandb.example")
    assert runs[0].given["resume"] == "allow"
    assert found.place == "https://wandb.example"


def test_trackio_has_runs_a_table_and_files(run, here, monkeypatch) -> None:
    storage = stand_in_trackio(monkeypatch, here / "media")
    found = publish_run(run.path, "trackio", address="kept")
    label = read_publication(run).label
    assert len(storage.points) == 5
    rows = [points for points in storage.points.values() if len(points) == 6]
    assert len(rows) == 4
    (whole,) = (points for points in storage.points.values() if len(points) == 1)
    assert len(whole[0]["candidates_table"]["_value"]) == 4
    assert {config["_Group"] for config in storage.configs.values()} == {label}
    assert (here / "media" / label / "report.html").is_file()
    assert "trackio show --project photos" in found.opened_by
    counts = publish_run(run.path, "trackio", address="kept").counts
    assert (counts.new, counts.unchanged) == (0, 4)
    counts = publish_run(grown(run).path, "trackio", address="kept").counts
    assert (counts.changed, len(storage.points)) == (4, 5)
    assert sum(map(len, storage.points.values())) == 4 * 6 + 1


def test_trackio_that_was_imported_with_another_folder_is_refused(monkeypatch) -> None:
    module(monkeypatch, "trackio")
    module(monkeypatch, "trackio.utils", TRACKIO_DIR="/elsewhere")
    with pytest.raises(SettingError, match="TRACKIO_DIR"):
        to_trackio.tracker("here", None)


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_that_is_not_installed_names_its_extra(name, run, monkeypatch) -> None:
    monkeypatch.setattr("manyheads.publish.trackers.find_spec", lambda _: None)
    for package in TRACKERS[name].packages:
        monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(MissingExtraError, match=rf"pip install 'manyheads\[{name}\]'"):
        publish_run(run.path, name)


@pytest.mark.parametrize(
    ("to", "address", "words"),
    [
        ("neptune", None, "to be one of mlflow, wandb"),
        ("mlflow", "mlruns", "kept no runs since 3.14"),
        ("mlflow", "file:///mlruns", "sqlite:////mlruns/mlflow.db"),
        ("trackio", "https://example.org", "a place on this machine"),
    ],
)
def test_bad_names_and_addresses_are_refused_in_a_line(to, address, words, run, monkeypatch):
    stand_in_mlflow(monkeypatch)
    stand_in_trackio(monkeypatch, Path("media"))
    with pytest.raises(SettingError, match=words) as caught:
        publish_run(run.path, to, address=address)
    assert "\n" not in str(caught.value)


def test_a_failing_tracker_is_one_line_without_secrets(run, monkeypatch) -> None:
    server = stand_in_mlflow(monkeypatch)
    server.fails = ConnectionError("no route\nto https://me:secret@tracker:5000/api")
    with pytest.raises(TrackerError) as caught:
        publish_run(run.path, "mlflow", address="https://me:secret@tracker:5000")
    assert "no route to" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_deleted_experiment_is_named(run, monkeypatch) -> None:
    server = stand_in_mlflow(monkeypatch)
    publish_run(run.path, "mlflow", address=SERVER)
    server.experiments["photos"].lifecycle_stage = "deleted"
    with pytest.raises(TrackerError, match="one that was deleted"):
        publish_run(run.path, "mlflow", address=SERVER)


def test_an_unfinished_study_is_refused_before_a_tracker_is_asked(run, monkeypatch) -> None:
    server = stand_in_mlflow(monkeypatch)
    with Store(run.store) as store:
        store.start(1)
    with pytest.raises(RunError):
        publish_run(run.path, "mlflow", address=SERVER)
    assert not server.experiments


def test_a_stop_is_no_failure_of_the_tracker(run, monkeypatch) -> None:
    stand_in_mlflow(monkeypatch)
    job = Job()
    monkeypatch.setattr(
        "manyheads.publish.publishing.read_publication",
        lambda *_, **__: (job.stop(), read_publication(run))[1],
    )
    with pytest.raises(Interrupted):
        publish_run(run.path, "mlflow", address=SERVER, job=job)


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "1")
    monkeypatch.delenv("TWO", raising=False)
    with environment({"ONE": "x", "TWO": "y"}):
        assert (os.environ["ONE"], os.environ["TWO"]) == ("x", "y")
    assert (os.environ["ONE"], os.environ.get("TWO")) == ("1", None)


def test_the_usual_place_of_mlflow_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_mlflow(monkeypatch)
    assert tracker_named("mlflow").place == "sqlite:///mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:word@host:1")
    assert tracker_named("mlflow").place == "http://…@host:1"
    assert tracker_named("mlflow", "runs.db").place == "sqlite:///runs.db"
