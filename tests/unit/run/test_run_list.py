"""The list of run folders: what it finds, what it says of each, and that it touches nothing."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from benchmarks.parts.made_runs import made_run
from manyheads import list_runs
from manyheads.cli.main import main
from manyheads.errors import RunError
from manyheads.run.fit import image_options
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.pipeline import Finished
from manyheads.run.run_list import RunList, verdict_words
from manyheads.study.folder import RunFolder
from manyheads.study.results import results_columns
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_document import Resolved, read_toml, study_document, to_toml
from manyheads.study.study_settings import StudySettings
from manyheads.study.table_writing import write_table
from tests.shortcuts import SIDE, quadrant_images
from tests.studies import free_backbone

GOLDEN = Path(__file__).parents[2] / "golden"
MOMENTS = count(1_700_000_000)


def copied(run: Path, to: Path) -> RunFolder:
    """A copy of a run folder, newer than those before it."""
    folder = RunFolder(shutil.copytree(run, to))
    moment = next(MOMENTS)
    os.utime(folder.results, (moment, moment))
    return folder


def begun(path: Path, small: Finished, **changes: object) -> RunFolder:
    """A study that was begun in the folder `path`, with no trial trained."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    settings = replace(small.settings, **changes)
    document = read_toml(small.folder.settings)
    document |= {name: part for name, part in _settings(settings).items() if name != "resolved"}
    folder.settings.write_text(to_toml(document), "utf-8")
    with Store(folder.store) as store:
        store.prepare(settings.trials())
    return folder


def _settings(settings: StudySettings) -> dict[str, object]:
    resolved = Resolved(content="", weights="", weights_source="", classes=("a",), versions={})
    return study_document(settings, resolved)


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_finished_study_is_a_row_with_its_best_candidate(
    tmp_path: Path, small_study: Finished
) -> None:
    copied(small_study.folder.path, tmp_path / "runs" / "lesson" / "3-droprate")
    before = files_of(tmp_path)
    (run,) = list_runs(tmp_path).entries
    assert files_of(tmp_path) == before  # nothing was written, not even by SQLite
    result, best = small_study.result, small_study.result.ranking[0]
    assert run.run == str(tmp_path / "runs" / "lesson" / "3-droprate")
    assert run.date.startswith("2023-11-1")
    assert (run.kind, run.data, run.state) == ("study", "images", "done")
    assert (run.candidates, run.seeds, run.done, run.trials) == (2, 1, 2, 2)
    assert run.best == f"droprate {result.hyperparameters(best.candidate).droprate:g}"
    assert (run.metric, run.deviation) == ("peak_val_accuracy", None)
    assert run.score == pytest.approx(best.measures["peak_val_accuracy"].mean)
    assert run.verdict == "undecided with one seed"


def test_runs_are_listed_newest_first_and_those_begun_say_how_far_they_are(
    tmp_path: Path, small_study: Finished
) -> None:
    copied(small_study.folder.path, tmp_path / "old")
    copied(small_study.folder.path, tmp_path / "new")
    with Store(begun(tmp_path / "begun", small_study, seeds=3).store) as store:
        store.finish(1, "failed", 0, "diverged", [])
        store.finish(2, "failed", 0, "diverged", [])
        found = list_runs(tmp_path)  # while another process has it open
    assert [Path(each.run).name for each in found.entries] == ["begun", "new", "old"]
    first = found.entries[0]
    assert (first.state, first.best, first.verdict, first.score) == ("2 of 6 trials", "", "", None)
    assert str(found).splitlines()[0].endswith("begun: images, 2 candidates; 2 of 6 trials.")
    frame = found.to_frame()
    assert list(frame["candidates"]) == [2, 2, 2]


