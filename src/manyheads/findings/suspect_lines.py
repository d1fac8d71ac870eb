"""What near-duplicates and suspicious labels mean for a study, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.data.splits import SPLITS
from manyheads.findings.labels import SuspiciousLabels
from manyheads.findings.similar import SimilarImages
from manyheads.study.space import counted


def spoiling_problems(similar: SimilarImages) -> Iterator[str]:
    """The line for near-duplicates that make scores wrong, if there are any."""
    if found := similar.across_splits:
        pair = similar.pairs[0]
        judged = max(pair.splits, key=SPLITS.index)
        yield (
            f"{counted(found, 'pair')} of nearly identical images across splits, such as "
            f"{' and '.join(pair.names)}: scores on {judged} are optimistic"
        )


def lesser_problems(
    similar: SimilarImages | None, labels: SuspiciousLabels | None
) -> Iterator[str]:
    """The lines for whatever else was found."""
    if similar is not None:
        yield from _similar(similar)
    if labels is not None:
        yield from _labels(labels)


def _similar(similar: SimilarImages) -> Iterator[str]:
    if found := similar.differ_in_label:
        pair = next((pair for pair in similar.pairs if pair.differs_in_label), similar.pairs[0])
        yield (
            f"{counted(found, 'pair')} of nearly identical images with different labels, such as "
            f"{' and '.join(pair.names)} ({' and '.join(pair.labels)}): look which is right"
        )
    if found := similar.found - similar.across_splits:
        pair = next((pair for pair in similar.pairs if not pair.across_splits), similar.pairs[0])
        yield (
            f"{counted(found, 'pair')} of nearly identical images within a split, such as "
            f"{' and '.join(pair.names)}"
        )


def _labels(labels: SuspiciousLabels) -> Iterator[str]:
    if found := labels.suspicious:
        worst = found[0]
        yield (
            f"{counted(len(found), 'suspicious label')}, such as that of {worst.name}: labelled "
            f"{worst.label}, looks like {worst.suggested} ({100 * worst.confidence:.0f} %)"
        )
