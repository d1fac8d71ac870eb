"""What the selected setting's heads said of the validation images, for a report.

By a given split these are the answers of the model that the study hands over. With folds, that
model was trained on all images, so the answers are those of heads of the same setting and seed,
each on the images that it was not trained on (in the first repeat).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from manyheads.data.dataset import Dataset
from manyheads.data.label_names import outputs_words
from manyheads.findings.reading import read_images
from manyheads.findings.study_findings import Findings
from manyheads.report import parts
from manyheads.report.bounds import WRONG
from manyheads.report.thumbnails import thumbnail
from manyheads.stats import metrics
from manyheads.stats.calibration import calibrate
from manyheads.stats.confidence import reliability, risk_coverage
from manyheads.stats.intervals import share_estimate
from manyheads.study.space import counted


class Answers:
    """The answers of one head to each validation image."""

    def __init__(self, findings: Findings) -> None:
        validated, selected = findings.validated, findings.selected
        self.findings = findings
        self.labels, self.names = validated.labels, validated.classes
        self.units, self.images = (
            validated.units,
            read_images(findings.folder.store, findings.settings),
        )
        every = validated.log_probabilities(selected.candidate)[:, 0]
        self.one = every[int(selected.about["seed"])]
        self.whole = every[np.isfinite(every).all(axis=(1, 2))]
        self.measured_on = counted(len(self.labels), "validation image")
        if findings.settings.folds is not None:
            images = counted(len(self.labels), "image")
            self.measured_on = f"{images}, each when it was left out of training"

    def calibration(self) -> parts.Calibration | None:
        """Reliability of all seeds' heads before scaling, and what a temperature gains.

        None where the images are too few to fit one.
        """
        if len(np.unique(self.units)) < 2:
            return None
        fitted, diagram = (
            calibrate(self.whole, self.labels, self.units),
            reliability(self.whole, self.labels),
        )
        bins = zip(
            diagram.confidence, diagram.accuracy, diagram.low, diagram.high, diagram.images,
            strict=True,
        )  # fmt: skip
        risk = risk_coverage(self.whole, self.labels)
        seeds = counted(len(self.whole), "seed")
        return parts.Calibration(
            measured_on=f"{self.measured_on}, {seeds}",
            bins=tuple(
                parts.Bin(float(mean), float(share), float(low), float(high), round(images))
                for mean, share, low, high, images in bins
            ),
            temperature=float(np.exp(np.log(fitted.temperatures).mean())),
            log_loss=parts.BeforeAfter(
                float(fitted.log_loss_before.mean()), float(fitted.log_loss_after.mean())
            ),
            ece=parts.BeforeAfter(float(fitted.ece_before.mean()), float(fitted.ece_after.mean())),
            risk=parts.RiskCoverage(coverage=risk.coverage, risk=risk.risk),
        )

    def classes(self) -> parts.Classes:
        """Recalls and confusion."""
        hits = metrics.predicted(self.one) == self.labels
        recalls = []
        for number, name in enumerate(self.names):
            own = self.labels == number
            recall = None
            if own.any():
                found = share_estimate(hits[own], self.units[own])
                assert found.low is not None
                assert found.high is not None
                recall = parts.Interval(found.value, found.low, found.high)
            recalls.append(parts.ClassRecall(name=name, images=int(own.sum()), recall=recall))
        order = outputs_words(self.names)
        numbers = f". The names of the classes are whole numbers: {order}" if order else ""
        return parts.Classes(
            measured_on=f"{self.measured_on}{numbers}",
            recalls=tuple(recalls),
            confusion=metrics.confusion(self.one, self.labels),
        )

    def wrong(self, dataset: Dataset) -> parts.WrongImages:
        """The images that it gets wrong, the most confident first; raises `ImageError`."""
        predicted = metrics.predicted(self.one)
        confidence = np.exp(self.one.max(axis=1).astype(np.float64))
        found = np.flatnonzero(predicted != self.labels)
        shown = found[np.argsort(-confidence[found], kind="stable")][:WRONG]
        return parts.WrongImages(
            measured_on=self.measured_on,
            count=len(found),
            shown=tuple(
                self._wrong_image(dataset, place, predicted, confidence) for place in shown
            ),
        )

    def _wrong_image(
        self,
        dataset: Dataset,
        place: int,
        predicted: Int64[np.ndarray, "images"],
        confidence: np.ndarray,
    ) -> parts.WrongImage:
        image = int(self.images[place])
        return parts.WrongImage(
            name=dataset.name_of(image),
            label=self.names[self.labels[place]],
            predicted=self.names[predicted[place]],
            confidence=min(1.0, float(confidence[place])),
            thumbnail=thumbnail(dataset.paths[image], self.findings.settings.image),
        )