def test_an_earlier_studys_folder_is_listed_and_stays_as_it_was(tmp_path: Path) -> None:
    folder = copied(GOLDEN / "run", tmp_path / "run")
    before = folder.store.read_bytes()
    (run,) = list_runs(tmp_path / "run").entries
    assert (run.data, run.state, run.best) == ("labels.csv", "done", "droprate 0, mixup 0")
    assert run.deviation == pytest.approx(0.0833, abs=1e-3)
    assert run.verdict == "not compared"
    assert folder.store.read_bytes() == before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("study.toml", b"= 3"),
        ("study.toml", b"\xff\xfe"),
        ("study.toml", b"[study]\ndata = 3"),
        ("study.sqlite", b"no database, but long enough to be taken for one" * 9),
        ("results.csv", b""),
        ("results.csv", b"rank,candidate\n1,9\n"),
        ("results.csv", b"rank,candidate\n\n"),
        ("comparisons.csv", b"metric\naccuracy\n"),
        ("comparisons.csv", b"\x00\xff\n"),
    ],
)
def test_a_damaged_folder_is_a_row_that_says_so(
    tmp_path: Path, small_study: Finished, capsys, file: str, content: bytes
) -> None:
    folder = copied(small_study.folder.path, tmp_path / "run")
    document = read_toml(folder.settings)
    document["study"]["seeds"] = 2  # one seed has no verdict to read
    folder.settings.write_text(to_toml(document), "utf-8")
    with Store(folder.store) as store:
        store.prepare(replace(small_study.settings, seeds=2).trials())
        for trial in range(1, 5):
            store.finish(trial, "failed", 0, "", [])
    (folder.path / file).write_bytes(content)
    (run,) = list_runs(tmp_path).entries
    assert run.state == "unreadable"
    assert run.problem
    assert main(["runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"{folder.path}: {run.problem}" in shown


@pytest.mark.parametrize(
    ("rule", "metric", "words"),
    [
        ("last", "chosen_val_accuracy", "val_accuracy 0."),
        ("best_loss", "min_val_loss", "val_loss "),
        ("last_balanced_accuracy", "chosen_val_balanced_accuracy", "val_balanced_accuracy 0."),
        ("best_macro_f1", "chosen_val_macro_f1", "val_macro_f1 0."),
    ],
)
def test_the_score_is_that_which_selects(
    tmp_path: Path, rule: str, metric: str, words: str
) -> None:
    folder = made_run(tmp_path / "run", select=rule)
    (run,) = list_runs(tmp_path).entries
    assert run.metric == metric
    assert run.score_words.startswith(words)
    with folder.results.open(encoding="utf-8") as file:
        best = next(row for row in csv.DictReader(file) if row["rank"] == "1")
    assert run.score == float(best[f"{metric}_mean"])


def test_scores_of_several_names_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_run(tmp_path / "one")
    assert main(["runs", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "accuracy" in told
    assert "val_accuracy" not in told
    made_run(tmp_path / "two", select="last_macro_f1")
    assert main(["runs", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "score" in told
    assert "val_accuracy 0." in told
    assert "val_macro_f1 0." in told
    assert main(["runs", str(tmp_path / "two")]) == 0
    told = capsys.readouterr().out
    assert "macro_f1" in told.splitlines()[1]
    assert "val_macro_f1" not in told


def test_a_fit_is_one_row_with_the_accuracy_to_expect(
    tmp_path: Path, small_study: Finished, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del own_cache  # it is there
    grid = Grid((0.01,), (4,), (0.0, 0.5), augmented_copies=(0, 1), epochs=(9,))
    monkeypatch.setattr(image_options, "search_grid", lambda _: grid)
    data = quadrant_images(tmp_path / "photos", 10, 3)
    with free_backbone(monkeypatch):
        found = run_fit(
            FitSettings(data=str(data), backbone="xception", size=SIDE, heads=2), tmp_path / "fit"
        )
    begun(tmp_path / "other" / "search" / "150px-1", small_study)
    begun(tmp_path / "other" / "search" / "224px-1", small_study)
    finished, other = sorted(list_runs(tmp_path).entries, key=lambda each: each.state != "done")
    assert (finished.kind, finished.best) == ("fit", found.tried[0].words)
    assert finished.score == found.expected.measured.accuracy.value
    assert finished.verdict.endswith(" on new images")
    assert (other.kind, other.state, other.candidates) == ("fit", "0 of 4 trials", 4)


def test_what_is_not_looked_into(tmp_path: Path, small_study: Finished) -> None:
    begun(tmp_path / ".hidden" / "run", small_study)
    begun(tmp_path / "a" / "b" / "c" / "d" / "e", small_study)
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    assert list_runs(tmp_path).entries == ()
    assert str(list_runs(tmp_path)) == f"No run folder in {tmp_path}."
    assert len(list_runs(tmp_path / "a").entries) == 1
    assert len(list_runs(tmp_path / ".hidden" / "run").entries) == 1  # itself
    with pytest.raises(RunError, match="no such folder"):
        list_runs(tmp_path / "none")


def test_ten_thousand_trials_take_well_under_a_second(
    tmp_path: Path, small_study: Finished
) -> None:
    grid = Grid((0.001, 0.01), tuple(range(1, 51)), tuple(n / 10 for n in range(10)))
    folder = begun(tmp_path / "run", small_study, grid=grid, seeds=10)
    with Store(folder.store) as store:
        store._db.execute("UPDATE trials SET state = 'done'")
    columns = results_columns(grid)
    rank = columns.index("rank")
    rows = [[0.5] * len(columns) for _ in grid]
    for number, row in enumerate(rows, start=1):
        row[rank], row[columns.index("candidate")] = 1001 - number, number
    write_table(folder.results, columns, rows)
    before = time.perf_counter()
    (run,) = list_runs(tmp_path).entries
    assert time.perf_counter() - before < 0.5
    assert (run.trials, run.state) == (10_000, "done")
    assert run.best == "learning_rate 0.01, size_inner 50, droprate 0.9"


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ("b", "better than the other"),
        ("bbb", "better than all 3 others"),
        ("bue", "better than 1 of 3 others"),
        ("bw", "worse than 1 of 2 others"),
        ("ee", "equivalent to all 2 others"),
        ("eu", "no significant difference"),
    ],
)
def test_the_verdict_is_of_the_best_candidate(outcomes: str, words: str) -> None:
    names = {"b": "better", "w": "worse", "e": "equivalent", "u": "undecided"}
    assert verdict_words([names[each] for each in outcomes]) == words


@pytest.mark.parametrize(
    ("outcome", "second", "words"),
    [("better", "2", "better than the other"), ("worse", "1", "better than the other")],
)
def test_a_comparison_is_read_from_either_side(
    tmp_path: Path, outcome: str, second: str, words: str
) -> None:
    folder = copied(GOLDEN / "run", tmp_path / "run")
    first = "1" if second == "2" else "2"
    row = ("accuracy", first, second, outcome)
    columns = ("metric", "first_candidate", "second_candidate", "outcome")
    write_table(folder.comparisons, columns, [row, ("log_loss", first, second, "undecided")])
    assert list_runs(tmp_path).entries[0].verdict == words


def test_the_command_prints_a_table_or_json(tmp_path: Path, small_study, capsys) -> None:
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"No run folder in {tmp_path}.\n"
    copied(small_study.folder.path, tmp_path / "a")
    assert main(["runs", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "2 × 1" in out
    assert "undecided" in out
    assert main(["runs", str(tmp_path), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["runs"]
    (run,) = list_runs(tmp_path).entries
    assert isinstance(list_runs(tmp_path), RunList)
    assert told == vars(run) | {"state": "done"}
