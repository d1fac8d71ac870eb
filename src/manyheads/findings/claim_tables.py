"""The tables of the lesson's claims, for the screen and the report."""

from __future__ import annotations

from manyheads.core.table import Table, TableColumn, names, numbers
from manyheads.core.text import NOTHING, counted, decimal, interval, p_value, percent
from manyheads.findings.claim_record import EnsembleClaim, LongerClaim
from manyheads.findings.claim_words import epochs_words, way_words
from manyheads.findings.training_length import Reach
from manyheads.findings.wording import METRIC_WORDS, difference_words
from manyheads.stats.intervals import Estimate

ROWS = 40  # of contrasts between candidates


def ways_table(claim: EnsembleClaim) -> Table:
    """A row for each way to answer, with its scores and how often its members disagree."""
    return Table(
        caption="Ways to answer, with 95 % intervals",
        columns=[
            *names("way", "over"),
            *numbers("accuracy", "log loss", "calibration error", "members disagree"),
        ],
        rows=[
            (
                way_words(way.kind, way.size),
                counted(
                    way.draws, "seed" if way.kind in ("subnetworks", "weight_scaling") else "subset"
                ),
                *(_score(each) for each in (way.accuracy, way.log_loss, way.ece)),
                NOTHING if way.disagreement is None else _share(way.disagreement),
            )
            for way in claim.ways
        ],
    )


def contrasts_table(claim: EnsembleClaim) -> Table:
    """A row for each comparison of two ways in a score."""
    return Table(
        caption="Differences, first minus second",
        columns=[
            *names("score", "first", "second"),
            *numbers("first − second [95 %]", "p (Holm)"),
            TableColumn("the first is", "words", key=True),
        ],
        rows=[
            (
                METRIC_WORDS[each.metric],
                way_words(each.first, each.first_size),
                way_words(each.second, 1),
                difference_words(each.metric, each.difference),
                p_value(each.p),
                each.outcome,
            )
            for each in claim.contrasts
        ],
    )


def reach_table(claim: LongerClaim) -> Table:
    """A row for each candidate: after how many epochs it was best, and in how many heads."""
    return Table(
        caption="Epochs to the best score, with 95 % intervals",
        columns=[
            *names("candidate"),
            *numbers(
                "heads", "to the best\nlog loss", "best\npassed", "lowest\nlog loss",
                "accuracy\nthere",
                "to the best\naccuracy", "best\npassed",
            ),
        ],
        rows=[
            (
                each.name,
                f"{each.heads:,}",
                _reach(each.log_loss),
                percent(each.log_loss.past_best, 0),
                _score(each.lowest_log_loss),
                _score(each.accuracy_there),
                _reach(each.accuracy),
                percent(each.accuracy.past_best, 0),
            )
            for each in claim.candidates
        ],
    )  # fmt: skip


def epochs_table(claim: LongerClaim) -> Table:
    """A row for each pair of candidates: how many epochs more the first needs."""
    named = {each.candidate: each.name for each in claim.candidates}
    more = len(claim.contrasts) - ROWS
    return Table(
        caption="Epochs that the first needs more than the second"
        + (f"; {counted(more, 'more pair')} in longer.json" if more > 0 else ""),
        columns=[
            *names("to the best", "first", "second"),
            *numbers("epochs more [95 %]", "p (Holm)"),
            TableColumn("the first needs", "words", key=True),
        ],
        rows=[
            (
                METRIC_WORDS[each.metric],
                named[each.first],
                named[each.second],
                epochs_words(each.difference),
                p_value(each.p),
                each.outcome,
            )
            for each in claim.contrasts[:ROWS]
        ],
    )


def _score(found: Estimate) -> str:
    return interval(found.value, found.low, found.high)


def _share(found: Estimate) -> str:
    """A share in percent; the symmetric interval of a mean may pass 0 and 1, which it cannot."""
    low = None if found.low is None else max(found.low, 0.0)
    high = None if found.high is None else min(found.high, 1.0)
    return f"{interval(found.value, low, high, lambda share: decimal(100 * share, 1))} %"


def _reach(reach: Reach) -> str:
    return ("at least " if reach.past_best < 1 else "") + epochs_words(reach.epoch, 1)
