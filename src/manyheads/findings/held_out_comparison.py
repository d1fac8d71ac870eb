"""Two runs on the images that both held out, by the later labels: did the new data help?

Images whose labels were changed are judged apart: a model helped to choose their new labels, or was
trained on labels of that kind, so their score says little of new images. Images of a class that the
earlier run does not know are judged for the later one alone.

Where an image may have several labels, both are judged by the labels that both know, and a label
that the earlier run does not know is judged for the later one alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from manyheads.core.text import counted, decimal
from manyheads.errors import RunError
from manyheads.findings.finding import Finding
from manyheads.findings.held_out_scores import ClassRecall
from manyheads.findings.label_scores import LabelScore, label_scores
from manyheads.findings.score_tables import estimate_words
from manyheads.findings.wording import amount, margin_words
from manyheads.stats.intervals import Estimate, share_estimate
from manyheads.stats.label_metrics import HALF, image_accuracy, probabilities
from manyheads.stats.paired import Margins, Outcome, decide, measure
from manyheads.stats.variances import Layout

_MARGINS = Margins()
_FEWEST = 10  # images that a difference is told of
_NONE: Mapping[str, str] = MappingProxyType({})

Places = Int64[np.ndarray, "shared"]
Hits = Float64[np.ndarray, "seeds 1 images"]
Images = Int64[np.ndarray, "images"]


@dataclass(frozen=True, eq=False)
class HeldOutPredictions:
    """What a run says of images that it held out: a row of log-probabilities for each seed.

    An image is known by the beginning of its content's digest, in `digests` (None of a run of an
    earlier version). `units` are equal for images that belong together; `fold_of` is the fold, from
    0, whose heads answer for an image. `answered_by` says what answers, of a single seed. Where an
    image may have several labels, `classes` are these, `labels` are numbers of label sets,
    `targets` say which labels an image has, and what is said are log-odds.
    """

    name: str
    classes: tuple[str, ...]
    digests: tuple[bytes, ...] | None
    labels: Images
    said: Float32[np.ndarray, "seeds images classes"]
    units: Images
    fold_of: Images
    answered_by: str = "one head per image"
    targets: Bool[np.ndarray, "images labels"] | None = None


@dataclass(frozen=True)
class ComparedScore:
    """Two runs on some images by the same labels: accuracies, in [0, 1], and their difference.

    `difference` is the later run's accuracy less the earlier one's, with its 95 % interval; its
    ends are None where there are too few images to tell.
    """

    images: int
    before: float
    after: float
    difference: Estimate
    outcome: Outcome

    @property
    def words(self) -> str:
        """Such as `accuracy 0.86 before and 0.87 after, a difference of 1.3 [0.2, 2.4] points`."""
        scores = f"accuracy {decimal(self.before)} before and {decimal(self.after)} after"
        low, high = self.difference.low, self.difference.high
        if low is None or high is None:
            return f"{scores}, too few images to tell a difference"
        ends = ", ".join(amount("accuracy", each) for each in (low, high))
        return (
            f"{scores}, a difference of {amount('accuracy', self.difference.value)} [{ends}] points"
        )


@dataclass(frozen=True)
class HeldOutComparison(Finding):
    """What a later run on other data came to, beside an earlier one.

    `kept` is the score on the images whose labels are those of before, and `changed` that on the
    others; None where there are none. `new` are the later run's recalls of the classes that the
    earlier one does not know. `apart` counts the images that only one of the runs held out; `heads`
    are those of each run that answered, and `answered_by` says what they are, of one. `cause` is
    what the later run has that the earlier one had not. Where an image may have several labels,
    scores are shares of the `shared_labels` that both know told right, at a probability of 0.5, and
    `new_labels` are the later run's scores of the labels that the earlier one does not know.
    """

    before: str
    after: str
    kept: ComparedScore | None
    changed: ComparedScore | None
    new: tuple[ClassRecall, ...]
    apart: int
    heads: int
    answered_by: str
    cause: str
    shared_labels: int | None = field(default=None, metadata={"told": "if set"})
    new_labels: tuple[LabelScore, ...] = field(default=(), metadata={"told": "if changed"})

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The verdict on the images whose labels stayed, then what limits it."""
        new = [*map(self._new, self.new), *map(_new_label_words, self.new_labels)]
        return tuple(filter(None, [self._headline(), *new, self._changed(), self._chance()]))

    @property
    def entries(self) -> tuple[ComparedScore, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The scores, that of the images whose labels stayed first."""
        return tuple(filter(None, [self.kept, self.changed]))

    def _headline(self) -> str:
        kept = self.kept
        if kept is None:
            return "No verdict: every image that both runs held out has another label now."
        verdict = "" if kept.difference.low is None else f" {self._verdict(kept.outcome)}"
        if self.shared_labels is not None:
            labels = counted(self.shared_labels, "label")
            return (
                f"On {counted(kept.images, 'image')} that both runs held out, by the {labels} that "
                f"both know, where these have not changed: {kept.words}.{verdict} "
                "Accuracy is the share of these labels told right, at a probability of 0.5."
            )
        return (
            f"On {counted(kept.images, 'image')} that both runs held out and whose labels are "
            f"the same in both: {kept.words}.{verdict}"
        )

    def _verdict(self, outcome: Outcome) -> str:
        return {
            "better": f"The later run is better on them: {self.cause} helped.",
            "worse": f"The later run is worse on them: {self.cause} did harm.",
            "equivalent": f"The two are equivalent within {margin_words('accuracy', _MARGINS)}.",
            "undecided": "That is no significant difference: it is too close to call whether "
            f"{self.cause} helped.",
        }[outcome]

    def _new(self, found: ClassRecall) -> str:
        class_ = f"Class {found.name!r} is new"
        if found.recall is None:
            return f"{class_}, and the later run held out no image of it."
        return (
            f"{class_}: of its {counted(found.images, 'held-out image')} the later run finds a "
            f"share of {estimate_words(found.recall)}; the earlier one cannot know it."
        )

    def _changed(self) -> str:
        found = self.changed
        if found is None:
            return ""
        means = f", means over {counted(self.heads, 'head')}" if self.heads > 1 else ""
        if self.shared_labels is not None:
            right = (
                f"a share of {decimal(found.before)} of these was told right before and "
                f"{decimal(found.after)} is now"
            )
        else:
            shares = found.before, found.after
            before, after = (round(share * found.images, 1) for share in shares)
            right = f"{before:g} of them were right before and {after:g} are now"
        return (
            f"Not in this verdict: {counted(found.images, 'image')} whose labels were changed. By "
            f"the new labels {right}{means}. "
            "That comparison favours the later run: a model helped to choose these labels, or the "
            "run was trained on labels of that kind."
        )

    def _chance(self) -> str:
        words = (
            "The interval is for other images of this kind and other seeds."
            if self.heads > 1
            else "The interval is for other images of this kind; each run answers with "
            f"{self.answered_by}, and by how much another seed would differ is not in it."
        )
        if self.apart:
            words += f" {counted(self.apart, 'image')} that only one run held out do not count."
        return f"{words} The surest answer are test images that neither run has seen."


class _SharedAnswers(NamedTuple):
    """What is right of each shared image, in each run; `same` are those whose labels stayed.

    Of the others those count that are `known`: of a class that the earlier run knows.
    """

    before: Hits
    after: Hits
    same: Bool[np.ndarray, "shared"]
    known: Bool[np.ndarray, "shared"]


def compare_held_out(
    before: HeldOutPredictions,
    after: HeldOutPredictions,
    *,
    cause: str = "relabelling",
    renamed: Mapping[str, str] = _NONE,
) -> HeldOutComparison:
    """Both runs on the images that both held out, by the labels of the later one.

    An image is known by its content; of several with one content the first counts. `renamed` has
    the present names of classes, or labels, that are called otherwise now. Raises `RunError` for
    runs that share no held-out image, or no label where an image may have several, or of which one
    kept no list of its images.
    """
    before = replace(before, classes=tuple(renamed.get(each, each) for each in before.classes))
    places = [_places(run) for run in (before, after)]
    common = [key for key in places[1] if key in places[0]]
    if not common:
        raise RunError(
            f"images that both {before.name} and {after.name} held out", "none",
            "compare runs on the same images",
        )  # fmt: skip
    own, other = (np.array([each[key] for key in common], np.int64) for each in places)
    seeds = min(len(before.said), len(after.said))
    several = after.targets is not None
    judged = (_by_labels if several else _by_classes)(before, after, own, other, seeds)

    def score(chosen: Bool[np.ndarray, "shared"]) -> ComparedScore | None:
        if not chosen.any():
            return None
        return _score(judged.before[..., chosen], judged.after[..., chosen], after, other[chosen])

    new = [each for each in after.classes if each not in before.classes]
    return HeldOutComparison(
        before.name, after.name, score(judged.same), score(~judged.same & judged.known),
        new=() if several else tuple(_recall(after, each) for each in new),
        apart=len(places[0].keys() ^ places[1].keys()), heads=seeds,
        answered_by=after.answered_by, cause=cause,
        shared_labels=len(after.classes) - len(new) if several else None,
        new_labels=tuple(_new_label(after, each) for each in new) if several else (),
    )  # fmt: skip


def _places(run: HeldOutPredictions) -> dict[bytes, int]:
    """The place of each content among the images that a run held out."""
    if run.digests is None:
        raise RunError(
            f"a list of its images in {run.name}", "none, as of an earlier version", "run it anew"
        )
    return {key: place for place, key in reversed([*enumerate(run.digests)])}


def _by_classes(
    before: HeldOutPredictions, after: HeldOutPredictions, own: Places, other: Places, seeds: int
) -> _SharedAnswers:
    """Whether answers are right by the later class of each image, which both may know."""
    labels = np.array([after.classes[label] for label in after.labels[other]])
    former = np.array([before.classes[label] for label in before.labels[own]])
    return _SharedAnswers(
        before=_hits(before, own, labels, seeds),
        after=_hits(after, other, labels, seeds),
        same=labels == former,
        known=np.isin(labels, before.classes),
    )


def _by_labels(
    before: HeldOutPredictions, after: HeldOutPredictions, own: Places, other: Places, seeds: int
) -> _SharedAnswers:
    """The share of the labels that both know told right of each image, by the later ones."""
    assert before.targets is not None
    assert after.targets is not None
    shared = [each for each in after.classes if each in before.classes]
    if not shared:
        raise RunError(
            f"labels that both {before.name} and {after.name} know", "none",
            "compare runs on the same labels",
        )  # fmt: skip
    earlier, later = (
        np.array([run.classes.index(each) for each in shared]) for run in (before, after)
    )
    targets = after.targets[np.ix_(other, later)]
    said = before.said[:seeds, own][..., earlier], after.said[:seeds, other][..., later]
    hits = [image_accuracy(each, targets)[:, np.newaxis] for each in said]
    return _SharedAnswers(
        before=hits[0],
        after=hits[1],
        same=(before.targets[np.ix_(own, earlier)] == targets).all(axis=1),
        known=np.ones(len(other), np.bool_),
    )


def _new_label(run: HeldOutPredictions, label: str) -> LabelScore:
    """How well the first seed's heads find a label, from a probability of 0.5 on."""
    assert run.targets is not None
    place = [run.classes.index(label)]
    targets, log_odds = run.targets[:, place], run.said[0][:, place]
    if targets.any():
        answers = probabilities(log_odds) > HALF
        found = label_scores(log_odds, targets, run.units, [label], answers, [HALF])
        return replace(found.labels[0], chosen=False)
    return LabelScore(
        label=label, images=len(targets), positives=0, average_precision=None, f1=None,
        threshold=HALF, chosen=False,
    )  # fmt: skip


def _new_label_words(found: LabelScore) -> str:
    label, precision = f"Label {found.label!r} is new", found.average_precision
    if precision is None:
        return f"{label}, and the later run held out no image that has it."
    return (
        f"{label}: {found.positives:,} of the {counted(found.images, 'image')} that the later run "
        f"held out have it, and its average precision is {estimate_words(precision)}; the earlier "
        "run cannot know it."
    )


def _hits(run: HeldOutPredictions, places: Places, labels: np.ndarray, seeds: int) -> Hits:
    """Whether each head of a run is right of each image, by the names of the classes."""
    answers = np.array(run.classes)[run.said[:seeds, places].argmax(axis=-1)]
    return (answers == labels).astype(np.float64)[:, np.newaxis]


def _recall(run: HeldOutPredictions, class_: str) -> ClassRecall:
    """The share of a class's held-out images that the first seed's heads find."""
    label = run.classes.index(class_)
    own = run.labels == label
    hits = run.said[0].argmax(axis=-1) == label
    return ClassRecall(
        name=class_,
        images=int(own.sum()),
        share=float(own.mean()),
        recall=share_estimate(hits[own], run.units[own]) if own.any() else None,
    )


def _score(before: Hits, after: Hits, run: HeldOutPredictions, places: Places) -> ComparedScore:
    folds, fold_of = np.unique(run.fold_of[places], return_inverse=True)
    layout = Layout.of(run.units[places], fold_of[np.newaxis], len(folds))
    pair = measure("accuracy", layout.sums(after - before), layout)
    if pair.seeds == 1:
        # Of one seed the interval is for images alone: the part of seeds is 0, and of no weight.
        pair = replace(pair, tested=replace(pair.tested, df_seeds=1))
    (found,) = decide([pair], _MARGINS)
    enough = len(places) >= _FEWEST and np.isfinite([found.low, found.high]).all()
    # No difference of two shares is larger than 1, whatever the distribution of its estimate.
    low, high = max(-1.0, found.low), min(1.0, found.high)
    return ComparedScore(
        images=len(places),
        before=float(before.mean()),
        after=float(after.mean()),
        difference=Estimate(found.difference, low if enough else None, high if enough else None),
        outcome=found.outcome if enough else "undecided",
    )
