"""The answer in words: what the evidence separates, what it does not, and what would settle it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manyheads.evidence.comparisons import COMPARED, Comparison, Comparisons
from manyheads.evidence.needs import Needs
from manyheads.evidence.validated import Validated
from manyheads.study.space import counted

_SHOWN = 3
_WORDS = {"log_loss": "log loss", "accuracy": "accuracy"}
_WAYS = {"log_loss": ("lower", "higher"), "accuracy": ("higher", "lower")}  # better, worse


@dataclass(frozen=True)
class Verdict:
    """The answer of a study: a few plain sentences, and the comparisons that they rest on."""

    sentences: tuple[str, ...]
    comparisons: Comparisons

    def __str__(self) -> str:
        return " ".join(self.sentences)


def verdict_of(
    validated: Validated, comparisons: Comparisons, selected: int | None = None
) -> Verdict:
    """A sentence a metric, one on the candidate that was `selected`, one on what it rests on."""
    if not comparisons.entries:
        found = counted(len(validated.candidates), "candidate")
        return Verdict((f"There is nothing to compare: {found} trained to the end.",), comparisons)
    sentences = [_of_metric(validated, comparisons, metric) for metric in COMPARED]
    if selected is not None:
        sentences.extend(_of_selected(validated, comparisons, selected))
    sentences.append(_basis(validated, comparisons))
    return Verdict(tuple(sentences), comparisons)


def interval_words(entry: Comparison, sign: float = 1.0) -> str:
    """A difference, times `sign`, with the interval that decides: `0.048 [0.024, 0.072]`.

    Log loss in nats, accuracy in points (hundredths).
    """
    low, high = deciding(entry)
    scale, digits, unit = (100.0, 1, " points") if entry.metric == "accuracy" else (1.0, 3, "")
    ends = sorted((sign * scale * low, sign * scale * high))
    value = sign * scale * entry.difference
    return f"{value:.{digits}f} [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]{unit}"


def deciding(entry: Comparison) -> tuple[float, float]:
    """The wider of a comparison's two intervals."""
    if entry.fold_low is None or entry.fold_high is None:
        return entry.low, entry.high
    if entry.fold_high - entry.fold_low > entry.high - entry.low:
        return entry.fold_low, entry.fold_high
    return entry.low, entry.high


def needs_words(needs: Needs, validated: Validated) -> str:
    """What would settle a question, such as `about 12 seeds`; empty if nothing within reach."""
    if needs.seeds is not None:
        return f"{counted(needs.seeds, 'seed')}"
    if needs.repeats is not None:
        return f"{counted(needs.repeats, 'repeat')} of the folds"
    if needs.images is not None:
        return f"about {needs.images:,} images instead of {len(validated.labels):,}"
    return ""


def _of_metric(validated: Validated, comparisons: Comparisons, metric: str) -> str:
    entries = comparisons.of(metric)
    declared = [entry for entry in entries if entry.outcome in ("better", "worse")]
    counts = {kind: sum(entry.outcome == kind for entry in entries) for kind in _KINDS}
    margin = getattr(comparisons.margins, metric)
    within = f"{100 * margin:g} points" if metric == "accuracy" else f"{margin:g}"
    rest = [
        f"{counts[kind]:,} {words.format(within)}" for kind, words in _KINDS.items() if counts[kind]
    ]
    name = _WORDS[metric]
    if not declared:
        of_all = counted(len(entries), "difference")
        return f"{name.capitalize()} separates none of them: of {of_all}, {' and '.join(rest)}."
    declared.sort(key=lambda entry: -abs(entry.difference))
    shown = "; ".join(_declared(validated, entry) for entry in declared[:_SHOWN])
    more = len(declared) - _SHOWN
    also = f"; and {more:,} more" if more > 0 else ""
    others = f" Of the other differences, {' and '.join(rest)}." if rest else ""
    return f"{name.capitalize()} is {shown}{also}.{others}"


_KINDS = {"equivalent": "equivalent within ±{}", "undecided": "undecided"}


def _declared(validated: Validated, entry: Comparison) -> str:
    """Such as `lower with droprate 0.5 than with droprate 0, by 0.048 [0.024, 0.072]`."""
    better, worse = entry.first, entry.second
    if entry.outcome == "worse":
        better, worse = worse, better
    sign = 1.0 if entry.difference > 0 else -1.0
    return (
        f"{_WAYS[entry.metric][0]} with {validated.name(better)} than with "
        f"{validated.name(worse)}, by {interval_words(entry, sign)}"
    )


def _of_selected(validated: Validated, comparisons: Comparisons, selected: int) -> Iterator[str]:
    """Which candidates nothing separates from the selected one, and what would settle one."""
    own = [entry for entry in comparisons.entries if selected in (entry.first, entry.second)]
    apart = {_other(entry, selected) for entry in own if entry.outcome in ("better", "worse")}
    others = sorted({_other(entry, selected) for entry in own} - apart)
    if not others:
        return
    names = [validated.name(each) for each in others]
    few = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else "")
    unsettled = [
        entry for entry in own
        if entry.outcome == "undecided" and _other(entry, selected) in others
    ]  # fmt: skip
    settled = next(
        (
            f"; {words} would probably settle it against "
            f"{validated.name(_other(entry, selected))} in {_WORDS[entry.metric]}"
            for entry in _easiest(unsettled)
            if (words := needs_words(entry.needs, validated))
        ),
        "",
    )
    yield f"Nothing separates the selected {validated.name(selected)} from {few}{settled}."


def _other(entry: Comparison, selected: int) -> int:
    return entry.second if entry.first == selected else entry.first


def _easiest(entries: Sequence[Comparison]) -> list[Comparison]:
    def effort(entry: Comparison) -> tuple[int, int]:
        needs = entry.needs
        for place, count in enumerate((needs.seeds, needs.repeats, needs.images)):
            if count is not None:
                return place, count
        return 3, 0

    return sorted(entries, key=effort)


def _basis(validated: Validated, comparisons: Comparisons) -> str:
    seeds = sorted({entry.seeds for entry in comparisons.entries})
    images = f"{len(validated.labels):,} validation images"
    factors = [counted(seeds[-1], "seed")]
    if validated.folds > 1:
        images = f"{len(validated.labels):,} images, each when it was left out"
        factors.append(counted(validated.folds, "fold"))
        if len(validated.fold_of) > 1:
            factors.append(counted(len(validated.fold_of), "repeat"))
    one = (
        " One seed cannot tell a setting from its luck: train two or more."
        if (seeds[-1] == 1)
        else ""
    )
    fewer = (
        f" Seeds of which a trial diverged are left out; one pair shares {seeds[0]}."
        if seeds[0] < seeds[-1]
        else ""
    )
    return f"Measured on {images}; {' × '.join(factors)}.{one}{fewer}"
