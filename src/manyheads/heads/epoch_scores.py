"""Scores of an epoch in which classes count alike: balanced accuracy and macro F1."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

SCORED = ("balanced_accuracy", "macro_f1")
"""Metrics that an engine computes for the rules that select by them, and for no others."""


def epoch_score(
    metric: str, answers: Int64[np.ndarray, "samples"], labels: Int64[np.ndarray, "samples"]
) -> float:
    """`metric` of the classes that a head `answers` for samples with `labels`, in [0, 1].

    `balanced_accuracy` is the mean recall of the classes that have samples, `macro_f1` the mean of
    2 tp / (2 tp + fp + fn) over the classes that are a label or an answer: as in `stats.metrics`.
    """
    classes = int(max(answers.max(), labels.max())) + 1
    right = np.bincount(labels[answers == labels], minlength=classes)
    of_label, of_answer = (np.bincount(each, minlength=classes) for each in (labels, answers))
    if metric == "balanced_accuracy":
        present = of_label > 0
        return float((right[present] / of_label[present]).mean())
    either = of_label + of_answer
    return float((2 * right[either > 0] / either[either > 0]).mean())
