"""What was found on a claim, in sentences; the first is the headline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from manyheads.core.text import capital, counted, decimal, interval, joined, percent
from manyheads.findings.ensembles import Contrast, EnsembleEvidence, Kind
from manyheads.findings.mc_dropout import AVERAGES
from manyheads.findings.training_length import EpochContrast, Longer
from manyheads.findings.wording import METRIC_WORDS, CandidateNames, difference_words, margin_words
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import COMPARED, Margins

_PAIRS = 6  # named in a metric; what takes more is counted


def way_words(kind: Kind, size: int) -> str:
    """A way to answer, such as `the average of 10 subnetworks`."""
    if kind == "weight_scaling":
        return "weight scaling"
    if kind == "subnetworks":
        return "one random subnetwork" if size == 1 else f"the average of {size} subnetworks"
    each = f", each the average of {AVERAGES[-1]} subnetworks" if kind != "deep" else ""
    return f"an ensemble of {size} seeds{each}"


def epochs_words(estimate: Estimate, digits: int = 0) -> str:
    """Epochs with their interval: `41 [36, 46]`, open where an end is not known."""
    low = -math.inf if estimate.low is None else estimate.low
    high = math.inf if estimate.high is None else estimate.high
    return interval(estimate.value, low, high, partial(decimal, digits=digits))


def ensemble_sentences(
    evidence: EnsembleEvidence, margins: Margins, images: int, seeds: int, chosen: str | None
) -> tuple[str, ...]:
    """Each question with its answer, how much members differ, and what that rests on.

    `chosen`: the score by which epochs were chosen, if by any.
    """
    questions: dict[tuple[Kind, int], list[Contrast]] = {}
    for each in evidence.contrasts:
        questions.setdefault((each.first, each.first_size), []).append(each)
    sentences = [
        f"{capital(way_words(*first))} against weight scaling: "
        f"{'; '.join(_answer(each, margins) for each in answers)}."
        for first, answers in questions.items()
    ]
    return (*sentences, *_members(evidence), _ensemble_basis(evidence, images, seeds, chosen))


def _answer(contrast: Contrast, margins: Margins) -> str:
    metric, found = contrast.metric, contrast.difference
    outcome = contrast.outcome
    what = "no significant difference" if outcome == "undecided" else outcome
    what += f" in {METRIC_WORDS[metric]}"
    if outcome in ("better", "worse"):
        sign = -1 if found.value < 0 else 1
        ends = [None if end is None else sign * end for end in (found.low, found.high)]
        size = Estimate(abs(found.value), *ends[::sign])
        return f"{what} by {difference_words(metric, size)}"
    within = f", within {margin_words(metric, margins)}" * (outcome == "equivalent")
    return f"{what}{within} ({difference_words(metric, found)})"


def _members(evidence: EnsembleEvidence) -> Iterator[str]:
    """How often two members answer differently."""
    apart = {way.kind: way.disagreement for way in evidence.ways if way.disagreement}
    words = {"subnetworks": "subnetworks of one network", "deep": "seeds"}
    parts = [
        f"two {what} on {percent(found.value)}"
        for kind, what in words.items()
        if (found := apart.get(kind)) is not None
    ]
    yield f"Disagreement: {joined(parts)} of images."


def _ensemble_basis(evidence: EnsembleEvidence, images: int, seeds: int, chosen: str | None) -> str:
    basis = f"This rests on {counted(images, 'validation image')} and {counted(seeds, 'seed')}"
    if seeds == 1:
        return f"{basis}; with one seed, differences cannot be told from seed noise."
    one = min(each.draws for each in evidence.contrasts) == 1
    few = ", of which there is one ensemble" if one else ""
    favour = (
        f"; the epochs were chosen by the {chosen} of weight scaling on these images, which "
        "favours it a little"
        if chosen
        else ""
    )
    return (
        f"{basis}{few}, with intervals adjusted for {len(evidence.contrasts)} comparisons: the "
        f"family-wise error rate is at most 5 %{favour}."
    )


def longer_sentences(
    candidates: Sequence[Longer],
    contrasts: Sequence[EpochContrast],
    names: CandidateNames,
    *,
    limit: int,
    images: int,
    seeds: int,
    folds: int,
) -> tuple[str, ...]:
    """Who needs longer to which best score, whose best is not known, and what that rests on."""
    sentences = []
    for metric in COMPARED:
        mine = [each for each in contrasts if each.metric == metric]
        sentences += [_needs(metric, mine, names)] if mine else []
    sentences += list(_cut_off(candidates, names, limit))
    if not contrasts:
        sentences.insert(0, "There is nothing to compare: one candidate trained to its end.")
    return (*sentences, _longer_basis(contrasts, images, seeds, folds))


def _needs(metric: str, contrasts: Sequence[EpochContrast], names: CandidateNames) -> str:
    """Declared differences, grouped by who needs longer."""
    longer: dict[int, list[str]] = {}
    declared = sorted(
        (each for each in contrasts if each.outcome != "undecided"),
        key=lambda each: -abs(each.difference.value),
    )
    for each in declared[:_PAIRS]:
        first, second, found = each.first, each.second, each.difference
        if each.outcome == "fewer":
            first, second = second, first
            low, high = (None if end is None else -end for end in (found.high, found.low))
            found = Estimate(-found.value, low, high)
        bound = "at least " if found.high is None else ""
        longer.setdefault(first, []).append(
            f"{bound}{epochs_words(found)} epochs more than {names.then([second])}"
        )
    word, undecided = METRIC_WORDS[metric], len(contrasts) - len(declared)
    if not declared:
        return f"Epochs to the best {word}: no significant difference."
    clauses = [f"{names.first([who])} needs {joined(what)}" for who, what in longer.items()]
    rest = len(declared) - _PAIRS
    clauses += [f"{counted(rest, 'smaller difference')} as real"] if rest > 0 else []
    clauses += [f"{counted(undecided, 'difference')} undecided"] if undecided else []
    return f"To the best {word}, {'; '.join(clauses)}."


def _cut_off(candidates: Sequence[Longer], names: CandidateNames, limit: int) -> Iterator[str]:
    for metric, remedy in (
        ("log_loss", f"more `epochs` (so far {limit:,}) would tell"),
        ("accuracy", "more `patience` would tell, unless accuracy stays level"),
    ):
        reached = ((each.candidate, getattr(each, metric)) for each in candidates)
        cut = [(candidate, reach) for candidate, reach in reached if reach.past_best < 1]
        if not cut:
            continue
        shown = [
            f"{names.first([candidate])} (in {100 * (1 - reach.past_best):.0f} % of heads; at "
            f"least {_epochs(reach.epoch.value)})"
            for candidate, reach in cut[:_PAIRS]
        ]
        more = f" and {len(cut) - _PAIRS} more" if len(cut) > _PAIRS else ""
        yield (
            f"By {METRIC_WORDS[metric]}, {joined(shown)}{more} had not clearly passed the best "
            f"epoch when training ended; {remedy}."
        )


def _longer_basis(contrasts: Sequence[EpochContrast], images: int, seeds: int, folds: int) -> str:
    on = counted(images, "validation image")
    drawn = "seeds drawn anew, on these images"
    if folds > 1:
        on, drawn = f"{counted(images, 'image')} in {folds} folds", "other folds and seeds"
    basis = f"This rests on {on} and {counted(seeds, 'seed')}"
    if seeds == 1 and folds == 1:
        return f"{basis}; with one seed, differences cannot be told from seed noise."
    return (
        f"{basis}, with intervals for {drawn}, adjusted for "
        f"{counted(len(contrasts), 'comparison')}: the family-wise error rate is at most 5 %."
    )


def _epochs(value: float) -> str:
    return counted(round(value), "epoch")
