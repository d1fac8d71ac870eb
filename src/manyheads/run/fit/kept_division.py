"""What a fit keeps of a former run: the folds of images, and what its plan says of it first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from manyheads.data.changes import KEPT_BYTES
from manyheads.data.dataset import Dataset


@dataclass(frozen=True)
class KeptDivision:
    """The fold, from 0, by the beginning of an image's digest; `lines` of the plan say why."""

    lines: tuple[tuple[str, str], ...]
    folds: Mapping[bytes, int]

    def given_to(self, dataset: Dataset) -> Dataset:
        """The data set with the folds that its images are known to have."""
        starts = np.ascontiguousarray(dataset.digests.values[:, :KEPT_BYTES])
        known = [self.folds.get(row.tobytes(), -1) for row in starts]
        return replace(dataset, known_folds=np.array(known, np.int64))
