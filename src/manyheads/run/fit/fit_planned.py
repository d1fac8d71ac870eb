"""The plan of a fit, in words, before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.backbones.joined_backbones import short_name
from manyheads.core.job import Planned
from manyheads.core.text import clock, counted
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.findings.wording import METRIC_WORDS
from manyheads.run.fit.backbone_comparison import SAMPLE, compares
from manyheads.run.fit.fit_backbones import FitBackbone
from manyheads.run.fit.fit_schedule import Schedule, TimedOption
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.image_options import EFFORTS, Effort
from manyheads.run.planned_study import Lines, data_lines, few_lines, overlap_lines


def fit_planned(schedule: Schedule) -> Planned:
    """What a fit will do, and about how long each part will take."""
    plan = schedule.plan
    settings, searches = plan.settings, schedule.expected()
    seconds = sum(
        option.features + option.training[EFFORTS.index(effort)] for option, effort in searches
    )
    lines: Lines = [
        *(plan.kept.lines if plan.kept else ()),
        *data_lines(plan.dataset),
        *overlap_lines(plan.dataset, folds=True),
        *_label_lines(plan.dataset),
        *_backbone_lines(plan.backbones),
        *_image_lines(plan.settings),
        *few_lines(plan.dataset, plan.folds),
    ]
    used = "of all images for training and validation; test images are not used"
    ranked = f"by {METRIC_WORDS[settings.metric]} on held-out images"
    details = (("Folds", f"{plan.folds}, {used}"), ("Ranked", ranked))
    if compares(plan):
        sample = counted(SAMPLE, "image")
        lines += [
            ("Budget", clock(settings.budget)),
            ("First", f"each backbone sees about {sample}; what is clearly worse goes, and the "
             "others are searched as far as there is time"),
        ]  # fmt: skip
        return Planned(tuple(lines), details)
    words = f"{clock(settings.budget)}, of which searches take about {clock(seconds)}"
    lines.append(("Budget", words))
    for number, (option, effort) in enumerate(searches, start=1):
        lines.append(("Search" if number == 1 else "", f"{number}. {_words(option, effort)}"))
    places = {option.images.place for option, _ in searches}
    others = [each for each in plan.considered if each.place not in places]
    if others:
        left_out = dict.fromkeys(each.at for each in sorted(others, key=lambda each: each.size))
        lines.append(("", f"not within the budget: {', '.join(left_out)}"))
    return Planned(tuple(lines), details)


def _label_lines(dataset: Dataset) -> Lines:
    """A line on what the scores mean where an image may have several labels."""
    if not dataset.label_names:
        return []
    words = (
        "several per image, a sigmoid each; accuracy is the share of labels told right, log loss "
        "the mean of their binary cross-entropies"
    )
    return [("Labels", words)]


def _backbone_lines(backbones: Sequence[FitBackbone]) -> Lines:
    """Which backbones it looks among, and where their weights are from."""
    labels = "Backbone" if len(backbones) == 1 else "Backbones", *[""] * len(backbones)
    return [
        (label, f"{each.label or short_name(each.name)}; weights: {each.weights.source}")
        for label, each in zip(labels, backbones, strict=False)
    ]


def _image_lines(settings: FitSettings) -> Lines:
    """A line on how images are read, if that is not as usual."""
    how = ImageSettings(depth=settings.depth, decode=settings.decode).unusual
    return [("Images", ", ".join(how))] if how else []


def _words(option: TimedOption, effort: Effort) -> str:
    """Such as `299×299, plain: 60 backbone passes, about 0:05; heads about 0:10, pruned`."""
    images = option.images
    how = {"whole": "", "pruned": ", pruned", "few": ", few settings"}[effort]
    return (
        f"{images.words}: {counted(images.passes, 'backbone pass')}, "
        f"about {clock(option.features)}; "
        f"heads about {clock(option.training[EFFORTS.index(effort)])}{how}"
    )
