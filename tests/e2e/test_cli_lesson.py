"""`manyheads lesson`: three stages, each taking over the winner of the one before."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Command
from tests.small_study import small_images
from tests.studies import outcome_of, rows_of

OPTIONS = (
    "--learning-rate", "0.001", "0.03", "--size-inner", "0", "3", "9", "--droprate", "0", "0.4",
    "--epochs", 3, "--droprate-epochs", 5, "--seeds", 2, "--image-size", 71,
)  # fmt: skip
STAGES = ("1-learning-rate", "2-size-inner", "3-droprate")
COLUMNS = "stage learning_rate size_inner droprate epochs trials peak_val_accuracy min_val_loss"
COLUMNS += " final_val_loss goes_on"

pytestmark = pytest.mark.usefixtures("free")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return small_images(tmp_path / "photos")


@pytest.mark.when_changed("commands")
def test_the_table_shows_all_stages_and_what_went_on(command: Command, photos: Path) -> None:
    said = command("lesson", photos, *OPTIONS)
    assert said.code == 0, said.err
    out = Path("runs/lesson")
    assert sorted(path.name for path in out.iterdir()) == [*STAGES, "lesson.csv", "report.html"]
    with (out / "lesson.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == COLUMNS.split()
    rows = rows_of(out / "lesson.csv")
    stages = {name: [row for row in rows if row["stage"] == name] for name in STAGES}
    assert [len(stages[name]) for name in STAGES] == [2, 3, 2]
    assert [stages[name][0]["epochs"] for name in STAGES] == ["3", "3", "5"]
    winners = {}
    for name in STAGES:
        (winners[name],) = (row for row in stages[name] if row["goes_on"] == "1")
        assert f"── {name} ──" in said.err
        assert f"{name}, " in said.out
        ranked = sorted(rows_of(out / name / "results.csv"), key=lambda row: int(row["rank"]))
        fit = [row for row in ranked if name != "2-size-inner" or row["size_inner"] != "0"]
        for column in ("learning_rate", "size_inner", "droprate"):
            assert winners[name][column] == fit[0][column]
    assert {row["size_inner"] for row in stages["1-learning-rate"]} == {"0"}
    rate = winners["1-learning-rate"]["learning_rate"]
    assert {row["learning_rate"] for n in STAGES[1:] for row in stages[n]} == {rate}
    size = winners["2-size-inner"]["size_inner"]
    assert size != "0"
    assert {row["size_inner"] for row in stages["3-droprate"]} == {size}
    assert "Report   runs/lesson/report.html\n" in said.out
    assert "runs/lesson/3-droprate/best.keras" in said.out


@pytest.mark.when_changed("commands")
def test_it_resumes_and_is_done_only_once(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from manyheads.errors import Interrupted
    from manyheads.lesson import stages

    run, begun = stages.run_study, []

    def cut(settings, out, **options):
        begun.append(out)
        if len(begun) == 3:
            raise Interrupted("the study", "repeat the same command to resume")
        return run(settings, out, **options)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "run_study", cut)
        said = command("lesson", photos, *OPTIONS, "--out", "cut")
    assert said.code == 130
    assert not Path("cut/lesson.csv").exists()
    assert command("lesson", photos, *OPTIONS, "--out", "cut").code == 0
    whole = command("lesson", photos, *OPTIONS, "--out", "whole")
    assert Path("cut/lesson.csv").read_bytes() == Path("whole/lesson.csv").read_bytes()
    for name in STAGES:
        assert outcome_of(Path("cut") / name) == outcome_of(Path("whole") / name)
    again = command("lesson", photos, *OPTIONS, "--out", "whole")
    assert again.out == whole.out
    assert "training  " not in again.err


@pytest.mark.when_changed("commands")
def test_changed_settings_are_refused(command: Command, photos: Path) -> None:
    assert command("lesson", photos, *OPTIONS).code == 0
    said = command("lesson", photos, *OPTIONS, "--epochs", 4)
    assert said.code == 1
    assert "grid.epochs: 3 → 4" in said.complaint


@pytest.mark.when_changed("commands")
def test_json_has_an_entry_a_stage(command: Command, photos: Path) -> None:
    said = command("lesson", photos, *OPTIONS, "--json")
    assert [Path(stage["run"]).name for stage in json.loads(said.out)] == list(STAGES)


@pytest.mark.when_changed("commands")
def test_the_images_are_prepared_as_in_the_lesson(command: Command, photos: Path) -> None:
    options = [o for o in OPTIONS if o not in ("--image-size", 71)]
    said = command("lesson", photos, *options)
    assert said.code == 0, said.err
    assert "Backbone   xception, 150×150, nearest" in said.err
