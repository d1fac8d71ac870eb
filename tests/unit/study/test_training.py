"""Training a study: what is kept, what is made again, and that nothing depends on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manyheads.core.job import Event
from manyheads.core.machine import cores
from manyheads.errors import DiskError, Interrupted, RunError
from manyheads.heads.bank import Fold
from manyheads.heads.files import load_head, save_head
from manyheads.heads.head import cross_entropy, forward
from manyheads.study import head_files
from manyheads.study.events import EpochEnded, TrainingBegun, TrialEnded
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from manyheads.study.training import best_heads
from tests.banks import generated_fold
from tests.jobs import HeardJob, StoppingJob, stopped_job
from tests.studies import FEATURES, outcome_of, rows_of, study_settings, train

MANY = Grid((0.001, 0.01), (2, 3), tuple(n / 10 for n in range(10)))


def ends_of(job: HeardJob) -> list[TrialEnded]:
    """The trials that have ended in a job."""
    return [event for event in job.events if isinstance(event, TrialEnded)]


def begun(job: HeardJob) -> tuple[int, int]:
    """How many trials had ended when training began, and how many there are."""
    first = next(event for event in job.events if isinstance(event, TrainingBegun))
    return sum(first.ended), first.trials * len(first.candidates)


@pytest.fixture(scope="module")
def settings() -> StudySettings:
    return study_settings(grid=Grid((0.01,), (0, 4), (0.0, 0.5)), seeds=3, epochs=4)


@pytest.fixture(scope="module")
def uninterrupted(settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("whole")
    train(settings, path)
    return outcome_of(path)


def test_each_candidate_has_the_file_of_its_best_head(settings, uninterrupted, tmp_path) -> None:
    result = train(settings, tmp_path)
    assert outcome_of(tmp_path) == uninterrupted
    heads = best_heads(settings, RunFolder(tmp_path), result)
    assert [head.candidate for head in heads] == [entry.candidate for entry in result.ranking]
    fold = generated_fold(60, FEATURES)
    for head in heads:
        logits = forward(head.parameters, fold.matrix[fold.validation])
        accuracy = np.mean(logits.argmax(axis=1) == fold.validation_labels)
        loss = cross_entropy(logits, fold.validation_labels).mean()
        assert accuracy == pytest.approx(head.about["val_accuracy"], abs=1e-9)
        assert loss == pytest.approx(head.about["val_loss"], rel=1e-4)


@pytest.mark.parametrize("epochs", range(1, 37, 5))
def test_a_study_stopped_anywhere_goes_on_to_the_same_bits(
    settings, uninterrupted, tmp_path: Path, epochs: int
) -> None:
    while True:
        job = StoppingJob(EpochEnded, epochs)
        try:
            train(settings, tmp_path, job=job)
            break
        except Interrupted:
            assert not (tmp_path / "results.csv").exists()
    assert outcome_of(tmp_path) == uninterrupted


def test_what_is_done_is_not_trained_again(settings, tmp_path: Path) -> None:
    first, second = StoppingJob(EpochEnded, 10), HeardJob()
    with pytest.raises(Interrupted, match="the study was finished; repeat the same command to res"):
        train(settings, tmp_path, job=first)
    train(settings, tmp_path, job=second)
    assert begun(second) == (len(ends_of(first)), 9)
    assert len(ends_of(first)) + len(ends_of(second)) == 9
    third = HeardJob()
    train(settings, tmp_path, job=third)
    assert (begun(third), ends_of(third)) == ((9, 9), [])


def test_lost_and_damaged_outcomes_are_made_again(settings, uninterrupted, tmp_path: Path) -> None:
    train(settings, tmp_path)
    folder = RunFolder(tmp_path)
    folder.head(1).unlink()
    parameters, about = load_head(folder.head(2))
    save_head(folder.head(2), parameters, about | {"epoch": 99})
    folder.head(3).write_bytes(folder.head(3).read_bytes()[:100])
    folder.results.unlink()
    train(settings, tmp_path)
    assert outcome_of(tmp_path) == uninterrupted


def test_a_head_that_no_longer_trains_alike_is_said(settings, tmp_path: Path) -> None:
    train(settings, tmp_path)
    RunFolder(tmp_path).head(1).unlink()
    with pytest.raises(RunError, match=r"to train to the same numbers again, found others in epo"):
        train(settings, tmp_path, folds=[generated_fold(60, FEATURES, seed=5)])


def test_heads_of_a_large_study_are_made_at_the_end_for_the_best_alone(tmp_path: Path) -> None:
    settings = study_settings(grid=MANY, seeds=2, epochs=2)
    assert len(settings.trials()) == 80
    few = train(settings, tmp_path / "few", keep_heads=3)
    train(settings, tmp_path / "all", keep_heads=1000)
    best = {RunFolder(tmp_path / "few").head(entry.candidate).name for entry in few.ranking[:3]}
    kept = outcome_of(tmp_path / "few")
    assert {Path(name).name for name in kept} == {"history.csv", "results.csv", *best}
    everything = outcome_of(tmp_path / "all")
    assert len(everything) == 2 + 40
    assert kept.items() <= everything.items()


def test_files_of_heads_stay_bounded_and_none_is_made_again(tmp_path: Path) -> None:
    """Beside those kept there are only files of candidates in training, one a core."""

    most = 0

    def count(event: Event) -> None:
        nonlocal most
        if isinstance(event, TrialEnded):
            most = max(most, len(list((tmp_path / "heads").iterdir())))

    job = HeardJob(count)
    train(study_settings(grid=MANY, seeds=2, epochs=1), tmp_path, keep_heads=3, job=job)
    assert job.notes == []
    assert 3 < most <= 3 + cores() + 1
    assert len(list((tmp_path / "heads").iterdir())) == 3


def test_more_files_may_be_asked_for_later_and_fewer(settings, uninterrupted, tmp_path) -> None:
    train(settings, tmp_path, keep_heads=1)
    assert len(list((tmp_path / "heads").iterdir())) == 1
    train(settings, tmp_path, keep_heads=100)
    assert outcome_of(tmp_path) == uninterrupted
    train(settings, tmp_path, keep_heads=2)
    assert len(list((tmp_path / "heads").iterdir())) == 2


def test_making_the_heads_at_the_end_can_be_stopped(settings, uninterrupted, tmp_path) -> None:
    train(settings, tmp_path, keep_heads=1)
    job = stopped_job()
    with pytest.raises(Interrupted):
        train(settings, tmp_path, keep_heads=100, job=job)
    train(settings, tmp_path, keep_heads=100)
    assert outcome_of(tmp_path) == uninterrupted


def diverging_fold() -> Fold:
    """Features so large that a high learning rate overflows float32."""
    fold = generated_fold(60, FEATURES)
    matrix = (fold.matrix * np.float32(1e18)).astype(np.float32)
    return Fold(
        matrix, fold.train, fold.train_labels, fold.validation, fold.validation_labels, fold.classes
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of overflow, which is meant
def test_heads_that_diverge_fail_and_the_others_go_on(tmp_path: Path) -> None:
    settings = study_settings(grid=Grid((10.0, 1e-12), (8,), (0.0,)), epochs=4)
    job = HeardJob()
    result = train(settings, tmp_path, folds=[diverging_fold()], job=job)
    with Store(RunFolder(tmp_path).store) as store:
        failed = store.trials("failed")
    assert {record.trial.candidate for record in failed} == {1}
    assert all("diverged in epoch" in record.note for record in failed)
    assert [end.status for end in ends_of(job)].count("failed") == 2
    assert [entry.candidate for entry in result.ranking] == [2]
    first, second = rows_of(tmp_path / "results.csv")
    assert (first["rank"], first["failed"], second["rank"]) == ("", "2", "1")
    assert not RunFolder(tmp_path).head(1).exists()
    again = HeardJob()
    train(settings, tmp_path, folds=[diverging_fold()], job=again)
    assert (begun(again), ends_of(again)) == ((4, 4), [])


def test_a_disk_that_fills_while_training_loses_nothing(
    settings, uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []

    def save(path, *arguments) -> None:
        if len(saved) == 2:
            raise DiskError(f"to write {path}", "no space left on device", "free some space")
        saved.append(path)
        save_head(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(head_files, "save_head", save)
        with pytest.raises(DiskError, match="no space left"):
            train(settings, tmp_path)
    train(settings, tmp_path)
    assert outcome_of(tmp_path) == uninterrupted
