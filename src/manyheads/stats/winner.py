"""What the selected setting will achieve on new images, without a test set.

The winner's score on the images that chose it is too good: the more candidates there are, the
luckier is the best. The bias-corrected bootstrap (Tsamardinos, Greasidou and Borboudakis 2018,
Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation) chooses
anew on images that are drawn with replacement, and scores what it chooses on those that were not
drawn. It trains nothing: all it needs are predictions for images that validated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.stats.comparisons import Differences
from manyheads.stats.intervals import Estimate, at_the_border
from manyheads.stats.paired import ALPHA, COMPARED, RESERVE, SHARES

RESAMPLES = 1000
_AT_ONCE = 10_000_000  # weights in one block of resamples

Table = Float64[np.ndarray, "candidates units"]


@dataclass(frozen=True)
class WinnerScore:
    """A score of the selected setting: `naive` on the images that chose it, and corrected.

    `low` to `high` is a 95 % interval for images and seeds drawn anew; None where it cannot be
    told. Of an accuracy on which all images agree, such as 8 right of 8, it is Wilson's. Accuracy
    is a share in [0, 1], log loss in nats.
    """

    metric: str
    naive: float
    score: float
    low: float | None
    high: float | None


def winner_scores(
    differences: Differences,
    selected: int,
    leading: str,
    *,
    among: Sequence[int],
    also: Sequence[str] = (),
    seed: int = 0,
) -> tuple[WinnerScore, ...]:
    """The scores to expect of the candidate that the metric `leading` selected `among` others.

    They are log loss, accuracy, the leading metric and those in `also`, each once.

    Units are drawn `RESAMPLES` times; the candidate that is best in the bag is scored out of it.
    The score is the mean of that, and the interval reaches from its 2.5 % to its 97.5 % quantile.
    This is careful: a bag leaves out about 37 % of the units, so that scores out of it vary by more
    than scores of all. The score of a candidate is the mean over seeds of its heads at their best
    epochs in the metric, less the luck of choosing an epoch on the scored images
    (`OtherEpochs.luck`). Equal inputs give equal scores. None are given of a candidate that
    finished no seed.
    """
    finished = [each for each in among if np.isfinite(differences.mean(each, "accuracy"))]
    if selected not in finished:
        return ()
    metrics = dict.fromkeys((*COMPARED, leading, *also))
    tables = {m: np.stack([differences.unit_means(c, m) for c in finished]) for m in metrics}
    outside = _outside(tables, leading, differences.layout.sizes, seed)
    results = []
    for metric, scores in outside.items():
        seeds = differences.validated.seeds_of(selected)
        luck = float(differences.validated.luck(selected, metric)[seeds].mean())
        own, most = differences.mean(selected, metric), 1.0 if metric in SHARES else np.inf
        in_folds = differences.layout.folds > 1  # there the scores are without luck already
        naive = own + luck if in_folds else own
        if not len(scores):
            results.append(WinnerScore(metric, naive, own, None, None))
            continue
        # In a given split, the best epoch was chosen on the images that are scored, out of the bag
        # too: that optimism is known for each head and is subtracted.
        score = float(scores.mean()) - (0.0 if in_folds else luck)
        # Of training images in folds, units tell too little: the reserve of a difference is theirs.
        stretch = RESERVE**0.5 if in_folds else 1.0
        without = np.clip(score + stretch * (scores - scores.mean()), 0.0, most)
        low, high = np.quantile(without, [ALPHA / 2, 1 - ALPHA / 2])
        has_interval = high > low
        estimate = Estimate(
            min(max(score, 0.0), most),
            float(low) if has_interval else None,
            float(high) if has_interval else None,
        )
        if metric == "accuracy":
            estimate = at_the_border(estimate, len(differences.layout.sizes))
        results.append(WinnerScore(metric, naive, estimate.value, estimate.low, estimate.high))
    return tuple(results)


def _outside(
    tables: dict[str, Table], leading: str, sizes: Int64[np.ndarray, "units"], seed: int
) -> dict[str, Float64[np.ndarray, "resamples"]]:
    """The scores out of the bag of the candidate that is best in the bag, for each resample."""
    units = len(sizes)
    random, out_of_bag = np.random.default_rng(seed), {metric: [] for metric in tables}
    sign = 1.0 if leading in SHARES else -1.0
    step = max(1, _AT_ONCE // units)
    for start in range(0, RESAMPLES if units > 1 else 0, step):
        rows = min(step, RESAMPLES - start)
        bag = random.multinomial(units, np.full(units, 1 / units), rows)
        # A bag that holds every unit has nothing left to be scored on.
        bag = bag[(bag == 0).any(axis=1)]
        out = (bag == 0).astype(np.float64)
        # Selection and score are two products of matrices per block: candidates × units is summed
        # up once for all resamples, and nothing is resampled image by image.
        inside = bag @ (sign * tables[leading]).T / (bag @ sizes)[:, None]
        best = inside.argmax(axis=1)
        for metric, table in tables.items():
            out_of_bag[metric].append((out * table[best]).sum(axis=1) / (out @ sizes))
    return {metric: np.concatenate([*each, np.empty(0)]) for metric, each in out_of_bag.items()}
