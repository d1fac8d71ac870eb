"""Studies with folds: every image validates once a repeat, and the answer trains on all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import Interrupted, RunError, SettingError
from manyheads.heads.bank import HeadEnd
from manyheads.heads.files import load_head, save_head
from manyheads.heads.fused.engine import FusedEngine
from manyheads.heads.head import forward
from manyheads.study import refit
from manyheads.study.events import TrialEnded
from manyheads.study.folder import RunFolder
from manyheads.study.refit import selected_head
from manyheads.study.store import Store
from tests.jobs import StoppingJob
from tests.studies import generated_folds, outcome_of, rows_of, study_settings, train

FOLDS = {"folds": 3, "repeats": 2, "seeds": 2}


def test_every_candidate_and_seed_trains_on_every_division(tmp_path: Path) -> None:
    settings = study_settings(**FOLDS)
    result = train(settings, tmp_path)
    rows = rows_of(tmp_path / "history.csv")
    assert len(rows) == 2 * 2 * 6 * settings.epochs
    assert {row["fold"] for row in rows} == {str(fold) for fold in range(6)}
    assert all(entry.trials == 12 for entry in result.ranking)


def test_what_is_kept_of_a_trial_is_what_its_metrics_were_counted_from(tmp_path: Path) -> None:
    settings = study_settings(**FOLDS)
    train(settings, tmp_path)
    folds = generated_folds(settings.divisions)
    with Store(tmp_path / "study.sqlite") as store:
        for record in store.trials("done"):
            fold = folds[record.trial.fold]
            said = store.predictions(record.trial.number, record.epoch, fold.classes)
            assert said is not None
            chosen = store.curve(record.trial.number)[record.epoch - 1]
            labels = fold.validation_labels
            assert np.mean(said.argmax(axis=1) == labels) == pytest.approx(chosen.val_accuracy)
            loss = -said[np.arange(len(labels)), labels].astype(np.float64).mean()
            assert loss == pytest.approx(chosen.val_loss, rel=5e-4)


def test_the_selected_setting_is_trained_once_more_on_all_images(tmp_path: Path) -> None:
    settings = study_settings(**FOLDS)
    result = train(settings, tmp_path)
    head = selected_head(settings, RunFolder(tmp_path), result)
    winner = result.ranking[0]
    assert head.candidate == winner.candidate
    assert head.about["folds_mean_val_accuracy"] == winner.measures["chosen_val_accuracy"].mean
    assert head.about["folds_mean_val_loss"] == winner.measures["chosen_val_loss"].mean
    assert head.about["validated"].startswith("on no image")
    assert not {"val_accuracy", "val_loss"} & head.about.keys()  # no scores of its own
    with Store(tmp_path / "study.sqlite") as store:
        epochs = sorted(r.epoch for r in store.trials("done", candidate=winner.candidate))
    assert head.about["epoch"] == epochs[(len(epochs) - 1) // 2]
    whole = generated_folds(1)[0]
    logits = forward(head.parameters, whole.matrix)
    assert np.isfinite(logits).all()


def test_a_study_with_folds_stopped_anywhere_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    settings = study_settings(**FOLDS)
    train(settings, tmp_path / "whole")

    for ends in (1, 13, 24):
        job, path = StoppingJob(TrialEnded, ends), tmp_path / str(ends)
        with pytest.raises(Interrupted):
            train(settings, path, job=job)
        train(settings, path)
        assert outcome_of(path) == outcome_of(tmp_path / "whole")


def test_a_head_that_is_there_is_not_trained_again_and_a_damaged_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = study_settings(**FOLDS)
    train(settings, tmp_path)
    selected = tmp_path / "heads" / "selected.safetensors"
    before = selected.read_bytes()
    selected.write_bytes(before[:-3])
    train(settings, tmp_path)
    assert selected.read_bytes() == before
    monkeypatch.setattr(refit, "save_head", lambda *_: pytest.fail("it was there"))
    train(settings, tmp_path)
    load_head(selected)


def test_the_head_of_an_earlier_version_is_kept_and_its_scores_are_named_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = study_settings(**FOLDS)
    result = train(settings, tmp_path)
    selected = tmp_path / "heads" / "selected.safetensors"
    now = selected.read_bytes()
    parameters, about = load_head(selected)
    once = {name.removeprefix("folds_mean_"): value for name, value in about.items()}
    del once["validated"]
    save_head(selected, parameters, once)
    assert selected_head(settings, RunFolder(tmp_path), result).about == once
    monkeypatch.setattr(refit, "undivided", lambda *_: pytest.fail("it was there"))
    train(settings, tmp_path)
    assert selected.read_bytes() == now


def test_a_setting_that_diverges_on_all_images_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_as_before = FusedEngine.train

    def diverging(self, heads, folds, **options):
        for event in train_as_before(self, heads, folds, **options):
            if isinstance(event, HeadEnd) and options.get("rule") == "last":
                yield HeadEnd(0, "failed", "diverged in epoch 1", 0, None)
            else:
                yield event

    monkeypatch.setattr(FusedEngine, "train", diverging)
    with pytest.raises(RunError, match=r"on all images, found diverged in epoch 1; list a lower"):
        train(study_settings(**FOLDS), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 1}, "`folds` to be a whole number from 2"),
        ({"folds": "x"}, "`folds` to be a whole number"),
        ({"repeats": 2}, "repeats without folds"),
        ({"folds": 3, "repeats": 0}, "`repeats` to be a whole number from 1"),
        ({"select": "fixed:9", "epochs": 3}, "fixed:9"),
        ({"select": "fixed:2", "patience": 1}, "waits for none"),
    ],
)
def test_bad_values_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        study_settings(**changes)
