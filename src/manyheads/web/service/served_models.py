"""The models of a server by name, each of which can be opened anew while it answers."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from manyheads.core.job import SILENT, Job
from manyheads.errors import ManyheadsError, ModelError, SettingError
from manyheads.models.classifier import ImageClassifier, load
from manyheads.models.feature_classifier import FeatureClassifier
from manyheads.models.prediction import Prediction
from manyheads.models.unlike_files import read_unlikeness
from manyheads.stats.unlikeness import Unlikeness
from manyheads.web.service.batching import Batcher, ClosedError, Passes, Pixels
from manyheads.web.service.map_drawing import MapDrawing
from manyheads.web.service.model_passes import passes_of
from manyheads.web.service.uploads import check_size

log = logging.getLogger("manyheads.web")

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_BEST = "best"  # how a run folder calls its model


@dataclass(frozen=True, kw_only=True)
class ServingOptions:
    """How models are served: where they compute, images in a batch and in the queue, at most."""

    device: str = "cpu"
    max_batch: int | None = None
    queue: int = 256


class ModelEdition:
    """A model as it was when it was opened; without `unlikeness` it knows no unknown images."""

    def __init__(
        self,
        classifier: ImageClassifier,
        passes: Passes,
        options: ServingOptions,
        begun: Callable[[int], object],
        unlikeness: Unlikeness | None = None,
    ) -> None:
        self.classifier, self.unlikeness = classifier, unlikeness
        self.maps = MapDrawing(classifier)
        # By no method of its own: a cycle would keep the networks until the collector comes by.
        self.batcher = Batcher(
            passes, partial(_decoded, classifier), queue=options.queue,
            max_batch=options.max_batch, begun=begun,
        )  # fmt: skip

    def close(self) -> None:
        """Take no more images, and return when all that are held have their answers."""
        self.batcher.close()
        self.maps.close()


def _decoded(classifier: ImageClassifier, data: bytes) -> Pixels:
    check_size(data)
    return classifier.pixels(data)


class ServedModel:
    """A model by its name; `begun` hears how many images each of its batches has."""

    def __init__(
        self,
        name: str,
        path: Path,
        options: ServingOptions,
        begun: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.name, self.path = name, path
        self._options, self._begun = options, begun
        self._reloading = threading.Lock()
        self._edition: ModelEdition | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it answers."""
        return self._edition is not None

    @property
    def held(self) -> int:
        """How many images it has that are not answered yet."""
        found = self._edition
        return 0 if found is None else found.batcher.held

    @property
    def edition(self) -> ModelEdition:
        """The model as it was opened last; raises `ModelError` before that."""
        found = self._edition
        if found is None:
            raise ModelError(f"the model {self.name} to be open", "one that opens", "wait a moment")
        return found

    def open(self, job: Job = SILENT) -> None:
        """Open the model from its path, anew if it is open: requests go to the former meanwhile.

        Those that it has are answered by it before this returns. Raises what `load` raises, and
        then the former stays.
        """
        with self._reloading:
            opened_ = opened(self.path, self._options.device, job)
            former = self._edition
            self._edition = ModelEdition(
                opened_.classifier, opened_.passes, self._options, self._begun, opened_.unlikeness
            )
            if former is not None:
                former.close()
                log.info("opened %s anew", self.name)

    def submit(self, images: Sequence[bytes]) -> tuple[ModelEdition, list[Future[Prediction]]]:
        """The edition that answers, and the answers to come; raises what `Batcher.submit` does."""
        while True:
            edition = self.edition
            try:
                return edition, edition.batcher.submit(images)
            except ClosedError:
                if edition is self._edition:  # the server ends
                    raise

    def close(self) -> None:
        """Answer what is held, and end."""
        if self._edition is not None:
            self._edition.close()


class ServedModels(Mapping[str, ServedModel]):
    """All models of a server, in the order given."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = {model.name: model for model in models}

    def __getitem__(self, name: str) -> ServedModel:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def first(self) -> ServedModel:
        """The model that answers where none is named."""
        return next(iter(self._models.values()))

    @property
    def are_ready(self) -> bool:
        """Whether all of them answer."""
        return all(model.is_ready for model in self.values())

    def reopen(self) -> None:
        """Open all of them anew; one that cannot be stays as it is, and the log says why."""
        for model in self.values():
            try:
                model.open()
            except ManyheadsError as error:
                log.error("%s stays as it was opened before: %s", model.name, error)

    def close(self) -> None:
        """Answer what is held, and end."""
        for model in self.values():
            model.close()


class Opened(NamedTuple):
    """A classifier of images, its passes, and what tells images unlike the model's, if known."""

    classifier: ImageClassifier
    passes: Passes
    unlikeness: Unlikeness | None


def opened(path: Path, device: str, job: Job = SILENT) -> Opened:
    """The classifier of images at `path`, and its passes, of which there has been one.

    Raises what `load` raises, and `ModelError` for a model of features alone. What tells unknown
    images is a help: where that cannot be used, the log says why.
    """
    classifier = load(path, device=device)
    if isinstance(classifier, FeatureClassifier):
        classifier = classifier.of_images(device, job)
    assert isinstance(classifier, ImageClassifier)
    try:
        known = read_unlikeness(classifier.path)
        if known is not None:
            return Opened(classifier, passes_of(classifier, job, known.features), known)
    except ModelError as error:
        log.warning("%s is served without unknown images: %s", classifier.path.name, error)
    return Opened(classifier, passes_of(classifier, job), None)


def named_models(given: Sequence[str]) -> dict[str, Path]:
    """The paths of models by name, each given as `MODEL` or `NAME=MODEL`.

    A name that is not given is that of the run folder or the file. Raises `SettingError` for a name
    that an address cannot hold, or that two models have.
    """
    found: dict[str, Path] = {}
    for text in given:
        name, sign, rest = text.partition("=")
        is_named = bool(sign) and _NAME.fullmatch(name) is not None and not Path(text).exists()
        path = Path(rest if is_named else text).expanduser()
        if not is_named:
            name = _name_of(path)
        if _NAME.fullmatch(name) is None or len(name) > 100:
            raise SettingError(
                "a name of letters, digits, - and _ for a model", repr(name),
                "give one, as in NAME=MODEL",
            )  # fmt: skip
        if name in found:
            raise SettingError(
                "models of different names", f"{name} twice", f"name one, as in other={path.name}"
            )
        found[name] = path
    return found


def _name_of(path: Path) -> str:
    whole = path.absolute() if path.name in ("", ".", "..") else path
    if path.name in ("", ".", ".."):
        whole = path.resolve()
    name = whole.name if whole.is_dir() or not whole.suffix else whole.stem
    if name == _BEST:
        name = whole.absolute().parent.name
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")
