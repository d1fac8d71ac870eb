"""How sure a head is of one image, by its subnetworks: Monte-Carlo dropout.

Gal and Ghahramani 2016: with dropout left on, a network gives another answer with each mask, and
how far these are apart says how much its answer depends on the units that happened to be there.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.settings import whole
from manyheads.errors import ModelError
from manyheads.heads.head import Parameters
from manyheads.heads.subnetworks import random_masks, subnetwork_probabilities
from manyheads.models.network import Row
from manyheads.models.prediction import Uncertainty

MASKS = 100
_MOST = 10_000
_TAILS = (2.5, 97.5)  # percentiles
_FOLD = 0


class Subnetworks:
    """`masks` subnetworks of a head, drawn anew for each content: always the same for the same.

    A unit is kept with chance `1 − droprate`.
    """

    def __init__(self, head: Parameters, droprate: float, masks: int = MASKS) -> None:
        self._head, self._droprate = head, droprate
        self._masks = whole("uncertainty", masks, 2, _MOST)

    def of(self, content: str, row: Row, best: int) -> Uncertainty:
        """What they say of class `best` for the image of a content with these features."""
        seed, units = int(content[:32], 16), len(self._head.inner_bias)
        keep = random_masks(seed, _FOLD, self._masks, units, self._droprate)
        found = subnetwork_probabilities(self._head, row[np.newaxis], keep, self._droprate)
        probabilities = found[:, 0]
        low, high = np.percentile(probabilities[:, best].astype(np.float64), _TAILS)
        others = np.count_nonzero(probabilities.argmax(axis=1) != best) / self._masks
        return Uncertainty(float(low), float(high), float(others))


def subnetworks_of(file: Path, head: Parameters | None, masks: int) -> Subnetworks:
    """The subnetworks of a model's head, at the droprate that it was trained with.

    Raises `ModelError` if it has none, because it was trained without dropout or an inner layer,
    or if there is no `head`, because this file is not run as one on its backbone's features.
    """
    if head is None:
        raise ModelError(
            f"{file.name} to run as a head on its backbone's features", "one program for all of it",
            "give the run folder, on a machine whose cache has the backbone, or leave out "
            "`uncertainty`",
        )  # fmt: skip
    droprate = trained_droprate(file) if head.has_inner else 0.0
    if not 0 < droprate < 1:
        found = "a droprate of 0" if head.has_inner else "no inner layer"
        raise ModelError(
            f"a head with dropout in {file.name}, which has subnetworks to ask", found,
            "train a candidate with a droprate above 0, or leave out `uncertainty`",
        )  # fmt: skip
    return Subnetworks(head, droprate, masks)


def trained_droprate(file: Path) -> float:
    """The droprate in the configuration of a .keras file; 0 if there is no dropout on the head."""
    with zipfile.ZipFile(file) as archive:
        config: dict[str, Any] = json.loads(archive.read("config.json"))
    # Of the backbone, which is a layer among these, the own dropout is inside of it.
    rates = [
        layer["config"]["rate"]
        for layer in config["config"]["layers"]
        if layer["class_name"] == "Dropout"
    ]
    return float(rates[-1]) if rates else 0.0
