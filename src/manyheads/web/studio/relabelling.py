"""Whether relabelling helped: two runs on the images that both held out, by the later labels.

Images whose labels were changed are judged apart. A model helped to choose their new labels, and a
model that was trained on these tends to agree with them, so their score says little of new images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from manyheads.core.text import counted, decimal
from manyheads.errors import RunError
from manyheads.findings.finding import Finding
from manyheads.findings.wording import amount, margin_words
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import Margins, Outcome, decide, measure
from manyheads.stats.variances import Layout
from manyheads.web.studio.run_answers import RunAnswers

_MARGINS = Margins()
_FEWEST = 10  # images that a difference is told of

Places = Int64[np.ndarray, "shared"]
Hits = Float64[np.ndarray, "seeds 1 images"]


@dataclass(frozen=True)
class RelabelledScore:
    """Two runs on some images by the same labels: accuracies, in [0, 1], and their difference.

    `difference` is the later run's accuracy less the earlier one's, with its 95 % interval; its
    ends are None where there are too few images to tell.
    """

    images: int
    before: float
    after: float
    difference: Estimate
    outcome: Outcome


@dataclass(frozen=True)
class Relabelling(Finding):
    """What a later run on other labels came to, beside an earlier one.

    `kept` is the score on the images whose labels are those of before, and `changed` that on the
    others; None where there are none. `apart` counts the images that only one of the runs held
    out; `heads` are those of each run that answered.
    """

    before: str
    after: str
    kept: RelabelledScore | None
    changed: RelabelledScore | None
    apart: int
    heads: int

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The verdict on the images whose labels stayed, then what limits it."""
        return tuple(filter(None, [self._headline(), self._changed(), self._chance()]))

    @property
    def entries(self) -> tuple[RelabelledScore, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The scores, that of the images whose labels stayed first."""
        return tuple(filter(None, [self.kept, self.changed]))

    def _headline(self) -> str:
        kept = self.kept
        if kept is None:
            return "No verdict: every image that both runs held out has another label now."
        scores = f"accuracy {decimal(kept.before)} before and {decimal(kept.after)} after"
        where = (
            f"On {counted(kept.images, 'image')} that both runs held out and whose labels are "
            f"the same in both: {scores}"
        )
        if kept.difference.low is None:
            return f"{where}, too few images to tell a difference."
        return f"{where}, a difference of {_apart(kept)}. {_VERDICTS[kept.outcome]}"

    def _changed(self) -> str:
        found = self.changed
        if found is None:
            return ""
        before, after = round(found.before * found.images, 1), round(found.after * found.images, 1)
        means = f", means over {counted(self.heads, 'head')}" if self.heads > 1 else ""
        return (
            f"Not in this verdict: {counted(found.images, 'image')} whose labels were changed. By "
            f"the new labels {before:g} of them were right before and {after:g} are now{means}. "
            "That comparison favours the later run: a model helped to choose these labels, and the "
            "run was trained on labels of that kind."
        )

    def _chance(self) -> str:
        words = (
            "The interval is for other images of this kind and other seeds."
            if self.heads > 1
            else "The interval is for other images of this kind; each run answers with one head "
            "per image, and by how much another seed would differ is not in it."
        )
        if self.apart:
            words += f" {counted(self.apart, 'image')} that only one run held out do not count."
        return f"{words} The surest answer are test images that neither run has seen."


_VERDICTS: dict[Outcome, str] = {
    "better": "The later run is better on them: relabelling helped.",
    "worse": "The later run is worse on them: relabelling did harm.",
    "equivalent": f"The two are equivalent within {margin_words('accuracy', _MARGINS)}.",
    "undecided": "That is no significant difference: whether relabelling helped is undecided.",
}


def _apart(score: RelabelledScore) -> str:
    low, high = score.difference.low, score.difference.high
    assert low is not None
    assert high is not None
    ends = ", ".join(amount("accuracy", each) for each in (low, high))
    return f"{amount('accuracy', score.difference.value)} [{ends}] points"


def compare_relabelled(before: RunAnswers, after: RunAnswers) -> Relabelling:
    """Both runs on the images that both held out, by the labels of the later one.

    An image is known by its content; of several with one content the first counts. Raises
    `RunError` for runs that share no held-out image, or of which one kept no list of its images.
    """
    places = [_places(run) for run in (before, after)]
    common = [key for key in places[1] if key in places[0]]
    if not common:
        raise RunError(
            f"images that both {before.name} and {after.name} held out", "none",
            "compare runs on the same images",
        )  # fmt: skip
    own, other = (np.array([each[key] for key in common], np.int64) for each in places)
    labels = np.array([after.classes[label] for label in after.labels[other]])
    former = np.array([before.classes[label] for label in before.labels[own]])
    seeds = min(len(before.whole), len(after.whole))
    hits = _hits(before, own, labels, seeds), _hits(after, other, labels, seeds)
    same = labels == former

    def score(chosen: Bool[np.ndarray, "shared"]) -> RelabelledScore | None:
        if not chosen.any():
            return None
        earlier, later = (each[..., chosen] for each in hits)
        return _score(earlier, later, after, other[chosen])

    return Relabelling(
        before.name, after.name, score(same), score(~same),
        apart=len(places[0].keys() ^ places[1].keys()), heads=seeds,
    )  # fmt: skip


def _places(run: RunAnswers) -> dict[bytes, int]:
    """The place of each content among the images that a run held out."""
    if run.digests is None:
        raise RunError(
            f"a list of its images in {run.name}", "none, as of an earlier version", "run it anew"
        )
    return {key: place for place, key in reversed([*enumerate(run.digests)])}


def _hits(run: RunAnswers, places: Places, labels: np.ndarray, seeds: int) -> Hits:
    """Whether each head of a run is right of each image, by the names of the classes."""
    answers = np.array(run.classes)[run.whole[:seeds, places].argmax(axis=-1)]
    return (answers == labels).astype(np.float64)[:, np.newaxis]


def _score(before: Hits, after: Hits, run: RunAnswers, places: Places) -> RelabelledScore:
    folds, fold_of = np.unique(run.validated.fold_of[0, places], return_inverse=True)
    layout = Layout.of(run.validated.units[places], fold_of[np.newaxis], len(folds))
    pair = measure("accuracy", layout.sums(after - before), layout)
    if pair.seeds == 1:
        # Of one seed the interval is for images alone: the part of seeds is 0, and of no weight.
        pair = replace(pair, tested=replace(pair.tested, df_seeds=1))
    (found,) = decide([pair], _MARGINS)
    enough = len(places) >= _FEWEST and np.isfinite([found.low, found.high]).all()
    # No difference of two shares is larger than 1, whatever the distribution of its estimate.
    low, high = max(-1.0, found.low), min(1.0, found.high)
    return RelabelledScore(
        images=len(places),
        before=float(before.mean()),
        after=float(after.mean()),
        difference=Estimate(found.difference, low if enough else None, high if enough else None),
        outcome=found.outcome if enough else "undecided",
    )
