"""The answer to "which setting should I use, and how sure is that?", before any comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from manyheads.core.text import decimal, interval, joined
from manyheads.data.trainable import FEW_IMAGES
from manyheads.findings.finding import Finding
from manyheads.findings.wording import LISTED, METRIC_WORDS, CandidateNames, margin_words
from manyheads.stats.best_set import BestSet
from manyheads.stats.comparisons import Comparison, Comparisons
from manyheads.stats.paired import RESERVE, SHARES
from manyheads.stats.power import RequiredSize
from manyheads.stats.winner import WinnerScore
from manyheads.study.space import counted

Confidence = Literal[
    "clear", "equivalent", "probable", "too close to call", "not assessed", "no comparison"
]
FOLDS = 5  # that are advised where only a part of the images validates


@dataclass(frozen=True)
class NextStudy:
    """A study that would probably separate the recommended candidate from a `rival` (80 % power).

    `settings` are what it changes; empty where only more images would do, about `images` of them.
    """

    rival: int
    settings: Mapping[str, int]
    images: int | None = None


@dataclass(frozen=True)
class CandidateScore:
    """The recommended candidate and its score in the metric that selects.

    `score` is on the validation images, which selected it; `expected` is on new images, with a 95 %
    interval, None where it cannot be told.
    """

    candidate: int
    name: str
    metric: str
    score: float
    expected: float | None
    expected_low: float | None
    expected_high: float | None


@dataclass(frozen=True)
class Recommendation(Finding):
    """Which setting to use, how good it is, and how sure that is.

    `confidence` is, against the others in the metric that selects: "clear" (no other is in the set
    of the best, 95 % confidence over all comparisons), "equivalent" (those that are lie within the
    margin), "probable" (each comparison with them favours it by itself), "too close to call",
    "not assessed" (one seed), or "no comparison". `rivals` are the others that may be the best.
    """

    best: CandidateScore
    confidence: Confidence
    rivals: tuple[int, ...]
    use: str
    sure: str
    training: str = ""
    baseline: str = ""
    next_study: NextStudy | None = field(default=None)
    next_words: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The recommendation first, then how sure it is and what else the study shows."""
        lines = self.use, f"{self.sure} {self.next_words}".strip(), self.baseline, self.training
        return tuple(filter(None, lines))

    @property
    def entries(self) -> tuple[CandidateScore, ...]:
        """The recommended candidate alone."""
        return (self.best,)


@dataclass(frozen=True)
class Evidence:
    """What a recommendation rests on.

    `images` validate, and `pool` would with folds; `folds` are None for a given split.
    """

    selected: int
    names: CandidateNames
    best: BestSet
    comparisons: Comparisons
    winner: WinnerScore | None
    mean: float
    seeds: int
    folds: int | None
    images: int
    pool: int


def recommend(evidence: Evidence, training: str = "", baseline: str = "") -> Recommendation:
    """The recommendation of the selected candidate.

    `training` is a sentence on the others' too, and `baseline` one on standard classifiers.
    """
    selected, names, metric = evidence.selected, evidence.names, evidence.best.metric
    rivals = tuple(each for each in evidence.best.candidates if each != selected)
    pairs = {each: _pair(evidence, each) for each in rivals}
    confidence = _confidence(evidence, pairs)
    step = None
    if confidence in ("probable", "too close to call"):
        step = _next_study(evidence, [pair for pair in pairs.values() if pair is not None])
    winner = evidence.winner
    score = evidence.mean if winner is None else winner.naive
    best = CandidateScore(
        candidate=selected,
        name=names.full[selected],
        metric=metric,
        score=score,
        expected=None if winner is None else winner.score,
        expected_low=None if winner is None else winner.low,
        expected_high=None if winner is None else winner.high,
    )
    return Recommendation(
        best=best,
        confidence=confidence,
        rivals=rivals,
        use=_use_words(evidence, best),
        sure=_sure_words(evidence, confidence, rivals),
        training=training,
        baseline=baseline,
        next_study=step,
        next_words=_next_words(evidence, confidence, step),
    )


def _pair(evidence: Evidence, rival: int) -> Comparison | None:
    """The comparison of the selected candidate with a rival, in the metric that selects."""
    both = {evidence.selected, rival}
    entries = evidence.comparisons.of(evidence.best.metric)
    return next((each for each in entries if {each.first, each.second} == both), None)


def _confidence(evidence: Evidence, pairs: Mapping[int, Comparison | None]) -> Confidence:
    if evidence.best.compared < 2 or not evidence.comparisons.entries:
        return "no comparison"
    if evidence.seeds < 2:
        return "not assessed"
    if not pairs:
        return "clear"
    known = [each for each in pairs.values() if each is not None]
    if len(known) == len(pairs) and all(each.outcome == "equivalent" for each in known):
        return "equivalent"
    if len(known) == len(pairs) and all(_favours(evidence, each) for each in known):
        return "probable"
    return "too close to call"


