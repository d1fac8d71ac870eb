"""Models that need no network: what they say depends on the pixels, and how fast a test decides."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.core.job import SILENT, Job
from manyheads.data.data_settings import ImageSettings
from manyheads.models.card import ModelCard
from manyheads.models.classifier import ImageClassifier
from manyheads.models.prediction import Predictions
from manyheads.models.unknown_answers import Asked
from manyheads.stats.unlikeness import Unlikeness, as_kept
from manyheads.web.service import served_models
from manyheads.web.service.model_passes import SerialPasses
from manyheads.web.service.served_models import Opened, ServedModel, ServedModels, ServingOptions
from manyheads.web.service.service_metrics import ServiceMetrics
from manyheads.web.service.serving import ServiceSettings, whole_service
from tests.web_servers import serving_app

CLASSES = ("cat", "dog", "red panda")
THRESHOLDS = (0.3, 0.5, 0.7)
SEVERAL = "garments"
"""The name of a fake model whose images may have several labels."""
UNLIKENESS = Unlikeness(as_kept(np.eye(3)), np.linspace(0, 1, 39, dtype=np.float32), 1)


class FakeClassifier(ImageClassifier):
    """Its logits follow from the pixels' digest; a pass waits for `gate`, and fails if told so."""

    def __init__(self, path: Path, version: int = 0) -> None:
        card = ModelCard(
            classes=CLASSES, backbone="mobilenet", weights="0" * 64, weights_source="random",
            image=ImageSettings(size=32), preprocessing="tf", data="photos",
            thresholds=THRESHOLDS if path.name == SEVERAL else None,
        )  # fmt: skip
        super().__init__(path, card)
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.breaks, self._version = False, version

    def predict_prepared(self, pixels: Any, job: Job = SILENT, features: int = 0) -> Predictions:
        del job, features
        self.batches.append(len(pixels))
        self.gate.wait(30)
        if self.breaks:
            raise RuntimeError("a fault of the network in /somewhere")
        return Predictions(CLASSES, [self._one(each) for each in pixels])

    def _one(self, pixels: np.ndarray) -> Any:
        seed = hashlib.sha256(pixels.tobytes()).digest()[:8] + bytes([self._version])
        logits = np.random.default_rng(list(seed)).normal(size=3).astype(np.float32)
        return self._prediction("", "", logits, logits, Asked(features=True))


class FakeShelf:
    """What `serving_fakes` serves: the classifiers that were opened, by the model's name."""

    def __init__(self) -> None:
        self.opened: dict[str, list[FakeClassifier]] = {}
        self.failing: Exception | None = None
        self.models: Mapping[str, ServedModel] = {}
        self.address = ""

    def open(self, path: Path, device: str = "cpu", job: Job = SILENT) -> Opened:
        del device, job
        if self.failing is not None:
            raise self.failing
        known = self.opened.setdefault(path.name, [])
        known.append(FakeClassifier(path, len(known)))
        known_images = None if path.name == "others" else UNLIKENESS
        return Opened(known[-1], SerialPasses(known[-1], 16), known_images)

    def __getitem__(self, name: str) -> FakeClassifier:
        return self.opened[name][-1]


@contextmanager
def serving_fakes(*names: str, **settings: Any) -> Iterator[FakeShelf]:
    """Serve fake models of these names, with `ServiceSettings` as given."""
    shelf, metrics = FakeShelf(), ServiceMetrics()
    paths = {name: Path("/secret/place") / name for name in names}
    given = ServiceSettings(models=paths, **settings)
    options = ServingOptions(max_batch=given.most_in_batch, queue=int(given.queue))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served_models, "opened", shelf.open)
        models = ServedModels(
            [ServedModel(n, p, options, metrics.batches_of(n)) for n, p in paths.items()]
        )
        shelf.models = models
        for model in models.values():
            model.open()
        with serving_app(whole_service(models, metrics, given), drain_seconds=5) as address:
            shelf.address = address
            try:
                yield shelf
            finally:
                for known in shelf.opened.values():
                    for each in known:
                        each.gate.set()
