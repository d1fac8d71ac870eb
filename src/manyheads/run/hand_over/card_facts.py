"""What a model card tells of a finished run: its data, its scores, its limits, its licences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from manyheads.backbones import backbone_catalogue, hub_backbones
from manyheads.backbones.joined_backbones import short_name
from manyheads.core.label_sets import labels_in
from manyheads.core.text import counted, decimal
from manyheads.data.data_settings import ImageSettings
from manyheads.data.splits import SPLITS
from manyheads.errors import ManyheadsError, RunError
from manyheads.findings.held_out_scores import ClassRecall, HeldOutScores
from manyheads.findings.label_scores import LabelScores, validated_label_scores
from manyheads.findings.score_tables import SCORES
from manyheads.findings.study_findings import Findings, read_findings
from manyheads.findings.test_log import day_and_time, parameters_digest, read_test_log
from manyheads.findings.wording import METRIC_WORDS
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import LESSON
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.stats import metrics
from manyheads.stats.intervals import Estimate, Units, share_estimate
from manyheads.stats.metrics import Labels
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import kept_images
from manyheads.study.space import setting_words
from manyheads.study.study_document import Resolved, read_study
from manyheads.study.study_settings import StudySettings


@dataclass(frozen=True, kw_only=True)
class CardScores:
    """Scores by their names in `wording.METRIC_WORDS`, and on which images they were measured."""

    on: str
    images: int
    scores: dict[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What is told of a run's model.

    `counts` has the images of each class in each split, in the order of `splits`; it is empty for
    a run of an earlier version. `image` is None for features that were computed elsewhere;
    `preprocessing` is that of each part of the backbone, as `Normalisation` names it.
    `backbone_licence` is None where nobody states one. `selection`, `limits` and `measured` are in
    the order in which they are shown. Where an image may have several labels, `classes` are labels,
    and `labels` their scores in the place of the `recalls`.
    """

    name: str
    data: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    backbone: str
    weights_source: str
    backbone_licence: str | None
    image: ImageSettings | None
    preprocessing: tuple[str, ...]
    head: str
    selection: tuple[str, ...]
    measured: tuple[CardScores, ...]
    recalls: tuple[ClassRecall, ...]
    recalls_on: str
    limits: tuple[str, ...]
    versions: dict[str, str]
    labels: LabelScores | None = None


def read_facts(run: str | Path) -> CardFacts:
    """What is told of the model of the finished sweep or fit in `run`.

    Raises `RunError` for a folder that holds none, and what `read_findings` raises.
    """
    folder = RunFolder(run)
    if folder.settings.is_file():
        return facts_of_study(read_findings(folder))
    fitted = read_fit(folder.path) if folder.path.is_dir() else None
    if fitted is None:
        raise RunError(f"a finished sweep or fit in {run}", "none", "name the run folder of one")
    return facts_of_fit(fitted)


def facts_of_study(findings: Findings) -> CardFacts:
    """What is told of the selected model of a study; from the findings that its report shows."""
    selected = findings.selected
    settings = findings.settings.on_backbone(findings.settings.place_of(selected.candidate))
    validated = findings.validated
    every = validated.log_probabilities(selected.candidate)[:, 0]
    one = every[int(selected.about["seed"])]
    labels, recalls = None, ()
    if validated.label_sets is not None:
        labels = validated_label_scores(validated, selected)
    else:
        hits = metrics.predicted(one) == validated.labels
        recalls = _recalls(validated.classes, validated.labels, hits, validated.units)
    count = len(validated.labels)
    folds = settings.folds
    expected = {each.metric: Estimate(each.score, each.low, each.high) for each in findings.winner}
    on = f"the {counted(count, 'validation image')} that selected the model"
    if folds is not None:
        on = f"{counted(count, 'image')}, each left out by the heads that answer for it"
    on += ", corrected for the choice"
    candidates = len(findings.result.grid)
    selection = (
        f"{counted(candidates, 'setting')} of the head × {counted(settings.seeds, 'seed')}"
        + (f" × {counted(folds, 'fold')}" if folds else "")
        + f", selected by the rule {settings.select}.",
        *(each.replace("`", "") for each in findings.recommendation.sentences),
    )
    tests = tuple(_tests(findings.folder, selected.parameters))
    names = tuple(dict.fromkeys((*LESSON, *settings.grid.varying)))
    return CardFacts(
        head=setting_words(findings.result.hyperparameters(selected.candidate), names),
        selection=selection,
        measured=(
            CardScores(on=on, images=count, scores=expected), *tests
        ),
        recalls=recalls,
        labels=labels,
        recalls_on=f"{counted(count, 'validation image')}" if folds is None
        else f"{counted(count, 'image')}, each when it was left out of training",
        limits=_limits(settings, tested=bool(tests), several_labels=labels is not None),
        **_common(findings.folder, findings.folder, settings, findings.resolved),
    )  # fmt: skip


