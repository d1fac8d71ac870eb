"""The section of a report on several labels per image, in the place of the confusion matrix."""

from __future__ import annotations

from manyheads.core.text import counted
from manyheads.findings.label_scores import PARTS, fallback_words, validated_label_scores
from manyheads.findings.score_tables import model_scores_table
from manyheads.findings.study_findings import Findings
from manyheads.report.content import Missing, Section

NO_CONFUSION = Missing(
    "An image may have several labels, so that none is confused with another: the section Labels "
    "has each one's scores.",
    "",
)
"""Why a report of several labels lacks what is about classes."""


def label_section(findings: Findings) -> Section | None:
    """How well each label is found; None for a study of one class per image."""
    if findings.validated.label_sets is None:
        return None
    found = validated_label_scores(findings.validated, findings.selected)
    images = counted(len(findings.validated.labels), "validation image")
    held_out = (
        f"each of {PARTS} parts of the validation images"
        if findings.settings.folds is None
        else "each fold"
    )
    return Section(
        title="Labels",
        paragraphs=(
            f"Of one head of the selected setting, on {images} that it was not trained on. A label "
            "is said where its probability is above its threshold, at which F1 is greatest. F1, "
            f"accuracy and exact match are of the answers in {held_out} at thresholds chosen on "
            "the others; average precision and log loss need no threshold.",
            "Mean average precision and macro F1 are means over the labels that some image has, "
            "accuracy is the share of labels told right, and exact match the share of images with "
            "all labels right. Intervals are of the bootstrap over images (of exact match: "
            "Wilson's).",
            *filter(None, [fallback_words(found)]),
        ),
        tables=(model_scores_table(f"Scores on {images}", found.scores), found.table),
    )