def _favours(evidence: Evidence, pair: Comparison) -> bool:
    """Whether a comparison by itself, not adjusted for the others, is won by the selected one."""
    less_is_better = pair.metric not in SHARES
    selected_is_less = less_is_better == (pair.first == evidence.selected)
    return pair.high < 0 if selected_is_less else pair.low > 0


def _use_words(evidence: Evidence, best: CandidateScore) -> str:
    images = counted(evidence.images, "image" if evidence.folds else "validation image")
    word = METRIC_WORDS[best.metric]
    on = f"{word} {decimal(best.score)} on the {images}"
    if best.expected is None:
        return f"Use {best.name}: {on} that selected it."
    expected = interval(best.expected, best.expected_low, best.expected_high)
    return f"Use {best.name}: {on} that selected it, {expected} expected on new ones."


def _sure_words(evidence: Evidence, confidence: Confidence, rivals: Sequence[int]) -> str:
    names, compared = evidence.names, evidence.best.compared
    if confidence == "no comparison":
        return "There is nothing to compare it with."
    if confidence == "not assessed":
        return (
            "Not assessed: with one seed, differences between settings cannot be told from seed "
            "noise. Train `seeds` 5 or more."
        )
    if confidence == "clear":
        return "Clear: each other setting is significantly worse (95 % confidence)."
    others = names.any_of(sorted(rivals), first=True) if rivals else ""
    if len(rivals) == compared - 1 and compared > 2:
        others = f"any of the {compared - 1:,} others"
    elif len(rivals) > LISTED:
        others = f"any of {len(rivals):,} of the {compared - 1:,} others"
    if confidence == "equivalent":
        margin = margin_words(evidence.best.metric, evidence.comparisons.margins)
        return f"Equivalent: {others} is within {margin} of it (95 % confidence)."
    if confidence == "probable":
        return f"Probable: {others} may be as good, but each comparison by itself favours it."
    return f"Too close to call: {others} may be as good (95 % confidence)."


def _next_study(evidence: Evidence, pairs: Sequence[Comparison]) -> NextStudy | None:
    """What would separate the selected candidate from the rival that needs least."""

    def cost(required: RequiredSize) -> tuple[int, int, int]:
        return required.images or 0, required.repeats or 0, required.seeds or 0

    known = [each for each in pairs if any(cost(each.required))]
    if not known:
        return None
    pair = min(known, key=lambda each: cost(each.required))
    rival, required = sum({pair.first, pair.second}) - evidence.selected, pair.required
    if required.images is None:
        wanted = {"seeds": required.seeds, "repeats": required.repeats}
        return NextStudy(rival, {name: count for name, count in wanted.items() if count})
    # Folds validate on the whole pool, and bring a variance of their own, which RESERVE stands for.
    if evidence.folds is None and RESERVE * required.images <= evidence.pool:
        more = required.seeds if required.seeds and required.seeds > evidence.seeds else None
        return NextStudy(rival, {"folds": FOLDS} | ({"seeds": more} if more else {}))
    return NextStudy(rival, {}, required.images)


def _next_words(evidence: Evidence, confidence: Confidence, step: NextStudy | None) -> str:
    if step is None:
        # Where few images validate, folds are advised first: more of them may tell more.
        all_validate = evidence.folds is not None or evidence.pool >= FEW_IMAGES
        if confidence in ("probable", "too close to call") and all_validate:
            return "The differences are too small to tell what study would separate them."
        return ""
    rival = evidence.names.first([step.rival])
    if step.settings:
        settings = joined([f"`{name}` {value}" for name, value in step.settings.items()])
        return f"To separate it from {rival} (80 % power), train anew with {settings}."
    return f"Separating it from {rival} would take about {counted(step.images or 0, 'image')}."


def training_words(
    name: str, ends: tuple[str, str], measures: Mapping[str, tuple[float, float]]
) -> str:
    """How training differs between the ends of one hyperparameter.

    `measures` have the means at both `ends`, such as `{"the best epoch": (17.5, 25.3)}`.
    """
    parts = []
    for what, (first, last) in measures.items():
        digits = 1 if "epoch" in what else 3
        low, high = decimal(first, digits), decimal(last, digits)
        if low == high:
            parts.append(f"{what} stays at {low}")
        else:
            parts.append(f"{what} {'rises' if last > first else 'falls'} from {low} to {high}")
    return f"From {name} {ends[0]} to {ends[1]}, {joined(parts)}." if parts else ""
