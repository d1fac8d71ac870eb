"""Standard classifiers on the features of a study, in its folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from manyheads.core.job import Job
from manyheads.errors import Interrupted
from manyheads.heads.fold import Fold
from manyheads.study import baselines
from manyheads.study.baselines import (
    BASELINES,
    MAJORITY,
    NEIGHBOURS,
    REGRESSION,
    fit_baselines,
    keep_baselines,
    kept_baselines,
)
from manyheads.study.folder import RunFolder
from manyheads.study.store import Division


def fold(train: np.ndarray, validation: np.ndarray, classes: int = 3) -> Fold:
    """A fold of 60 samples of three classes, which six features tell apart in part."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    matrix = random.normal(size=(60, 6)) + 1.5 * np.eye(3, 6)[labels]
    return Fold(
        matrix.astype(np.float32), train, labels[train], validation, labels[validation], classes
    )


def division(images: np.ndarray) -> Division:
    return Division(images, images % 3, images)


EVERY = np.arange(60)
PART = np.isin(EVERY % 4, (0,))


def test_each_is_what_scikit_learn_predicts() -> None:
    only = fold(EVERY[~PART], EVERY[PART])
    found = {each.name: each for each in fit_baselines([only], [division(EVERY[PART])])}
    assert tuple(found) == BASELINES
    known, asked = only.matrix[only.train], only.matrix[only.validation]
    models = {
        NEIGHBOURS: KNeighborsClassifier(5, metric="cosine"),
        REGRESSION: LogisticRegression(max_iter=1000),
    }
    for name, model in models.items():
        wanted = model.fit(known, only.train_labels).predict_proba(asked)
        np.testing.assert_allclose(np.exp(found[name].log_probabilities), wanted, atol=2e-3)
    shares = np.bincount(only.train_labels) / len(only.train_labels)
    prior = np.exp(found[MAJORITY].log_probabilities.astype(np.float64))
    np.testing.assert_allclose(prior, np.tile(shares, (15, 1)), rtol=2e-3)
    assert all((each.trained_on, each.train) == (45, 45) for each in found.values())
    assert [each.has_probabilities for each in found.values()] == [True, False, True]


def test_predictions_of_folds_come_in_the_order_of_images() -> None:
    parts = [EVERY[place == EVERY % 5] for place in (3, 0, 4, 1, 2)]
    folds = [fold(np.setdiff1d(EVERY, part), part) for part in parts]
    found = fit_baselines(folds, [division(part) for part in parts])[-1]
    right = found.log_probabilities.argmax(axis=1) == EVERY % 3
    assert right.mean() > 0.6  # in another order a third would be right


def test_a_class_that_a_fold_does_not_train_on_has_no_chance() -> None:
    train = EVERY[EVERY % 3 > 0]
    found = fit_baselines([fold(train, EVERY[:9])], [division(EVERY[:9])])
    for each in found:
        logs = each.log_probabilities.astype(np.float64)
        assert np.isfinite(logs).all()
        assert (np.exp(logs[:, 0]) == 0).all()


def test_of_one_class_all_learn_the_majority() -> None:
    found = fit_baselines([fold(EVERY[EVERY % 3 == 1], EVERY[:9])], [division(EVERY[:9])])
    for each in found:
        assert (each.log_probabilities.argmax(axis=1) == 1).all()


def test_they_learn_from_a_bounded_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST", 20)
    found = fit_baselines([fold(EVERY[~PART], EVERY[PART])], [division(EVERY[PART])])
    assert [(each.trained_on, each.train) for each in found] == [(45, 45), (20, 45), (20, 45)]


def test_what_was_kept_is_read_and_not_trained_again(tmp_path: Path) -> None:
    folder, only = RunFolder(tmp_path), fold(EVERY[~PART], EVERY[PART])
    assert kept_baselines(folder) is None
    keep_baselines(folder, [only], [division(EVERY[PART])])
    written = folder.baselines.read_bytes()
    kept = kept_baselines(folder)
    assert kept is not None
    wanted = fit_baselines([only], [division(EVERY[PART])])
    for one, other in zip(kept, wanted, strict=True):
        np.testing.assert_array_equal(one.log_probabilities, other.log_probabilities)
        assert (one.name, one.trained_on, one.train) == (other.name, other.trained_on, other.train)
    keep_baselines(folder, [], [])
    assert folder.baselines.read_bytes() == written


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_is_damaged_is_none_and_made_anew(tmp_path: Path, content: bytes | None) -> None:
    folder, only = RunFolder(tmp_path), fold(EVERY[~PART], EVERY[PART])
    keep_baselines(folder, [only], [division(EVERY[PART])])
    whole = folder.baselines.read_bytes()
    folder.baselines.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert kept_baselines(folder) is None
    keep_baselines(folder, [only], [division(EVERY[PART])])
    assert kept_baselines(folder) is not None


def test_they_stop_when_they_are_asked_to(tmp_path: Path) -> None:
    job = Job()
    job.stop()
    with pytest.raises(Interrupted):
        keep_baselines(RunFolder(tmp_path), [fold(EVERY, EVERY)], [division(EVERY)], job)
    assert not list(tmp_path.iterdir())
