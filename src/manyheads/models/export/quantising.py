"""A quantised export: calibrated on training images, and measured before it has a name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones.registry import NO_BACKBONE
from manyheads.core import keras_process
from manyheads.core.job import Job
from manyheads.core.label_sets import LabelSets
from manyheads.core.machine import processor
from manyheads.core.text import counted, joined
from manyheads.errors import ModelError, SettingError
from manyheads.findings.quantisation_cost import QuantisationCost, ScoreChange
from manyheads.findings.wording import METRIC_WORDS, amount, unit_of
from manyheads.models.card import ModelCard, about_model, model_size
from manyheads.models.export import quantisers, runtimes
from manyheads.models.export.export_images import LabelledImages, labels_of, write_images
from manyheads.models.export.formats import FORMATS, Format
from manyheads.models.quantised_record import INT8, NATS_A_POINT, Quantisation, Quantised
from manyheads.stats.label_metrics import log_odds_of
from manyheads.stats.two_models import ScoreDifference, compare_models

_QUANTISED = tuple(entry.name for entry in FORMATS.values() if entry.quantised)


@dataclass(frozen=True)
class QuantisedFile:
    """A quantised file that may have its name: its side file, and whether it takes any batch."""

    card: ModelCard
    any_batch: bool


def require_quantisable(kind: Format, asked: Quantisation, card: ModelCard, *, raw: bool) -> None:
    """Raise `SettingError` for what cannot be quantised, `MissingExtraError` for a quantiser."""
    if kind.name not in _QUANTISED:
        raise SettingError(
            f"the format {joined(_QUANTISED, 'or')}, to quantise", kind.name,
            "give one of these, or leave out `quantize`",
        )  # fmt: skip
    if raw:
        raise SettingError(
            "one of `raw` and `quantize`", "both",
            "leave out `raw`: what is calibrated and measured are pixels",
        )  # fmt: skip
    if card.backbone == NO_BACKBONE.name:
        raise SettingError(
            "a model of images, to quantise", "a head of features, which is small as it is",
            "leave out `quantize`",
        )  # fmt: skip
    if card.quantised is not None:
        raise SettingError(
            "a float32 model, to quantise", f"one of {card.quantised.kind}",
            "give the model that it was made of",
        )  # fmt: skip
    kind.require_quantiser(asked.kind)


def quantise(
    kind: Format,
    asked: Quantisation,
    converted: Path,
    target: Path,
    card: ModelCard,
    images: LabelledImages,
    keras: dict[str, Any] | None,
    scratch: Path,
    job: Job,
) -> QuantisedFile:
    """Write the `converted` model, a checked float32 export, as `target`, and measure the cost.

    `card` is the side file of the float32 export. LiteRT is made from the `keras` model instead.
    Raises `ModelError` if the loss is greater than `asked` allows, `Interrupted`, and what
    `quantisers.quantise` raises.
    """
    calibrated = ""
    arguments: dict[str, Any] = {
        "format_": kind.name, "kind": asked.kind, "file": str(converted), "target": str(target),
        "keras": keras,
    }  # fmt: skip
    if asked.kind == INT8:
        some = write_images(
            images.dataset, images.calibrate, card.image, scratch / "calibration.npy",
            "reading training images", job,
        )  # fmt: skip
        arguments |= {"pixels": str(some.file), "count": len(some.rows)}
        calibrated = images.calibrated.replace(
            counted(len(images.calibrate), "training image"),
            counted(len(some.rows), "training image"),
        )
    inside = replace(
        card, quantised=Quantised(kind=asked.kind, calibrated=calibrated, max_loss=asked.max_loss)
    )
    arguments["about"] = about_model(inside)
    where = f", calibrated on {calibrated}" if calibrated else ""
    job.note(f"quantising to {asked.kind}{where} …")
    keras_process.call(
        quantisers.quantise, arguments, backend=kind.backend, what="quantising the model", job=job
    )
    cost, any_batch = _measured(kind, asked, converted, target, card, images, scratch, job)
    require_within(asked, cost, target.name)
    assert inside.quantised is not None
    return QuantisedFile(replace(card, quantised=replace(inside.quantised, cost=cost)), any_batch)


def _measured(
    kind: Format,
    asked: Quantisation,
    converted: Path,
    target: Path,
    card: ModelCard,
    images: LabelledImages,
    scratch: Path,
    job: Job,
) -> tuple[QuantisationCost, bool]:
    read = write_images(
        images.dataset, images.measure, card.image, scratch / "measured.npy",
        "reading images to measure on", job,
    )  # fmt: skip
    job.note(f"measuring both with {kind.opens} on {len(read.rows):,} {images.measured} …")
    answers = scratch / "both.npy"
    arguments = {
        "format_": kind.name, "files": [str(converted), str(target)], "pixels": str(read.file),
        "count": len(read.rows), "target": str(answers),
    }  # fmt: skip
    told = keras_process.call(
        runtimes.measure, arguments, what="measuring what quantising costs", job=job
    )
    before, after = np.load(answers)
    _require_finite(after, told["runtime"], asked)
    rows = np.asarray(read.rows, np.int64)
    units = images.dataset.units[rows]
    if card.thresholds is None:
        labels = labels_of(images.dataset, read.rows, card.classes)
        found = compare_models(_logs(before), _logs(after), labels, units=units)
    else:
        found = compare_models(
            log_odds_of(before), log_odds_of(after), images.dataset.labels[rows], units=units,
            label_sets=LabelSets(card.classes, images.dataset.classes), thresholds=card.thresholds,
        )  # fmt: skip
    milliseconds = told["milliseconds"]
    return QuantisationCost(
        kind=asked.kind,
        runtime=told["runtime"],
        images=found.images,
        source=images.measured,
        scores=tuple(map(_change, found.scores)),
        equal_labels=found.equal_labels,
        size=model_size(target),
        float32_size=model_size(converted),
        milliseconds=milliseconds[1],
        float32_milliseconds=milliseconds[0],
        threads=told["threads"],
        processor=processor(),
        several_labels=card.several_labels,
    ), bool(told["any_batch"])


def _require_finite(found: np.ndarray, runtime: str, asked: Quantisation) -> None:
    if not np.isfinite(found).all():
        raise ModelError(
            f"probabilities from the {asked.kind} model in {runtime}", "values that are no numbers",
            "nothing was written; export it as float32, or in another format",
        )  # fmt: skip


def _logs(probabilities: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def _change(found: ScoreDifference) -> ScoreChange:
    return ScoreChange(
        metric=found.metric,
        float32=found.first,
        quantised=found.second,
        difference=found.estimate,
        outcome=found.outcome,
    )


def require_within(asked: Quantisation, cost: QuantisationCost, name: str) -> None:
    """Raise `ModelError` if accuracy or log loss is worse by more than `asked` allows."""
    accuracy, log_loss = cost.score("accuracy"), cost.score("log_loss")
    limits = (
        (accuracy, -accuracy.difference.value, asked.max_loss / 100),
        (log_loss, log_loss.difference.value, asked.max_loss * NATS_A_POINT),
    )
    for change, loss, limit in limits:
        # The loss of one image in a hundred is one point, and not more for being rounded.
        if loss > limit * (1 + 1e-6):
            unit = unit_of(change.metric)
            raise ModelError(
                f"{METRIC_WORDS[change.metric]} that quantising makes worse by at most "
                f"{amount(change.metric, limit)} {unit}",
                f"{amount(change.metric, loss)} {unit} ({_words(change)}, "
                f"{cost.images:,} {cost.source}, {cost.runtime})",
                f"{name} was not written; raise `max_loss`, or export as {_other(asked)}",
            )


def _words(change: ScoreChange) -> str:
    return f"{change.float32:.3f} → {change.quantised:.3f}"


def _other(asked: Quantisation) -> str:
    return "f16" if asked.kind == INT8 else "float32"
