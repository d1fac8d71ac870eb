"""What a head's subnetworks say of one image, and which heads have some."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.errors import ModelError, SettingError
from manyheads.heads.head import Parameters, forward, glorot_parameters, softmax
from manyheads.models.classifier import Classifier, load
from manyheads.models.subnetwork_answers import Subnetworks, subnetworks_of, trained_droprate
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from tests.small_study import finished_study

RANDOM = np.random.default_rng(3)
HEAD = glorot_parameters(6, 5, 3, np.random.default_rng(2))
ROW = RANDOM.normal(size=6).astype(np.float32)


def content(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def test_intervals_are_those_of_all_subnetworks_one_by_one() -> None:
    """Two inner units have four subnetworks, whose probabilities are known."""
    head, droprate = glorot_parameters(6, 2, 3, np.random.default_rng(1)), 0.3
    found = Subnetworks(head, droprate, 10_000).of(content("a"), ROW, 1)
    every, weights = [], []
    for mask in np.ndindex(2, 2):
        keep = np.array([mask], bool)
        every.append(softmax(forward(head, ROW[None], keep=keep, droprate=droprate))[0])
        weights.append(np.prod(np.where(keep, 1 - droprate, droprate)))
    probabilities = np.array(every)
    share = sum(w for w, c in zip(weights, probabilities, strict=True) if c.argmax() != 1)
    assert found.others == pytest.approx(share, abs=0.02)
    assert found.low == pytest.approx(probabilities[:, 1].min(), abs=1e-6)
    assert found.high == pytest.approx(probabilities[:, 1].max(), abs=1e-6)


def test_they_are_the_same_for_the_same_content_and_others_for_another() -> None:
    found = Subnetworks(HEAD, 0.5, 20).of(content("a"), ROW, 0)
    assert Subnetworks(HEAD, 0.5, 20).of(content("a"), ROW, 0) == found
    assert Subnetworks(HEAD, 0.5, 20).of(content("b"), ROW, 0) != found
    assert 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize("masks", [1, 0, -3, 10_001])
def test_a_number_that_makes_no_interval(masks: int) -> None:
    with pytest.raises(SettingError, match="`uncertainty` to be a whole number from 2 to 10000"):
        Subnetworks(HEAD, 0.5, masks)


@pytest.fixture(scope="module")
def with_dropout(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    root = tmp_path_factory.mktemp("dropout")
    return load(finished_study(root, grid=Grid((0.001,), (8,), (0.5,))).folder.path)


@pytest.mark.slow
def test_a_trained_head_is_asked_at_its_droprate(with_dropout: Classifier) -> None:
    assert trained_droprate(with_dropout.path) == 0.5
    files = sorted(with_dropout.path.parent.parent.glob("images/*/*/*.png"))
    plain = with_dropout.predict(files)
    found = with_dropout.predict(files, uncertainty=50)
    for entry, before in zip(found, plain, strict=True):
        assert entry.label == before.label
        assert entry.uncertainty is not None
        assert entry.uncertainty.low < entry.uncertainty.high
    assert list(with_dropout.predict(files, uncertainty=50, workers=2)) == list(found)
    alone = with_dropout.predict(files[4], uncertainty=50, cache=False)
    assert alone[0] == found[4]


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (None, "one program for all of it"),
        (HEAD, "a droprate of 0"),
        (Parameters(np.zeros((6, 0)), np.zeros(0), np.zeros((6, 3)), np.zeros(3)), "no inner"),
    ],
)
def test_a_head_without_subnetworks(small_run: RunFolder, head: Any, found: str) -> None:
    assert trained_droprate(small_run.best) == 0
    with pytest.raises(ModelError, match=found):
        subnetworks_of(Path(small_run.best), head, 100)
