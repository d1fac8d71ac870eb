"""What tests of studies are made of: a backbone that costs nothing, and whole small studies."""

from __future__ import annotations

import csv
import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import compiled, weights
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.core.places import cache_dir, make_folder
from manyheads.heads import bank
from manyheads.heads.bank import Engine, Fold, engine_named
from manyheads.models import templates
from manyheads.models.export import exporter
from manyheads.study.folder import RunFolder
from manyheads.study.results import StudyResult
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from manyheads.study.training import train_study
from manyheads.study.work import Work
from tests.banks import generated_fold

FEATURES = 12


def study_settings(**changes: Any) -> StudySettings:
    """Four small heads of three epochs, but for `changes`."""
    given = {"data": "none", "grid": Grid((0.01,), (4,), (0.0, 0.5)), "epochs": 3, "seeds": 2}
    return StudySettings(**in_grid(given | changes))


def in_grid(given: dict[str, Any]) -> dict[str, Any]:
    """Settings of a study, with its `epochs` and `batch_size` put into the grid if given apart."""
    rest = dict(given)
    lists = {name: (rest.pop(name),) for name in ("epochs", "batch_size") if name in rest}
    return {**rest, "grid": replace(rest["grid"], **lists)}


def train(
    settings: StudySettings,
    path: Path,
    *,
    folds: Sequence[Fold] | None = None,
    keep_heads: int = 100,
    job: Job = SILENT,
    work: Work | None = None,
    engine: Engine | None = None,
) -> StudyResult:
    """Train a study on generated features in the folder `path`, on its own engine or another."""
    path.mkdir(exist_ok=True)
    folder = RunFolder(path)
    with Store(folder.store) as store:
        return train_study(
            settings, folder, store, folds or generated_folds(settings.divisions),
            engine or engine_named(settings.engine), keep_heads=keep_heads, job=job, work=work,
        )  # fmt: skip


def generated_folds(count: int) -> list[Fold]:
    """Generated features by a given split, or divided into `count` folds."""
    whole = generated_fold(60, FEATURES)
    if count == 1:
        return [whole]
    rows = np.concatenate([whole.train, whole.validation])
    labels = np.concatenate([whole.train_labels, whole.validation_labels])
    dealt = np.arange(len(rows)) % count
    return [
        Fold(
            whole.matrix, rows[dealt != fold], labels[dealt != fold],
            rows[dealt == fold], labels[dealt == fold], whole.classes,
        )
        for fold in range(count)
    ]  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table, as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def outcome_of(run: Path) -> dict[str, bytes]:
    """What a run came to: the bytes of its tables, and of its heads' files."""
    files = [run / "history.csv", run / "results.csv", *sorted((run / "heads").iterdir())]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


class FreeBackbone:
    """Sums of patches of an image: a backbone that is ready at once and tells classes apart."""

    features = FEATURES
    batch = 4

    def __init__(self, pause: float = 0.0, pooling: str = "avg") -> None:
        self.pause, self.pooling = pause, pooling

    def run(
        self,
        batches: Iterable[tuple[object, np.ndarray]],
        *,
        job: Job = SILENT,
    ) -> Iterator[tuple[object, np.ndarray]]:
        """Features of one batch after another, with a pause before each."""
        for key, pixels in batches:
            if job.wait(self.pause):
                return
            size = pixels.shape[1] // 2
            parts = [
                pixels[:, row * size : (row + 1) * size, column * size : (column + 1) * size]
                for row in (0, 1)
                for column in (0, 1)
            ]
            means = np.concatenate([part.mean(axis=(1, 2)) for part in parts], axis=1)
            features = (means / 64).astype(np.float32)
            if self.pooling == "grid":  # four cells whose mean are the pooled features
                apart = np.array([-0.3, 0.3, -0.1, 0.1], np.float32).reshape(1, 2, 2, 1)
                features = features[:, None, None] + apart
            yield key, features

    def __enter__(self) -> FreeBackbone:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@contextmanager
def free_backbone(
    patch: pytest.MonkeyPatch, *, extraction: float = 0.0, training: float = 0.0
) -> Iterator[None]:
    """Put a free backbone, weights and models in the place of Keras's.

    `extraction` and `training` are pauses in seconds, for each batch and each epoch.
    """

    def compile_backbone(*_: object, pooling: str = "avg", **__: object) -> FreeBackbone:
        return FreeBackbone(extraction, pooling)

    def resolve(spec: BackboneSpec, given: object = None, *_: object, **__: object) -> Weights:
        digest = hashlib.sha256(f"{spec.name} {given}".encode()).hexdigest()
        path = make_folder(cache_dir()) / "free.safetensors"
        path.touch()
        return Weights(path, digest, "no weights", tuple(map(resolve, spec.members)))

    def write_models(*arguments: Any, **_: object) -> list[Path]:
        wanted: Sequence[tuple[Any, Path]] = arguments[4]
        for best, target in wanted:
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(b"".join(array.tobytes() for array in best.parameters))
        return [target for _, target in wanted]

    everywhere(patch, compiled.compile_backbone, compile_backbone)
    everywhere(patch, weights.resolve, resolve)
    everywhere(patch, weights.cached, resolve)
    everywhere(patch, exporter.write_models, write_models)
    everywhere(patch, templates.prepare_template, lambda *_, **__: None)
    if training:
        everywhere(patch, bank.engine_named, lambda name: _Slow(name, training))
    yield


def everywhere(
    patch: pytest.MonkeyPatch, function: Callable[..., Any], other: Callable[..., Any]
) -> None:
    """Put `other` in the place of a function in every module of the package that imported it.

    Modules that a test imports later would take `other` for good, so they are imported first.
    """
    for name in ("api.verbs", "api.data_verbs", "estimator.head_classifier"):
        import_module(f"manyheads.{name}")
    for name, module in [*sys.modules.items()]:
        if name.startswith("manyheads"):
            for attribute, value in [*vars(module).items()]:
                if value is function:
                    patch.setattr(module, attribute, other)


class _Slow:
    """An engine that pauses after every epoch."""

    def __init__(self, name: str, pause: float) -> None:
        self.name, self._engine, self._pause = name, engine_named(name), pause

    def train(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        for event in self._engine.train(*arguments, **options):
            time.sleep(self._pause)
            yield event
