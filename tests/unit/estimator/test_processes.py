"""Estimators in several processes of joblib: the same scores, and one pass for each image."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from manyheads import BackboneFeatures, HeadClassifier
from manyheads.features import extraction
from tests.small_study import small_images

pytestmark = pytest.mark.slow

HOW: dict[str, Any] = {"backbone": "mobilenet", "weights": "random:0", "image_size": 32}


@contextmanager
def passes_noted() -> Iterator[None]:
    """Passes of the backbone are added to the file of the variable PASSES."""
    fill = extraction.fill

    def noted(*arguments: Any) -> Any:
        found = fill(*arguments)
        with Path(os.environ["PASSES"]).open("a") as file:
            file.write(f"{found[0]}\n")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "fill", noted)
        yield


class NotedFeatures(BackboneFeatures):
    """The same, with passes noted."""

    def transform(self, X: Any) -> Any:
        with passes_noted():
            return super().transform(X)


class NotedHead(HeadClassifier):
    """The same, with passes noted."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        with passes_noted():
            return super().fit(X, y, sample_weight)

    def _logits(self, X: Any) -> Any:
        with passes_noted():
            return super()._logits(X)


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which passes are noted; Ray's processes have the variables of this one."""
    monkeypatch.setenv("PASSES", str(tmp_path / "passes"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return tmp_path / "passes"


@contextmanager
def backend(name: str, jobs: int) -> Iterator[None]:
    """joblib with that backend."""
    if name != "ray":
        get_reusable_executor().shutdown()  # those that are there have another test's variables
        with parallel_config(backend=name, n_jobs=jobs):
            yield
        return
    ray = pytest.importorskip("ray")
    joined: Any = import_module("ray.util.joblib")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        joined.register_ray()
        with parallel_config(backend="ray", n_jobs=jobs):
            yield
    finally:
        ray.shutdown()


@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.filterwarnings("ignore:The 'context' argument")
@pytest.mark.parametrize(
    ("name", "jobs"),
    [
        ("loky", 2),
        ("loky", -1),
        ("multiprocessing", 2),
        pytest.param("ray", -1, marks=pytest.mark.programs),
    ],
)
def test_processes_give_the_same_scores_with_one_pass_for_each_image(
    name: str, jobs: int, noted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(small_images(tmp_path / "images", validation=0).glob("*/*/*.png"))
    labels = [path.parent.name for path in paths]
    pipe = make_pipeline(NotedFeatures(**HOW), LogisticRegression())
    head = NotedHead(**HOW, epochs=2, random_state=0)
    search = GridSearchCV(head, {"droprate": [0.0, 0.5], "size_inner": [0, 8]}, cv=3)

    def scores() -> list[np.ndarray]:
        folds = [cross_val_score(each, paths, labels, cv=3) for each in (pipe, head)]
        return [*folds, search.fit(paths, labels).cv_results_["mean_test_score"]]

    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "alone"))
    here = scores()
    noted.unlink()
    # The backbone need not be built twice.
    without = shutil.ignore_patterns("features")
    shutil.copytree(tmp_path / "alone", tmp_path / "together", ignore=without)
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "together"))
    with backend(name, jobs):
        there = scores()
    np.testing.assert_array_equal(np.concatenate(here), np.concatenate(there))
    assert sum(map(int, noted.read_text().split())) == len(paths) == 21
