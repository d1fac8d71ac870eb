"""Which differences between candidates are real: every pair, or each against a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from manyheads.errors import SettingError
from manyheads.evidence.deciding import Parts, decided
from manyheads.evidence.records import COMPARED, Comparison, Comparisons, Margins
from manyheads.evidence.statistics import Layout, corrected_t, fold_means, two_way
from manyheads.evidence.validated import Validated

MOST_IN_PAIRS = 20  # candidates


def compare(
    validated: Validated,
    *,
    baseline: int | None = None,
    margins: Margins | None = None,
    among: Sequence[int] | None = None,
) -> Comparisons:
    """Compare every pair of candidates, or each with the `baseline`, by log loss and accuracy.

    `among` limits it to some candidates. A pair is compared on the seeds of which both have
    finished every trial. The chance that any of all these comparisons is wrongly declared, by
    either metric, is at most 5 %. Raises `SettingError` for a candidate that is not there, and
    for pairs of more than 20.
    """
    margins = margins or Margins()
    candidates = _chosen(validated, among, baseline)
    if baseline is None:
        pairs = list(combinations(candidates, 2))
    else:
        pairs = [(each, baseline) for each in candidates if each != baseline]
    layout = Layout.of(validated.units, validated.fold_of, validated.folds)
    found: list[Comparison] = []
    parts: list[Parts | None] = []
    means: dict[str, dict[int, float | None]] = {}
    for metric in COMPARED:
        sums = {c: layout.sums(validated.scores(c, metric)) for c in candidates}
        finished = {c: np.isfinite(sums[c]).all(axis=(1, 2)) for c in candidates}
        means[metric] = {c: _mean(sums[c][finished[c]], layout) for c in candidates}
        for first, second in pairs:
            both = finished[first] & finished[second]
            comparison, part = _estimated(
                Comparison(first, second, metric, None, int(both.sum())),
                sums[first][both] - sums[second][both],
                layout,
            )
            found.append(comparison)
            parts.append(part)
    outcomes = decided(found, parts, layout, margins)
    return Comparisons(candidates, baseline, margins, tuple(outcomes), means)


def _chosen(
    validated: Validated, among: Sequence[int] | None, baseline: int | None
) -> tuple[int, ...]:
    wanted = set(validated.candidates if among is None else among)
    if baseline is not None:
        wanted.add(baseline)
    missing = sorted(wanted - set(validated.candidates))
    if missing:
        raise SettingError(
            "candidates that were trained to their end",
            ", ".join(map(str, missing)),
            f"choose among {', '.join(map(str, validated.candidates[:MOST_IN_PAIRS]))}"
            + (" …" if len(validated.candidates) > MOST_IN_PAIRS else ""),
        )
    if baseline is None and len(wanted) > MOST_IN_PAIRS:
        raise SettingError(
            f"at most {MOST_IN_PAIRS} candidates to compare in pairs",
            f"{len(wanted):,}",
            "name some of them, or a baseline to compare each with",
        )
    return tuple(each for each in validated.candidates if each in wanted)


def _mean(sums: Float64[np.ndarray, "seeds repeats units"], layout: Layout) -> float | None:
    if not len(sums):
        return None
    return float(sums.sum() / (sums.shape[0] * sums.shape[1] * layout.images))


def _estimated(
    comparison: Comparison, sums: Float64[np.ndarray, "seeds repeats units"], layout: Layout
) -> tuple[Comparison, Parts | None]:
    """The difference, and the parts of its variance if there is enough to estimate them from."""
    if not comparison.seeds:
        return replace(comparison, reason="no seed of which both finished every trial"), None
    estimate = two_way(sums, layout)
    comparison = replace(comparison, difference=estimate.difference)
    if comparison.seeds == 1:
        reason = "one seed cannot tell a setting from its seed"
        return replace(comparison, reason=reason, needs_seeds=2), None
    if not estimate.df_units:
        return replace(comparison, reason="one image, or group of images, tells nothing"), None
    folds = None
    if layout.folds > 1:
        folds = corrected_t(fold_means(sums, layout), layout.folds)
    return comparison, (estimate, folds)
