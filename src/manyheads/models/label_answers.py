"""What a model says of an image, of its logits: one class, or each label above its threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manyheads.core.label_sets import set_text
from manyheads.errors import ModelError
from manyheads.heads.head import sigmoid, softmax
from manyheads.models.card import ModelCard
from manyheads.models.prediction import Prediction


def of_one_class(
    name: str,
    card: ModelCard,
    logits: Float32[np.ndarray, "classes"],
    least: float,
) -> Prediction:
    """The prediction for the image `name`: its most probable class, unless below `least`."""
    chances = softmax(logits[np.newaxis])[0]
    best = int(chances.argmax())
    confidence = float(chances[best])
    abstained = confidence < least
    return Prediction(
        name,
        None if abstained else card.classes[best],
        confidence,
        dict(zip(card.classes, map(float, chances), strict=True)),
        abstained=abstained,
    )


def of_several_labels(
    name: str,
    card: ModelCard,
    logits: Float32[np.ndarray, "labels"],
    least: float,
) -> Prediction:
    """The prediction for the image `name`, of the logits of a model with this `card`.

    Its confidence is the least probability, over all labels, of what is said of it; below `least`
    the model abstains.
    """
    assert card.thresholds is not None
    chances = sigmoid(logits)
    said = chances > np.array(card.thresholds)
    confidence = float(np.where(said, chances, 1 - chances).min())
    abstained = confidence < least
    found = tuple(label for label, is_said in zip(card.classes, said, strict=True) if is_said)
    return Prediction(
        name,
        None if abstained else set_text(found),
        confidence,
        dict(zip(card.classes, map(float, chances), strict=True)),
        abstained=abstained,
        labels=() if abstained else found,
    )


def require_one_class(card: ModelCard, path: Path, uncertainty: int) -> None:
    """Raise `ModelError` if subnetworks are asked of a model of several labels."""
    if uncertainty and card.several_labels:
        raise ModelError(
            "a model of one class per image, for `uncertainty`",
            f"{path.name}, which may say several labels", "leave out `uncertainty`",
        )  # fmt: skip
