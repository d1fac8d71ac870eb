"""The rule before this one, to be measured beside it: see docs/decisions/0013.

Differences were decided by images and seeds and, in folds, by the corrected resampled t over folds
(Nadeau and Bengio 2003), whichever was less sure; without pseudo-units, without moderation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.stats.behrens_fisher import p_value, student_p
from manyheads.stats.paired import Margins, Paired
from manyheads.stats.variances import Folds, holm


def former_outcomes(
    family: Sequence[Paired], folds: Sequence[Folds | None], margins: Margins
) -> list[str]:
    """What each difference of a family was declared to be: different, equivalent or undecided."""
    size = np.array([abs(found.both.difference) for found in family])
    margin = np.array([margins.of(found.metric) for found in family])
    p = np.array([_p(*each) for each in zip(size, family, folds, strict=True)])
    distance = np.maximum(margin - size, 0)
    same = np.array([_p(*each) for each in zip(distance, family, folds, strict=True)]) / 2
    same = np.where(size < margin, same, 1.0)
    return [
        "equivalent" if alike <= 0.05 else "different" if apart <= 0.05 else "undecided"
        for apart, alike in zip(holm(p), holm(same), strict=True)
    ]


def _p(distance: float, found: Paired, folds: Folds | None) -> float:
    both = found.both
    images, heads = both.variance - both.of_seeds, both.of_seeds
    if images + heads <= 0:
        return float(distance == 0)
    columns = (distance, images, heads, float(both.df_units), float(max(1, both.df_seeds)))
    p = float(p_value(*map(np.array, columns)))
    if folds is not None:
        error, df = np.array(folds.variance**0.5), np.array(float(folds.df))
        p = max(p, float(student_p(np.array(distance), error, df)))
    return p
