"""An estimator's heads on their backbone as one file: a model as studies write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manyheads.errors import ModelError
from manyheads.features.variants import Extractor
from manyheads.heads.averaged import averaged
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.models.card import ModelCard
from manyheads.models.checkpoints import MODEL_SUFFIXES
from manyheads.models.drafts import drafts, put
from manyheads.models.templates import write_model


def save_model(
    target: Path,
    extractor: Extractor,
    heads: Sequence[Parameters],
    setting: Hyperparameters,
    classes: Sequence[str],
) -> None:
    """Write the whole network, with its side file, as `target`, whole or not at all.

    Raises `ModelError` for a name that does not end as such a network's file, or two classes that
    are written alike; `DiskError` if the disk refuses.
    """
    spec, weights, image = extractor.spec, extractor.weights, extractor.image
    suffixes = MODEL_SUFFIXES if spec.in_keras else (".xml",)
    if target.suffix not in suffixes:
        raise ModelError(
            f"a file name that ends with {' or '.join(suffixes)}", target.name, "name it so"
        )
    if len(set(classes)) < len(classes):
        raise ModelError("classes with different names", ", ".join(classes), "fit to other classes")
    card = ModelCard.of_network(spec, weights, image, classes=classes, data="HeadClassifier")
    with drafts(target.parent / f".{target.name}-draft") as scratch:
        write_model(spec, weights, image.size, (averaged(heads), setting), scratch / target.name)
        put(scratch, target, card)
