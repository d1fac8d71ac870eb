"""What a study's store knows: each metric at its own epoch, and what earlier versions lack."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import RunError
from manyheads.findings.reading import read_curves, read_images, read_validated
from manyheads.findings.selection import optimism
from manyheads.findings.verdict import verdict_of
from manyheads.heads.bank import Fold
from manyheads.heads.epoch_rules import METRIC_RULES
from manyheads.stats.comparisons import COMPARED, ENDING, compare
from manyheads.stats.validation_predictions import METRICS, Validated
from manyheads.study.results import StudyResult
from manyheads.study.select import chosen_epoch
from manyheads.study.space import Grid
from manyheads.study.store import Division, Store, TrialRecord
from manyheads.study.study_settings import StudySettings
from tests.banks import generated_fold
from tests.studies import study_settings, train

CLASSES = ("a", "b", "c")
GOLDEN = Path(__file__).parents[2] / "golden"


@dataclass(frozen=True)
class Trained:
    """A small study that was trained to its end, and what its trials' folds held."""

    path: Path
    settings: StudySettings
    result: StudyResult
    divisions: list[Division]

    def validated(self) -> Validated:
        return read_validated(self.path, self.settings, self.result, CLASSES)

    def records(self, candidate: int) -> list[TrialRecord]:
        with Store(self.path) as store:
            return store.trials("done", candidate=candidate)

    def curve(self, record: TrialRecord) -> np.ndarray:
        """Epochs by accuracy, loss, val_accuracy and val_loss."""
        with Store(self.path) as store:
            return np.array(store.curve(record.trial.number))

    def of_head(self, scores: np.ndarray, record: TrialRecord) -> float:
        """The mean score of the images that a trial's head validated."""
        order = read_images(self.path, self.settings.folds)
        repeat = record.trial.fold // (self.settings.folds or 1)
        places = np.searchsorted(order, self.divisions[record.trial.fold].images)
        return float(scores[record.trial.seed, repeat, places].mean())


def trained(path: Path, **changes) -> Trained:
    """Few and noisy samples: the best epochs are early ones, and not the same in both metrics."""
    grid = Grid((0.1,), (8,), (0.0, 0.5))
    given = {"grid": grid, "epochs": 14, "batch_size": 32, "seeds": 3} | changes
    settings = study_settings(**given)
    whole = generated_fold(30, 12, validation=30, seed=5)
    rows, labels = np.arange(60), np.concatenate([whole.train_labels, whole.validation_labels])
    images = 1000 - 7 * rows  # in the data set, in another order
    dealt = [(np.arange(30), np.arange(30, 60))]
    if settings.folds:
        random = np.random.default_rng(0)
        cells = [random.permutation(rows % settings.folds) for _ in range(settings.repeats or 1)]
        dealt = [
            (np.flatnonzero(cell != fold), np.flatnonzero(cell == fold))
            for cell in cells
            for fold in range(settings.folds)
        ]
    folds = [Fold(whole.matrix, t, labels[t], v, labels[v], 3) for t, v in dealt]
    divisions = [Division(images[v], labels[v], images[v] // 2) for _, v in dealt]
    result = train(settings, path, folds=folds)
    with Store(path / "study.sqlite") as store:
        store.divide(divisions)
    return Trained(path / "study.sqlite", settings, result, divisions)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.mktemp("split"))


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.mktemp("folds"), folds=3, repeats=2)


def test_each_metric_is_scored_at_its_own_epoch(split: Trained) -> None:
    validated, epochs = split.validated(), set()
    for candidate in validated.candidates:
        scores = {metric: validated.scores(candidate, metric) for metric in METRICS}
        for record in split.records(candidate):
            curve = split.curve(record)
            own = {metric: split.of_head(scores[metric], record) for metric in METRICS}
            assert own["accuracy"] == pytest.approx(curve[:, 2].max())
            assert own["log_loss"] == pytest.approx(curve[:, 3].min(), rel=1e-3)
            assert own["final_log_loss"] == pytest.approx(curve[-1, 3], rel=1e-3)
            assert own["gap"] == pytest.approx(curve[-1, 3] - curve[-1, 1], abs=1e-3)
            assert record.epoch == 1 + np.lexsort((curve[:, 3], -curve[:, 2]))[0]
            epochs.add((record.epoch, 1 + curve[:, 3].argmin(), len(curve)))
    assert any(len(set(each)) == 3 for each in epochs)  # no two of these are the same


def test_the_brier_score_is_that_of_the_studys_rule(split: Trained) -> None:
    validated = split.validated()
    for candidate in validated.candidates:
        for record in split.records(candidate):
            with Store(split.path) as store:
                said = store.predictions(record.trial.number, record.epoch, 3)
            assert said is not None
            labels = split.divisions[0].labels
            brier = ((np.exp(said.astype(np.float64)) - np.eye(3)[labels]) ** 2).sum(axis=1)
            found = split.of_head(validated.scores(candidate, "brier"), record)
            assert found == pytest.approx(brier.mean(), rel=1e-6)


def test_images_units_and_names_are_those_of_the_data_set(split: Trained) -> None:
    validated, (division,) = split.validated(), split.divisions
    order = np.argsort(division.images)
    assert validated.labels.tolist() == division.labels[order].tolist()
    assert validated.units.tolist() == division.units[order].tolist()
    assert read_images(split.path, split.settings.folds).tolist() == sorted(division.images)
    assert validated.names == ("droprate 0", "droprate 0.5")
    assert validated.seeds() == 3


