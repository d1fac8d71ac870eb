"""`manyheads sweep` from the command line: what it announces, prints and leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.backbones.weights import Weights
from manyheads.heads.bank import HeadEnd
from manyheads.heads.files import load_head
from manyheads.heads.fused.engine import FusedEngine
from tests.e2e.conftest import Command, Said
from tests.small_study import small_images
from tests.studies import rows_of

GRID = ("--droprate", "0", "0.5", "--size-inner", "0", "4", "--learning-rate", "0.01")
OPTIONS = (*GRID, "--epochs", 3, "--seeds", 2, "--image-size", 71, "--interpolation", "nearest")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return small_images(tmp_path / "photos")


@pytest.mark.when_changed("commands")
def test_a_sweep_says_what_it_will_do_does_it_and_says_what_came_of_it(
    command: Command, free: None, photos: Path
) -> None:
    del free
    said = command("sweep", photos, *OPTIONS)
    assert said.code == 0, said.err
    for line in (
        "Data       photos: 33 images, 3 classes, split folders; train 21, validation 12, test 0\n",
        "Backbone   xception, 71×71, nearest; weights: no weights\n",
        "Grid       learning_rate 0.01; size_inner none 4; droprate 0 0.5 → 3 candidates × 2 seeds"
        " = 6 heads (1 merged: without an inner layer, droprate has no effect)\n",
        "Time       about 0:16: preparing xception, once, 0:12, features of 33 images 0:00, "
        "6 heads × 3 epochs 0:00, then report and model 0:04 (first run: an estimate)\n",
        "extracting  33/33 images",
        "training  6/6 heads",
    ):
        assert line in said.err
    for label in ("Training", "Selection", "Cost", "Disk", "Memory"):
        assert f"{label}  " not in said.err
    run = Path("runs/photos")
    files = {path.name for path in run.iterdir()} - {".lock"}
    expected = "study.toml study.sqlite history.csv results.csv comparisons.csv"
    expected += " heads best.keras curves.png images.npz baselines.npz"
    expected += " report.html MODEL_CARD.md scores.png confusion.png times.json"
    assert files == set(expected.split())
    assert "Scores on the 12 validation images, mean ± standard deviation over 2 seeds" in said.out
    assert said.out.count("← selected") == 1
    for words in ("none", "Model    runs/photos/best.keras", "Figures  runs/photos/curves.png"):
        assert words in said.out
    assert "on the 12 validation images that selected it" in " ".join(said.out.split())
    best = next(row for row in rows_of(run / "results.csv") if row["rank"] == "1")
    (line,) = (line for line in said.out.splitlines() if "← selected" in line)
    assert f"{float(best['final_val_accuracy_mean']):.3f} ± " in line
    assert "logistic regression" in said.out
    again = command("sweep", photos, *OPTIONS, "--verbose")
    assert again.code == 0
    assert again.out == said.out
    for line in (
        "Time       none: features and heads are there already\n",
        "Training   3 epochs, batches of 32, learning rate falling to 0, engine fused\n",
        "Cost       0 backbone passes for 33 images; 0 of 6 heads to train\n",
        "Memory     about ",
    ):
        assert line in again.err
    assert "training  " not in again.err


def test_json_is_all_there_is_on_stdout(command: Command, free: None, photos: Path) -> None:
    del free
    said = command("sweep", photos, *OPTIONS, "--json", "--out", "r")
    document = json.loads(said.out)
    assert document["images"] == {"train": 21, "validation": 12}
    assert document["backbone_passes"] == 33
    assert document["model"] == "r/best.keras"
    assert document["selected_by"] == "last"
    rows = rows_of(Path("r/results.csv"))
    for entry, row in zip(document["candidates"], rows, strict=True):
        assert entry["droprate"] == float(row["droprate"])
        assert entry["min_val_loss"]["mean"] == float(row["min_val_loss_mean"])
        assert entry["min_val_loss"]["std"] == float(row["min_val_loss_std"])
    (best,) = (int(row["candidate"]) for row in rows if row["rank"] == "1")
    assert document["best"] == document["recommendation"]["candidate"] == best


@pytest.mark.when_changed("commands")
def test_heads_that_predict_one_class_are_said_by_sweep_json_and_report(
    command: Command, free: None, photos: Path
) -> None:
    del free
    options = ("--learning-rate", 0.01, 10, "--size-inner", 8, "--droprate", 0, "--epochs", 60)
    options = (*options, "--learning-rate-schedule", "constant", "--select", "best_accuracy")
    options = ("sweep", photos, *options, "--seeds", 3, "--image-size", 71, "--out", "r")
    said = command(*options)
    words = "3 of 3 heads of learning_rate 10 predict one class only; lower the learning_rate"
    assert f"Heads {words}" in " ".join(said.out.split())
    found = json.loads(command(*options, "--json").out)["predict_one_class"]
    assert found == [{"candidate": 2, "one_class": 3, "heads": 3}]
    assert words in " ".join(command("report", "r").out.split())
    assert words in Path("r/report.html").read_text(encoding="utf-8")


def test_one_seed_has_no_spread(command: Command, free: None, photos: Path) -> None:
    del free
    said = command("sweep", photos, *OPTIONS, "--seeds", 1)
    assert "Scores on the 12 validation images, one seed each" in said.out
    assert "±" not in said.out
    document = json.loads(command("sweep", photos, *OPTIONS, "--seeds", 1, "--json").out)
    assert document["candidates"][0]["min_val_loss"]["std"] is None


@pytest.mark.parametrize("fetched", [True, False])
def test_a_dry_run_announces_and_writes_nothing(
    command: Command, free: None, photos: Path, monkeypatch: pytest.MonkeyPatch, fetched: bool
) -> None:
    del free
    if not fetched:
        monkeypatch.setattr("manyheads.run.plan.cached", lambda *_: None)
    said = command("sweep", photos, *OPTIONS, "--dry-run")
    assert said.code == 0
    assert "3 candidates × 2 seeds = 6 heads (1 merged" in said.out
    source = "no weights" if fetched else "ImageNet, to be fetched"
    assert f"weights: {source}\n" in said.out
    assert "33 backbone passes for 33 images, about 0:" in said.out
    assert said.err == ""
    assert not Path("runs").exists()
    assert not list(Path().rglob("*.f32")) or Path("cache").exists()


@pytest.mark.when_changed("commands")
def test_weights_are_fetched_only_when_they_are_needed(
    command: Command, free: None, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del free

    def fetch(_spec, _given, job) -> Weights:
        job.progress("fetching weights", 40_000_000, 80_000_000, "bytes")
        job.progress("fetching weights", 80_000_000, 80_000_000, "bytes")
        Path("w").touch()
        return Weights(Path("w"), "d" * 64, "a server")

    monkeypatch.setattr("manyheads.run.plan.cached", lambda *_: None)
    monkeypatch.setattr("manyheads.run.pipeline.resolve", fetch)
    said = command("sweep", photos, *OPTIONS)
    assert said.code == 0, said.err
    assert "fetching weights  80/80 MB" in said.err


@pytest.mark.when_changed("commands")
def test_checkpoints_are_named_by_the_pattern_and_their_size_is_said(
    command: Command, free: None, photos: Path
) -> None:
    del free
    pattern = "xception_v3_{epoch:02d}_{val_accuracy:.3f}_{droprate}"
    said = command("sweep", photos, *OPTIONS, "--checkpoint-pattern", pattern, "--out", "r")
    assert said.code == 0, said.err
    names = sorted(path.stem for path in Path("r/checkpoints").iterdir())
    assert len(names) == 3
    for path in Path("r/heads").iterdir():
        about = load_head(path)[1]
        name = f"xception_v3_{about['epoch']:02d}_{about['val_accuracy']:.3f}_{about['droprate']}"
        assert any(found.startswith(name) for found in names)
    assert "r/checkpoints (3 whole networks, " in said.out


@pytest.mark.when_changed("commands")
def test_of_very_many_candidates_the_best_few_are_shown(
    command: Command, free: None, photos: Path
) -> None:
    del free
    rates = [f"{number / 100}" for number in range(40)]
    said: Said = command(
        "sweep", photos, "--droprate", *rates, "--size-inner", 2, "--epochs", 1, "--seeds", 1,
        "--image-size", 71, "--out", "r", "--keep-heads", 5,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "The best 20 of 40 candidates, best first\n" in said.out
    assert "\n… 20 more in results.csv\n" in said.out
    assert len([line for line in said.out.splitlines() if line.strip().startswith("0")]) == 20
    assert len(list(Path("r/heads").iterdir())) == 5
    assert len(rows_of(Path("r/results.csv"))) == 40


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("count", [5, 30])
def test_a_pruned_sweep_says_its_rungs_beforehand_and_who_was_pruned(
    command: Command, free: None, photos: Path, count: int
) -> None:
    del free
    arguments = (
        "sweep", photos, "--droprate", *(number / 40 for number in range(count)), "--size-inner", 4,
        "--epochs", 9, "--seeds", 2, "--image-size", 71, "--prune", "--patience", 8, "--out", "r",
    )  # fmt: skip
    best, heads = count // 3, 2 * count
    least = 3 * heads + 9 * 2 * best
    for said in (command(*arguments, "--dry-run").out, (ran := command(*arguments, "-v")).err):
        assert f"2 rungs: all {count} candidates 3 epochs, best {best} 9 epochs\n" in said
        assert f"(at most {least} epochs of heads instead of {9 * heads}), at most 0:" in said
        listed = "0 0.025 0.05 … 0.725 (30 values)" if count > 12 else "0 0.025 0.05 0.075 0.1"
        assert f"; droprate {listed} → {count} candidates × 2 seeds = {heads} heads\n" in said
        assert f"; {best} heads about " in said or f"; {best} head about " in said
        assert "at most 9 epochs, ending after 8 epochs without a better one, batches" in said
    assert ran.code == 0, ran.err
    assert f"Epoch 3: the best {best} of {count} candidates train on to epoch 9\n" in ran.err
    assert f"training  rung 2 of 2 · {heads}/{heads} heads" in ran.err
    shown = ran.out.count("pruned after epoch 3\n")
    assert shown == min(count, 20) - best
    if count > 20:
        assert "\n… 10 more in results.csv, 10 pruned among them\n" in ran.out
    rows = rows_of(Path("r/results.csv"))
    assert [row["pruned_after"] for row in rows].count("3") == count - best
    document = json.loads(command(*arguments, "--json").out)
    assert document["rungs"][1] == {"candidates": best, "epochs": 9}
    marks = [entry["pruned_after"] for entry in document["candidates"]]
    assert marks.count(None) == best
    assert marks[document["best"] - 1] is None


class Diverging:
    """An engine whose heads diverge in epoch 2 at a learning rate of 10."""

    name = "diverging"

    def train(self, heads, folds, **options):
        for event in FusedEngine().train(heads, folds, **options):
            if heads[event.head].hyperparameters.learning_rate < 10:
                yield event
            elif isinstance(event, HeadEnd):
                yield HeadEnd(event.head, "failed", "diverged in epoch 2", 1, event.parameters)
            elif event.epoch == 1:
                yield event


def test_heads_that_diverge_are_in_the_table(
    command: Command, free: None, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del free
    monkeypatch.setattr("manyheads.run.pipeline.engine_named", lambda _: Diverging())
    arguments = ("--learning-rate", "0.01", "10", "--size-inner", 8, "--droprate", 0)
    said = command(
        "sweep", photos, *arguments, "--epochs", 4, "--seeds", 2, "--image-size", 71, "--out", "r"
    )
    assert said.code == 0, said.err
    assert "every trial diverged" in said.out
    assert "diverged in epoch" in said.err
    first, second = rows_of(Path("r/results.csv"))
    assert (first["rank"], first["failed"]) == ("1", "0")
    assert (second["rank"], second["failed"], second["best_epoch_mean"]) == ("", "2", "")
    epochs = [int(row["epoch"]) for row in rows_of(Path("r/history.csv"))]
    assert epochs == [1, 2, 3, 4] * 2 + [1] * 2


@pytest.mark.slow
def test_the_lessons_photographs_through_the_real_xception(
    command: Command, clothing: Path, tmp_path: Path
) -> None:
    said = command(
        "sweep", clothing, "--droprate", 0, 0.5, "--epochs", 10, "--seeds", 1,
        "--image-size", 150, "--interpolation", "nearest", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["images"] == {"train": 3068, "validation": 341}
    for entry in document["candidates"]:
        assert 0.80 < entry["peak_val_accuracy"]["mean"] < 0.87
        assert 0.48 < entry["min_val_loss"]["mean"] < 0.60
    assert (tmp_path / "run" / "best.keras").stat().st_size > 80_000_000
