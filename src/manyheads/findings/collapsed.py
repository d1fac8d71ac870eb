"""Heads that say the same class of every image: their trials are done, but they learned nothing.

The usual reason is a learning rate that is too high: steps so large that no inner unit is above
zero for any image leave the bias alone. All of it is finite, so no engine calls it a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import counted

_LISTED = 3  # candidates; more are counted


@dataclass(frozen=True)
class Collapsed:
    """A candidate, counted from 1, of whose `heads` so many predict `one_class` only."""

    candidate: int
    one_class: int
    heads: int


def collapsed(validated: Validated, candidates: Sequence[int]) -> list[Collapsed]:
    """Of `candidates`, those with heads that predict one class of all images that validated them.

    The candidate with the largest share of such heads is first.

    Heads are judged at their chosen epochs, each on its own fold, where that has labels of several
    classes; failed trials are none. Reads the predictions of every candidate.
    """
    folds = [
        (repeat, images)
        for repeat, row in enumerate(validated.fold_of)
        for fold in range(validated.folds)
        if len(np.unique(validated.labels[images := np.flatnonzero(row == fold)])) > 1
    ]
    found = []
    for candidate in candidates:
        predicted = validated.log_probabilities(candidate)
        failed = np.asarray(np.isnan(predicted).any(axis=-1))
        answers = predicted.argmax(axis=-1)[..., None]
        if validated.label_sets is not None:
            answers = predicted > 0
        one_class = heads = 0
        for repeat, images in folds:
            own = answers[:, repeat, images]
            done = ~failed[:, repeat, images].any(axis=1)
            heads += int(done.sum())
            one_class += int((done & (own == own[:, :1]).all(axis=(1, 2))).sum())
        if one_class:
            found.append(Collapsed(candidate, one_class, heads))
    return sorted(found, key=lambda each: -each.one_class / each.heads)


def collapsed_words(
    validated: Validated, found: Sequence[Collapsed], judged: int | None = None
) -> str | None:
    """All that was `found` among the `judged` best candidates, in a sentence; None for nothing.

    Such as `5 of 10 heads of learning_rate 0.1 predict one class only; lower …`
    """
    if not found:
        return None
    parts = []
    for each in found[:_LISTED]:
        name = validated.name(each.candidate)
        name = f"({name})" if "," in name else name
        heads = counted(each.heads, "head") if each is found[0] else f"{each.heads:,}"
        parts.append(f"{each.one_class:,} of {heads} of {name}")
    if len(found) > _LISTED:
        parts.append(f"some of {counted(len(found) - _LISTED, 'more candidate')}")
    verb = "predicts" if len(found) == found[0].one_class == 1 else "predict"
    some = judged is not None and judged < len(validated.candidates)
    among = f"Of the best {judged} candidates, " if some else ""
    what = "one class only" if validated.label_sets is None else "the same labels of every image"
    return (
        f"{among}{', '.join(parts)} {verb} {what}; lower the learning_rate, or raise it if "
        "they have hardly begun to learn."
    )