def facts_of_fit(fitted: Fitted) -> CardFacts:
    """What is told of the model of a fit."""
    study, best = fitted.study, fitted.tried[0]
    settings, resolved = read_study(study.document())
    scores = fitted.expected.measured
    on = (
        f"{counted(scores.images, 'held-out image')} of nested cross-validation in "
        f"{counted(fitted.folds, 'fold')}, of the whole procedure"
    )
    selection = [
        f"{counted(len(fitted.tried), 'option')} were compared in {counted(fitted.folds, 'fold')} "
        f"by {METRIC_WORDS[fitted.metric]} on held-out images. The best one was trained on all "
        f"images for training and validation; {counted(fitted.heads, 'head')} of different seeds "
        "are averaged into one.",
        f"Confidences are divided by the temperature {decimal(fitted.expected.temperature, 2)}, "
        "which is inside the model.",
        *fitted.remarks,
    ]
    folder = RunFolder(fitted.path)
    tests = tuple(_tests(folder, fitted.head()))
    growth = fitted.growth
    if growth is not None:
        selection.append(f"It began from an earlier run. {growth.changed}")
        selection += growth.sentences
    return CardFacts(
        head=best.words,
        selection=tuple(selection),
        measured=(
            CardScores(on=on, images=scores.images, scores=_of_scores(scores)),
            *tests,
        ),
        recalls=() if isinstance(scores, LabelScores) else scores.classes,
        labels=fitted.expected.label_scores,
        recalls_on=f"the {counted(scores.images, 'held-out image')}",
        limits=_limits(
            settings, tested=bool(tests), several_labels=fitted.expected.label_scores is not None
        ),
        **_common(RunFolder(fitted.path), study, settings, resolved),
    )  # fmt: skip


def _common(
    folder: RunFolder, study: RunFolder, settings: StudySettings, resolved: Resolved
) -> dict[str, Any]:
    """What is told of studies and fits alike."""
    splits, counts = _counts(study, resolved)
    licence = _licence(settings)
    return {
        "name": folder.path.absolute().name,
        "data": Path(settings.data).stem,
        "classes": resolved.label_names or resolved.classes,
        "splits": splits,
        "counts": counts,
        "backbone": short_name(settings.backbone),
        "weights_source": resolved.weights_source,
        "backbone_licence": licence,
        "image": settings.image if settings.features is None else None,
        "preprocessing": tuple(part.mode for part in settings.spec.parts),
        "versions": resolved.versions,
    }


def _counts(
    study: RunFolder, resolved: Resolved
) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]]]:
    listed = kept_images(study)
    if listed is None:
        return (), {}
    pairs = Counter(zip(listed.splits, listed.labels, strict=True))
    there = {split for split, _ in pairs}
    splits = tuple(split for split in SPLITS if split in there)

    def count(split: str, name: str) -> int:
        if not resolved.label_names:
            return pairs[split, name]
        return sum(n for (s, text), n in pairs.items() if s == split and name in labels_in(text))

    names = resolved.label_names or resolved.classes
    return splits, {name: tuple(count(split, name) for split in splits) for name in names}


def _licence(settings: StudySettings) -> str | None:
    """The licences of the backbone's weights, as their publishers state them."""
    if settings.features is not None:
        return None
    found: list[str | None] = []
    for spec in settings.spec.parts:
        licence = None
        with suppress(ManyheadsError):  # of a repository that is out of reach by now
            if spec.hub is not None:
                licence = hub_backbones.licence_of(spec)
            elif spec.file is None and spec.framework is None and settings.weights is None:
                licence = backbone_catalogue.licence_of(spec)
        found.append(licence)
    return None if None in found else " and ".join(dict.fromkeys(map(str, found)))


def _of_scores(scores: HeldOutScores | LabelScores) -> dict[str, Estimate]:
    if isinstance(scores, LabelScores):
        return scores.scores
    return {name: getattr(scores, name) for name in SCORES}


def _tests(folder: RunFolder, head: Parameters) -> Iterator[CardScores]:
    """The evaluations of this model; a log may have those of others, of a former run too."""
    known = parameters_digest(head)
    for entry in read_test_log(folder):
        if entry.model.parameters != known:
            continue
        images = counted(entry.measured.images, "test image")
        again = "" if entry.number == 1 else f", evaluation {entry.number} and so not unbiased"
        yield CardScores(
            on=f"{images}, not used for selection, on {day_and_time(entry)}{again}",
            images=entry.measured.images, scores=_of_scores(entry.measured),
        )  # fmt: skip


def _recalls(
    classes: Sequence[str], labels: Labels, hits: Bool[np.ndarray, "images"], units: Units
) -> tuple[ClassRecall, ...]:
    found = []
    for number, name in enumerate(classes):
        own = labels == number
        recall = share_estimate(hits[own], units[own]) if own.any() else None
        found.append(
            ClassRecall(name=name, images=int(own.sum()), share=float(own.mean()), recall=recall)
        )
    return tuple(found)


def _limits(
    settings: StudySettings, *, tested: bool, several_labels: bool = False
) -> tuple[str, ...]:
    named = "names one of its classes for every image, also for one that shows none of them."
    changes = "as the recalls of the classes tell."
    if several_labels:
        named = "judges each of its labels for every image, also for one of another kind."
        changes = "as do the thresholds that fit."
    limits = [
        f"The model {named}",
        "The scores are for images like those of the data: from other cameras, places or senders "
        f"they can be lower, and with other shares of the classes accuracy changes, {changes}",
        "The backbone is frozen; only the head was trained on these images.",
    ]
    if not tested:
        limits.append("The model has not been evaluated on test images.")
    if settings.augmentation is None and settings.grid.augmented_copies == (0,):
        limits.append("No mirrored or otherwise augmented copies were trained on.")
    return tuple(limits)
