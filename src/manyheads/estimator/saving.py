"""An estimator's heads on their backbone as one file: a model as studies write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.errors import ModelError
from manyheads.heads.averaged import averaged
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.model.card import ModelCard, card_path, write_card
from manyheads.model.checkpoints import MODEL_SUFFIXES
from manyheads.model.templates import write_model
from manyheads.places import atomic_path, disk_errors
from manyheads.settings import ImageSettings


def save_model(
    target: Path,
    parts: tuple[BackboneSpec, Weights, ImageSettings],
    heads: Sequence[Parameters],
    setting: Hyperparameters,
    classes: Sequence[str],
) -> None:
    """Write the whole network, with its side file, as `target`, whole or not at all.

    Raises `ModelError` for a name that ends otherwise than a Keras file, or two classes that are
    written alike; `DiskError` if the disk refuses.
    """
    if target.suffix not in MODEL_SUFFIXES:
        raise ModelError(
            f"a file name that ends with {' or '.join(MODEL_SUFFIXES)}", target.name,
            "name it so",
        )  # fmt: skip
    if len(set(classes)) < len(classes):
        raise ModelError("classes with different names", ", ".join(classes), "fit to other classes")
    spec, weights, image = parts
    card = ModelCard(
        classes=tuple(classes),
        backbone=spec.name,
        weights=weights.digest,
        weights_source=weights.source,
        image=image,
        preprocessing=spec.preprocessing,
        data="HeadClassifier",
    )
    with atomic_path(target) as draft:
        write_model(spec, weights, image.size, (averaged(heads), setting), draft)
        # No side file ever stands beside another's model.
        with disk_errors(target):
            card_path(target).unlink(missing_ok=True)
    write_card(target, card)
