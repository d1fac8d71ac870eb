"""A finished model, ready to classify images: `load(path).predict(images)`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.backbones import registry
from manyheads.core.job import SILENT, Job
from manyheads.core.settings import number
from manyheads.core.table import Table, as_html, names, words
from manyheads.core.text import decimal
from manyheads.data.image_inputs import Image, each_of, named, square_of
from manyheads.errors import BackboneError, ModelError
from manyheads.features.worker_filling import require_processor
from manyheads.modelfiles.keras_parts import check_parts
from manyheads.models.card import ModelCard, card_path, read_card
from manyheads.models.checkpoints import MODEL_SUFFIXES, PROGRAMS
from manyheads.models.label_answers import of_one_class, of_several_labels, require_one_class
from manyheads.models.network import Network, Row
from manyheads.models.prediction import Prediction, Predictions
from manyheads.models.prediction_stream import PredictionStream
from manyheads.models.spread_predictions import SpreadPredictions
from manyheads.models.subnetwork_answers import subnetworks_of
from manyheads.models.unknown_answers import Asked, unknown_rule
from manyheads.stats.unlikeness import Unlikeness
from manyheads.study.folder import RunFolder
from manyheads.workers.opening import workers_asked

if TYPE_CHECKING:
    from manyheads.models.explain.explainer import Explainer
    from manyheads.models.explain.explanation import Explanations
    from manyheads.models.export.exporter import Exported
    from manyheads.models.feature_classifier import RowStream


_SHOWN = 20  # names of classes in a notebook


class Classifier(ABC):
    """A model with its class names, opened by `load`; of images, or of features.

    Which of the two it takes, its card says. Both answer `predict` and `stream` alike.
    """

    def __init__(self, path: Path, card: ModelCard) -> None:
        self.path, self.card = path, card
        self.unlikeness: Unlikeness | None = None  # once it is asked for
        self.classes = card.classes

    @abstractmethod
    def predict(
        self,
        images: Any,
        *,
        min_confidence: float = 0.0,
        uncertainty: int = 0,
        unknown: float | str | None = None,
        cache: bool = True,
        workers: int | str | None = None,
        job: Job = SILENT,
    ) -> Predictions:
        """The class and the probabilities of each image, or row of features, all at once.

        What the parameters mean, `stream` says.
        """

    @abstractmethod
    def stream(
        self,
        images: Any,
        *,
        min_confidence: float = 0.0,
        uncertainty: int = 0,
        unknown: float | str | None = None,
        cache: bool = True,
        workers: int | str | None = None,
        job: Job = SILENT,
    ) -> PredictionStream | SpreadPredictions | RowStream:
        """The class and the probabilities of each image, or row of features, one after the other.

        An answer less sure than `min_confidence` is withheld. With `uncertainty`, so many
        subnetworks of the head say what they think of each (100 are usual). With `unknown`, a rate
        of false alarms such as 0.05 or "5%", the label of what is more unlike the training images
        than all but that share of held-out images is "unknown". A model of several labels says each
        whose probability is above its threshold. `workers` predict images, with the same results: a
        number of processes of this machine, "ray" or the address of a Ray cluster. Raises
        `SettingError`, `ModelError` for a head without subnetworks or a model of which no held-out
        images are known, and `Interrupted` within about a second once `job` is stopped.
        """

    @abstractmethod
    def explain(
        self,
        images: Image | Iterable[Image],
        *,
        target: str | None = None,
        job: Job = SILENT,
    ) -> Explanations:
        """Where the model looked in each image; raises `ModelError` for a model of features."""

    def export(
        self,
        format_: str,
        out: str | Path | None = None,
        *,
        raw: bool = False,
        quantize: str | None = None,
        calibration: int = 200,
        max_loss: float = 1.0,
        trainable: bool = False,
        data: str | Path | None = None,
        job: Job = SILENT,
    ) -> Exported:
        """Write the model for another program, and check that it answers the same there.

        It takes pixels and gives probabilities; a `raw` one takes preprocessed images and gives
        logits. `quantize`, "int8" or "f16", makes it smaller and measures what that costs on
        validation images, `.card.quantised.cost`: int8 is calibrated on so many training images
        (`calibration`), and one whose accuracy is more than `max_loss` points lower is refused. A
        `trainable` one, of keras, is for further training. As `export.export_model`, which says
        what the formats are, what `data` is and what is raised.
        """
        from manyheads.models.export.exporter import export_model
        from manyheads.models.quantised_record import Quantisation

        place = None if out is None else Path(out).expanduser()
        asked = Quantisation.asked(quantize, calibration, max_loss)
        return export_model(
            self.path, format_, place, job,
            raw=raw, quantisation=asked, trainable=trainable, data=data,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        card, selected = self.card, self.card.selected
        more = " …" if len(self.classes) > _SHOWN else ""
        rows = [
            ("file", str(self.path)),
            ("backbone", card.backbone),
            ("classes", f"{len(self.classes):,}: {', '.join(self.classes[:_SHOWN])}{more}"),
        ]
        if card.backbone != registry.NO_BACKBONE.name:
            size = card.image.size
            how = ", ".join(filter(None, [card.image.interpolation, card.image.resize]))
            rows.insert(2, ("images", f"{size}×{size}, {how}"))
        if "val_accuracy" in selected:
            rows.append(("validation accuracy", decimal(float(selected["val_accuracy"]))))
        return as_html(Table(columns=[*names("model"), *words("")], rows=rows))

    def _prediction(
        self,
        name: str,
        content: str,
        row: Row,
        logits: Float32[np.ndarray, "classes"],
        asked: Asked,
    ) -> Prediction:
        sure = None
        if self.card.several_labels:
            found = of_several_labels(name, self.card, logits, asked.least)
        else:
            found = of_one_class(name, self.card, logits, asked.least)
            if asked.subnetworks is not None:
                best = int(np.argmax(list(found.probabilities.values())))
                sure = asked.subnetworks.of(content, row, best)
        features = row if asked.features or asked.rule else None
        found = replace(found, uncertainty=sure, features=features)
        return found if asked.rule is None else asked.rule.applied(found)


class ImageClassifier(Classifier):
    """A whole model with its preparation of images and its class names.

    Made by `load`. It runs on its backbone's cached program where there is one, or else on a
    program of its own, made at the first prediction and cached. `predict` may be called from
    several threads, which then take turns. `device` is where it computes, as `load` says.
    """

    def __init__(self, path: Path, card: ModelCard, device: str = "cpu") -> None:
        super().__init__(path, card)
        self._device = device
        self._network: Network | None = None
        self._with_features: Network | None = None
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"<Classifier {self.path}: {self.card.backbone}, {len(self.classes)} classes>"

    def predict(
        self,
        images: Image | Iterable[Image],
        *,
        min_confidence: float = 0.0,
        uncertainty: int = 0,
        unknown: float | str | None = None,
        cache: bool = True,
        workers: int | str | None = None,
        job: Job = SILENT,
    ) -> Predictions:
        """The class and the probabilities of each image, all at once; see `stream`."""
        with self._turn:
            found = self.stream(
                images, min_confidence=min_confidence, uncertainty=uncertainty, unknown=unknown,
                cache=cache, workers=workers, job=job,
            )  # fmt: skip
            return Predictions(self.classes, list(found), found.remarks)

    def predict_prepared(
        self,
        pixels: UInt8[np.ndarray, "n size size 3"],
        job: Job = SILENT,
        features: int = 0,
    ) -> Predictions:
        """The same for images that are prepared already, as `pixels` gives them.

        With a number of `features`, predictions have those.
        """
        as_they_are = replace(self.card.image, resize=None)  # a crop would cut them once more
        with self._turn:
            network = self._opened(job, features)
            answer = partial(self._answer, network, Asked(features=features > 0))
            each = each_of(pixels, job)
            found = PredictionStream(network, as_they_are, each, answer, cache=False, job=job)
            return Predictions(self.classes, list(found), found.remarks)

    def stream(
        self,
        images: Image | Iterable[Image],
        *,
        min_confidence: float = 0.0,
        uncertainty: int = 0,
        unknown: float | str | None = None,
        cache: bool = True,
        workers: int | str | None = None,
        job: Job = SILENT,
    ) -> PredictionStream | SpreadPredictions:
        """The class and the probabilities of each image, one after the other, in flat memory.

        An image is a path, the bytes of a file, a file that is open in binary mode, an image of
        Pillow, or pixels, uint8 or uint16 `[rows, columns, 3]` (grey, and opacity, are taken as
        well); all are prepared alike, as the study's were. `images` is one, or a folder, a glob, a
        table's path or a data frame with the column path, or a list of these, or an array
        `[samples, rows, columns, 3]`. An iterator is drawn from as predictions are, and its paths
        are those of files. A file that is missing or cannot be read is reported in its place. An
        answer less sure than `min_confidence` is withheld. With `uncertainty`, so many subnetworks
        of the head say what they think of each (100 are usual). `unknown` is a rate of false
        alarms, such as 0.05 or "5%": the label of an image that is more unlike the training images
        than all but that share of held-out images is "unknown". Files whose features are in the
        `cache` need no pass, and others' are added, if the model runs on its backbone's program.
        What is said of an image depends on nothing but its content: `workers` say the same, a
        number of processes of this machine, "ray" or the address of a Ray cluster. One stream of a
        classifier is read at a time, in one thread. Raises `SettingError`, `ModelError` for a head
        without subnetworks or a model of which no held-out images are known, and `Interrupted`
        within about a second once `job` is stopped; `DataError` for a single path that leads to no
        image, and `ImageError` for what is none by its type, such as an array of floats.
        """
        least = number("min_confidence", min_confidence, 0.0, 1.0)
        spread = workers_asked(workers)
        if spread is not None:
            require_processor(self._device)
        require_one_class(self.card, self.path, uncertainty)
        rule = unknown_rule(self, unknown, job)
        network = self._opened(job, 0 if rule is None else rule.unlikeness.features)
        masks = subnetworks_of(self.path, network.head, uncertainty) if uncertainty else None
        each = each_of(images, job)
        if spread is not None:
            how = {"min_confidence": least, "uncertainty": uncertainty, "cache": cache}
            how |= {} if rule is None else {"unknown": rule.rate}
            return SpreadPredictions(self, each, how, spread, job)
        answer = partial(self._answer, network, Asked(least, masks, rule))
        return PredictionStream(network, self.card.image, each, answer, cache=cache, job=job)

    def pixels(self, image: Image) -> UInt8[np.ndarray, "size size 3"]:
        """An image, given as to `stream`, as the model takes it; raises `ImageError`."""
        name, source = named(image, 0)
        return square_of(source, self.card.image, name)

    def explain(
        self,
        images: Image | Iterable[Image],
        *,
        target: str | None = None,
        job: Job = SILENT,
    ) -> Explanations:
        """Where the model looked in each image: two maps over its feature map (`explain.maps`).

        `images` are given as to `stream`. The maps are of the class that the model answers with,
        or of `target`. Each image takes one backbone pass. Raises what `stream` raises,
        `SettingError` for a class that the model has not, `BackboneError` if its backbone has no
        feature map of two cells or more, and `ModelError` if the parts of the model answer
        otherwise than `predict`.
        """
        return self._explainer.explain(images, target, job)

    def network(self, job: Job = SILENT, features: int = 0) -> Network:
        """The program and the head that predictions run on; opened at the first call.

        With a number of `features`, its rows have them too.
        """
        with self._turn:
            return self._opened(job, features)

    def prediction(self, name: str, row: Row, features: int = 0) -> Prediction:
        """What a row of the network with these `features` says of the image `name`."""
        # Not by `network`, which would wait for a pass that has its turn.
        asked = Asked(features=features > 0)
        return self._answer(self._opened(SILENT, features), asked, name, "", row)

    def _opened(self, job: Job, features: int = 0) -> Network:
        if self._network is None:
            self._network = Network(self.path, self.card, job, device=self._device)
        if not features or self._network.has_features_of(features):
            return self._network
        if self._with_features is None:
            how = {"device": self._device, "features": features}
            self._with_features = Network(self.path, self.card, job, **how)
        return self._with_features

    @cached_property
    def _explainer(self) -> Explainer:
        from manyheads.models.explain.explainer import Explainer

        return Explainer(self)

    def _answer(
        self,
        network: Network,
        asked: Asked,
        name: str,
        content: str,
        row: Row,
    ) -> Prediction:
        features = network.features(row) if asked.features or asked.rule else row
        return self._prediction(name, content, features, network.logits(row), asked)


def load(path: str | Path, *, device: str = "cpu") -> Classifier:
    """Open a run folder, or a model's file with its side file, for predictions.

    `device` is where the network computes, as for `Study`; the first prediction checks it. The
    processor is ready soonest, and fast enough for a few hundred images.
    A file is a .keras or .h5 model, or what `export` writes as .xml, .onnx or .tflite, which
    OpenVINO runs. Raises `ModelError` if the model is missing or has parts that could run code of
    its own, or if its side file is missing or another model's.
    """
    path = Path(path).expanduser()
    if path.is_dir() and card_path(path).is_file():
        raise ModelError(
            "a run folder or a model file", f"{path.name}, a model for TensorFlow alone",
            "give the run folder, or export it as keras or onnx",
        )  # fmt: skip
    if path.is_dir():
        folder = RunFolder(path)
        if not folder.best.is_file():
            folder.document()  # says so if this is no run folder at all
        path = folder.best
    if not path.is_file():
        raise ModelError(
            "a run folder or a model file", f"nothing at {path}",
            "give the folder of a finished study, or a file from `manyheads export`",
        )  # fmt: skip
    if path.suffix not in (*MODEL_SUFFIXES, *PROGRAMS):
        *known, last = (*MODEL_SUFFIXES, *PROGRAMS)
        raise ModelError(
            f"a model file that ends with {', '.join(known)} or {last}", path.name,
            "give the run folder, or export it as keras",
        )  # fmt: skip
    card = read_card(path)
    try:
        registry.from_card(card.backbone, card.preprocessing)
    except BackboneError as error:
        raise ModelError(
            f"{error.expected} in {card_path(path)}", error.found,
            "export the model again from its run folder",
        ) from error  # fmt: skip
    is_program = path.suffix in PROGRAMS
    if is_program and card.backbone == registry.NO_BACKBONE.name:
        raise ModelError(
            "a .keras file of a model of features", path.name, "give the run folder of the study"
        )
    if not is_program:
        check_parts(path)
    from manyheads.models.feature_classifier import FeatureClassifier

    if card.backbone == registry.NO_BACKBONE.name:
        return FeatureClassifier(path, card)
    return ImageClassifier(path, card, device)
