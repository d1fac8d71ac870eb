"""The scores of a candidate, computed from its predictions."""

from __future__ import annotations

import numpy as np

from manyheads.findings.score_tables import LABEL_SCORES, SCORES
from manyheads.findings.study_findings import Findings
from manyheads.stats import label_metrics, metrics
from manyheads.study.select import MeanDeviation


def candidate_scores(findings: Findings, candidate: int) -> dict[str, MeanDeviation]:
    """Mean and deviation over seeds by score, each seed's answers of the first repeat put together.

    Empty for a candidate without a seed that finished.
    """
    predicted = findings.validated.log_probabilities(candidate)[:, 0]
    predicted = predicted[np.isfinite(predicted).all(axis=(1, 2))]
    labels, targets = findings.validated.labels, findings.validated.targets
    if targets is not None:
        scored = {
            name: label_metrics.OF_IMAGES[name](predicted, targets).mean(axis=-1)
            for name in (LABEL_SCORES if len(predicted) else ())
        }
        return {name: MeanDeviation.of(each.tolist()) for name, each in scored.items()}
    return {
        name: MeanDeviation.of(metrics.METRICS[name](predicted, labels).tolist())
        for name in (SCORES if len(predicted) else ())
    }
