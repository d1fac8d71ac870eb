"""What the selected setting's heads said of the validation images, for a report.

By a given split these are the answers of the model that the study hands over. With folds, that
model was trained on all images, so the answers are those of heads of the same setting and seed,
each on the images that it was not trained on (in the first repeat).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool

from manyheads.core.label_sets import set_text
from manyheads.data.dataset import Dataset
from manyheads.data.label_names import outputs_words
from manyheads.findings.held_out_scores import ClassRecall
from manyheads.findings.label_scores import cross_fitted_answers
from manyheads.findings.labels import UNBELIEVED
from manyheads.findings.reading import read_images
from manyheads.findings.study_findings import Findings
from manyheads.report import parts
from manyheads.report.bounds import WRONG
from manyheads.report.thumbnails import thumbnail
from manyheads.stats import label_metrics, metrics
from manyheads.stats.calibration import calibrate
from manyheads.stats.confidence import reliability, risk_coverage
from manyheads.stats.intervals import share_estimate
from manyheads.study.space import counted


class SelectedAnswers:
    """The answers of one head to each validation image."""

    def __init__(self, findings: Findings) -> None:
        validated, selected = findings.validated, findings.selected
        self.findings = findings
        self.labels, self.names = validated.labels, validated.classes
        self.units = validated.units
        self.images = read_images(findings.folder.store, findings.settings.folds)
        every = validated.log_probabilities(selected.candidate)[:, 0]
        self.one = every[int(selected.about["seed"])]
        self.whole = every[np.isfinite(every).all(axis=(1, 2))]
        self.measured_on = counted(len(self.labels), "validation image")
        if findings.settings.folds is not None:
            images = counted(len(self.labels), "image")
            self.measured_on = f"{images}, each when it was left out of training"

    def calibration(self) -> parts.Confidence | None:
        """Reliability of all seeds' heads before scaling, and what a temperature gains.

        None where the images are too few to fit one.
        """
        if len(np.unique(self.units)) < 2:
            return None
        return parts.Confidence(
            measured_on=f"{self.measured_on}, {counted(len(self.whole), 'seed')}",
            diagram=reliability(self.whole, self.labels),
            calibration=calibrate(self.whole, self.labels, self.units),
            risk=risk_coverage(self.whole, self.labels),
        )

    def classes(self) -> parts.Classes:
        """Recalls and confusion."""
        hits = metrics.predicted(self.one) == self.labels
        recalls = []
        for number, name in enumerate(self.names):
            own = self.labels == number
            recall = share_estimate(hits[own], self.units[own]) if own.any() else None
            recalls.append(
                ClassRecall(
                    name=name, images=int(own.sum()), share=float(own.mean()), recall=recall
                )
            )
        order = outputs_words(self.names)
        numbers = f". The names of the classes are whole numbers: {order}" if order else ""
        return parts.Classes(
            measured_on=f"{self.measured_on}{numbers}",
            recalls=tuple(recalls),
            confusion=metrics.confusion(self.one, self.labels),
        )

    def wrong(self, dataset: Dataset) -> parts.WrongImages:
        """The images that it gets wrong, the most confident first; raises `ImageError`.

        Of several labels per image, those with the largest loss first.
        """
        if self.findings.validated.label_sets is not None:
            return self._wrong_labels(dataset)
        predicted = metrics.predicted(self.one)
        confidence = np.exp(self.one.max(axis=1).astype(np.float64))
        found = np.flatnonzero(predicted != self.labels)
        shown = found[np.argsort(-confidence[found], kind="stable")][:WRONG]
        # No head trained on these images, so what all of them do not believe is doubtful.
        mean = np.exp(self.whole.astype(np.float64)).mean(axis=0)
        given = mean[np.arange(len(self.labels)), self.labels]
        return parts.WrongImages(
            measured_on=self.measured_on,
            count=len(found),
            shown=tuple(
                self._image(
                    dataset, place, self.names[predicted[place]], float(confidence[place]),
                    doubtful=bool(given[place] <= UNBELIEVED),
                )
                for place in shown
            ),
        )  # fmt: skip

    def _wrong_labels(self, dataset: Dataset) -> parts.WrongImages:
        validated = self.findings.validated
        targets, labels = validated.targets, validated.outputs
        assert targets is not None
        said = cross_fitted_answers(validated, self.one)
        losses = label_metrics.image_log_loss(self.one, targets)
        chances = label_metrics.probabilities(self.one)
        sure = np.where(said, chances, 1 - chances).min(axis=-1)
        found = np.flatnonzero((said != targets).any(axis=-1))
        shown = found[np.argsort(-losses[found], kind="stable")][:WRONG]

        def named(which: Bool[np.ndarray, "labels"]) -> tuple[str, ...]:
            return tuple(labels[label] for label in np.flatnonzero(which))

        return parts.WrongImages(
            measured_on=self.measured_on,
            count=len(found),
            shown=tuple(
                self._image(
                    dataset, place, set_text(named(said[place])), float(sure[place]),
                    missed=named(targets[place] & ~said[place]),
                    wrongly=named(said[place] & ~targets[place]),
                    loss=float(losses[place]),
                )
                for place in shown
            ),
            several=True,
        )  # fmt: skip

    def _image(
        self,
        dataset: Dataset,
        place: int,
        predicted: str,
        confidence: float,
        **more: Any,
    ) -> parts.WrongImage:
        image = int(self.images[place])
        return parts.WrongImage(
            name=dataset.name_of(image),
            label=self.names[self.labels[place]],
            predicted=predicted,
            confidence=min(1.0, confidence),
            thumbnail=thumbnail(dataset.paths[image], self.findings.settings.image),
            **more,
        )