@pytest.mark.parametrize("metric", COMPARED)
def test_in_folds_scores_are_those_of_epochs_that_their_fold_had_no_say_in(
    folds: Trained, metric: str
) -> None:
    validated = folds.validated()
    for candidate in validated.candidates:
        curves = read_curves(folds.path, folds.settings, [candidate])
        found = optimism(curves, METRIC_RULES[metric])
        flattery = found.accuracy if metric == "accuracy" else found.loss
        assert flattery is not None
        mean = validated.scores(candidate, metric).mean()
        assert mean == pytest.approx(flattery.fresh, abs=1e-3)
        assert abs(flattery.optimism) > 0.01
        lucky = mean + validated.luck(candidate, metric).mean()
        assert lucky == pytest.approx(flattery.naive, abs=1e-3)


def test_in_folds_the_end_of_training_is_that_of_each_head(folds: Trained) -> None:
    validated = folds.validated()
    for candidate in validated.candidates:
        final, gap = (validated.scores(candidate, metric) for metric in ENDING)
        for record in folds.records(candidate):
            curve = folds.curve(record)
            assert folds.of_head(final, record) == pytest.approx(curve[-1, 3], rel=1e-3)
            apart = curve[-1, 3] - curve[-1, 1]
            assert folds.of_head(gap, record) == pytest.approx(apart, abs=1e-3)


@pytest.mark.parametrize("rule", ["last", "fixed:2"])
def test_a_rule_that_does_not_look_scores_both_metrics_at_its_epoch(
    tmp_path: Path, rule: str
) -> None:
    found = trained(tmp_path, select=rule, epochs=4, folds=2)
    validated, epoch = found.validated(), 2 if rule == "fixed:2" else 4
    for candidate in validated.candidates:
        assert not validated.luck(candidate, "accuracy").any()
        for record in found.records(candidate):
            curve = found.curve(record)
            for metric, column in (("accuracy", 2), ("log_loss", 3)):
                mean = found.of_head(validated.scores(candidate, metric), record)
                assert mean == pytest.approx(curve[epoch - 1, column], rel=1e-3)
            assert found.of_head(
                validated.scores(candidate, "final_log_loss"), record
            ) == pytest.approx(curve[-1, 3], rel=1e-3)


def test_a_failed_trial_has_no_scores_and_costs_its_seed(tmp_path: Path) -> None:
    found = trained(tmp_path, epochs=3, folds=2)
    lost = found.records(1)[1].trial
    with Store(found.path) as store:
        store.finish(lost.number, "failed", 0, "diverged in epoch 1", [])
    validated = found.validated()
    for metric in METRICS:
        own = validated.scores(1, metric)[lost.seed]
        assert np.isnan(own).any()
        assert np.isfinite(np.delete(validated.scores(1, metric), lost.seed, axis=0)).all()
    assert validated.seeds_of(1).tolist() == [s for s in range(3) if s != lost.seed]
    assert validated.seeds_of(2).tolist() == [0, 1, 2]
    assert {entry.seeds for entry in compare(validated).entries} == {2}


def as_format_2(found: Trained) -> None:
    """Write the study's record as the version before this wrote it."""
    old = found.path.with_name("old.sqlite")
    with closing(sqlite3.connect(old)) as database:
        for name in ("study_v1.sql", "what_study_v1_lacks.sql"):
            database.executescript((GOLDEN / name).read_text("utf-8"))
        database.execute("ATTACH ? AS new", (str(found.path),))
        for table, columns in (
            ("epochs", "trial, epoch, accuracy, loss, val_accuracy, val_loss"),
            ("trials", "trial, candidate, seed, fold, state, epoch, note"),
            ("divisions", "fold, images, labels, units"),
        ):
            database.execute(f"DELETE FROM main.{table}")
            database.execute(f"INSERT INTO main.{table} SELECT {columns} FROM new.{table}")
        database.execute(
            "INSERT INTO main.predictions SELECT trial, log_probabilities"
            " FROM new.predictions JOIN new.trials USING (trial, epoch)"
        )
        database.commit()
    old.replace(found.path)


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("design", [{}, {"folds": 2}])
def test_a_study_of_format_2_is_compared_at_the_epochs_that_it_kept(
    tmp_path: Path, design: dict[str, int]
) -> None:
    found = trained(tmp_path, epochs=8, **design)
    as_format_2(found)
    validated = found.validated()
    assert validated.other_epochs is None
    for candidate in validated.candidates:
        for record in found.records(candidate):
            chosen = found.curve(record)[record.epoch - 1]
            assert record.epoch == chosen_epoch("best_accuracy", _metrics(found, record))
            for metric, column in (("accuracy", 2), ("log_loss", 3)):
                mean = found.of_head(validated.scores(candidate, metric), record)
                assert mean == pytest.approx(chosen[column], rel=1e-3)
        assert not validated.luck(candidate, "accuracy").any()
    said = verdict_of(validated, compare(validated))
    assert any(note.startswith("An earlier version kept predictions") for note in said.notes)
    assert said.ends is None
    for metric in ENDING:
        with pytest.raises(RunError, match="predictions after the last epoch"):
            compare(validated, metrics=[metric])


def _metrics(found: Trained, record: TrialRecord):
    with Store(found.path) as store:
        return store.curve(record.trial.number)


def test_a_study_that_kept_nothing_is_refused(tmp_path: Path) -> None:
    found = trained(tmp_path, epochs=2)
    with closing(sqlite3.connect(found.path)) as database:
        database.execute("DELETE FROM divisions")
        database.commit()
    with pytest.raises(RunError, match="none of it"):
        found.validated()
