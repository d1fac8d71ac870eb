"""How long a head may train changes none of its numbers: patience and rungs rest on that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from manyheads.heads.epoch_rules import rank_epoch
from tests.banks import generated_fold, ready_engine, settings, train

pytestmark = pytest.mark.when_changed("keras engine")

FOLD = generated_fold()
# So fast a learner gets worse and better in turn.
HEADS = {
    "fused": [settings(epochs=12, learning_rate=rate, size_inner=8) for rate in (0.3, 0.03)],
    "keras": [settings(epochs=4, learning_rate=0.3, size_inner=8)],
}
CASES = [
    *[("fused", rule, patience) for rule in ("best_accuracy", "best_loss") for patience in (1, 3)],
    ("keras", "best_loss", 1),
]


@pytest.mark.parametrize(("name", "rule", "patience"), CASES)
def test_patience_gives_a_prefix_that_ends_when_the_rule_says(
    name: str, rule: str, patience: int
) -> None:
    heads = HEADS[name]
    whole = train(ready_engine(name), heads, [FOLD], rule=rule)
    impatient = [replace(head, patience=patience) for head in heads]
    early = train(ready_engine(name), impatient, [FOLD], rule=rule)
    for index, head in enumerate(heads):
        curve = [event.metrics for event in whole[index].epochs]
        keys = [rank_epoch(rule, epoch, metrics) for epoch, metrics in enumerate(curve, start=1)]
        best = [1 + keys.index(max(keys[:epoch])) for epoch in range(1, head.epochs + 1)]
        length = next(
            (e for e in range(1, head.epochs) if e - best[e - 1] >= patience), head.epochs
        )
        assert [event.metrics for event in early[index].epochs] == curve[:length]
        assert early[index].losses.tobytes() == whole[index].losses[: 3 * length].tobytes()
        end = early[index].end
        assert end is not None
        assert (end.status, end.epoch) == ("done", best[length - 1])
    assert min(len(story.epochs) for story in early.values()) < heads[0].epochs


def test_patience_that_outlasts_the_best_epoch_chooses_its_parameters() -> None:
    heads = HEADS["fused"]
    whole = train(ready_engine("fused"), heads, [FOLD], rule="best_loss")
    patient = [replace(head, patience=10) for head in heads]
    early = train(ready_engine("fused"), patient, [FOLD], rule="best_loss")
    for index in range(len(heads)):
        for left, right in zip(whole[index].parameters, early[index].parameters, strict=True):
            np.testing.assert_array_equal(left, right)


def test_fewer_epochs_give_a_prefix() -> None:
    heads = HEADS["fused"]
    whole = train(ready_engine("fused"), heads, [FOLD])
    short = train(ready_engine("fused"), [replace(head, epochs=2) for head in heads], [FOLD])
    for index in range(len(heads)):
        first = [event.metrics for event in whole[index].epochs[:2]]
        assert [event.metrics for event in short[index].epochs] == first
        end = short[index].end
        assert end is not None
        assert end.status == "done"
