"""The plan of a study, in words, before it begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.backbones.placement import device_words, unused_card
from manyheads.backbones.weights import Weights
from manyheads.core import accelerators
from manyheads.core.job import Planned
from manyheads.core.machine import memory
from manyheads.core.text import decimal, size_words
from manyheads.data.dataset import Dataset
from manyheads.data.duplicates import label_conflict_words, overlap_words
from manyheads.data.splits import SPLITS
from manyheads.data.trainable import few_images_words
from manyheads.features.worker_filling import shard_words
from manyheads.findings.recommendation import FOLDS
from manyheads.heads.hyperparameters import LESSON, NEUTRAL
from manyheads.heads.ranges import Item, Range
from manyheads.heads.stacked.planned_tiles import planned_tiles
from manyheads.run.estimate import Cost, estimate
from manyheads.run.plan import Plan
from manyheads.study.division import few_words, validation_counts
from manyheads.study.drawn_candidates import drawn_words
from manyheads.study.feature_variants import training_images
from manyheads.study.select import rule_words
from manyheads.study.sources import features_words
from manyheads.study.space import (
    HYPERPARAMETERS,
    OF_TRAINING,
    Candidates,
    counted,
    value_words,
)
from manyheads.study.study_settings import StudySettings

Lines = list[tuple[str, str]]

_MAX_VALUES = 12
_RATES = {"constant": "constant", "cosine": "falling to 0"}


def study_planned(plan: Plan) -> Planned:
    """What will be done with which data, and about how long it will take."""
    settings, dataset = plan.settings, plan.dataset
    folds = settings.folds
    cost = estimate(plan)
    lines: Lines = [
        *data_lines(dataset),
        *overlap_lines(dataset, folds=folds is not None),
        *several_lines(dataset),
        *few_lines(dataset, folds),
        *label_lines(dataset),
        *(
            line
            for part in plan.by_backbone
            for line in backbone_lines(part.settings, part.weights, part.features)
        ),
        ("Grid", _grid_words(plan)),
        *(("", remark) for remark in settings.grid.remarks),
        ("Time", _time_words(plan, cost)),
        *_memory_lines(plan),
    ]
    details: Lines = [
        *([("Augmented", _copies_words(plan))] if max(settings.grid.augmented_copies) else []),
        ("Training", training_words(settings)),
        *_tile_lines(plan),
        *([("Pruning", _rung_words(settings))] if settings.prune is not None else []),
        ("Selection", f"{settings.select}: {rule_words(settings.select)}"),
        ("Cost", _cost_words(plan, cost)),
        *_worker_lines(plan),
        ("Disk", _disk_words(plan)),
        ("Memory", _memory_words(plan)),
    ]
    return Planned(tuple(lines), details=tuple(details), advice=_advice(plan))


def _advice(plan: Plan) -> str:
    """Advises folds where there are few images and no folds."""
    words = "" if plan.settings.folds is not None else few_images_words(plan.dataset)
    return f"{words}: add `folds` {FOLDS}" if words else ""


def data_lines(dataset: Dataset) -> Lines:
    """What the data set holds, what was left out of it, and what may not be meant."""
    return [_data_line(dataset), *left_out_lines(dataset)]


def left_out_lines(dataset: Dataset) -> Lines:
    """A line on what the data set's source holds without its being used, and remarks; if any."""
    lines = [("Left out", dataset.left_out)] if dataset.left_out else []
    return [*lines, *(("Note", remark) for remark in dataset.remarks)]


def _data_line(dataset: Dataset) -> tuple[str, str]:
    counts = [f"{split} {len(dataset.rows(split)):,}" for split in SPLITS]
    carved = " (validation taken from train)" if dataset.carved else ""
    return "Data", (
        f"{dataset.name}: {counted(len(dataset), 'image')}, "
        f"{_labels_words(dataset)}, "
        f"{dataset.layout}; {', '.join(counts)}{carved}"
    )


def _labels_words(dataset: Dataset) -> str:
    if dataset.label_names:
        each = dataset.counts(np.arange(len(dataset))).sum() / len(dataset)
        return f"{dataset.what}, {decimal(each, 1)} per image"
    return dataset.what


def several_lines(dataset: Dataset) -> Lines:
    """A line on what the scores mean where an image may have several labels."""
    if not dataset.label_names:
        return []
    words = (
        "several per image, a sigmoid each; val_accuracy is the share of labels told right, "
        "val_loss the mean of their binary cross-entropies"
    )
    return [("Labels", words)]


def few_lines(dataset: Dataset, folds: int | None) -> Lines:
    """A line on the classes that not every fold, or nothing, validates, if there are any."""
    words = few_words(dataset, folds)
    few = "" if folds is None else "with few images: "
    return [("Classes", few + words)] if words else []


def label_lines(dataset: Dataset) -> Lines:
    """A line on images with several labels, if there are any."""
    words = label_conflict_words(dataset)
    return [("Labels", f"{words}; manyheads check lists such images")] if words else []


def overlap_lines(dataset: Dataset, *, folds: bool) -> Lines:
    """A line on each split whose images are known from training, if one has such."""
    return [("Overlap", words) for words in overlap_words(dataset, folds=folds)]


def backbone_lines(settings: StudySettings, weights: Weights | None, features: int = 0) -> Lines:
    """Which backbone sees the images and how they are prepared for it, or whence features come.

    A second line tells of a card that is not used.
    """
    image, spec = settings.image, settings.spec
    if settings.features is not None:
        return [("Features", features_words(settings, features))]
    how = [image.words]
    how += [] if spec.file is None else [f"preprocessing {spec.preprocessing}"]
    how += [] if settings.precision == "f32" else [f"in {settings.precision}"]
    where = device_words(settings.runtime, settings.device)
    how += [f"on {where}"] if where else []
    missing = "ImageNet, to be fetched" if spec.pinned is None else "to be fetched"
    source = weights.source if weights else missing
    unused = unused_card(settings.device)
    return [
        ("Backbone", f"{spec.name}, {', '.join(how)}; weights: {source}"),
        *([("", unused)] if unused else []),
    ]


def _grid_words(plan: Plan) -> str:
    settings = plan.settings
    grid, heads = settings.grid, len(settings.trials())
    candidates = len(grid) // grid.backbones
    several = [counted(grid.backbones, "backbone")] if plan.parts else []
    words = drawn_words(grid.drawn) if grid.drawn else counted(candidates, "candidate")
    if several and not grid.drawn:
        words = counted(candidates, "setting")
    factors = [*several, words, counted(settings.seeds, "seed")]
    if settings.folds is not None:
        factors.append(counted(settings.folds, "fold"))
    if settings.repeats is not None and settings.repeats > 1:
        factors.append(counted(settings.repeats, "repeat"))
    total = f"{' × '.join(factors)} = {counted(heads, 'head')}"
    merged = f" ({grid.merged:,} merged: {'; '.join(grid.merging)})"
    return f"{listed_words(grid)} → {total}{merged if grid.merged else ''}"


def listed_words(grid: Candidates) -> str:
    """Such as `learning_rate 0.0001..0.1; size_inner 100; droprate 0 0.5`."""
    return "; ".join(_values_words(name, grid.listed(name)) for name in _told(grid))


def _told(grid: Candidates) -> list[str]:
    """The hyperparameters to tell of: the lesson's, and all that were given."""
    return [
        name
        for name in HYPERPARAMETERS
        if name in LESSON or (name not in OF_TRAINING and grid.listed(name) != (NEUTRAL[name],))
    ]


def _listed(values: Sequence[Item]) -> str:
    words = [str(v) if isinstance(v, str | Range) else f"{v:,}" for v in values]
    return " or ".join(words)


def _values_words(name: str, values: Sequence[Item]) -> str:
    """Such as `droprate 0 0.2 0.5 0.8`, or of many `droprate 0 0.01 0.02 … 0.9 (91 values)`."""
    words = [value_words(name, value) for value in values]
    if len(words) > _MAX_VALUES:
        words = [*words[:3], "…", words[-1], f"({len(words)} values)"]
    return " ".join([name, *words])


def training_words(settings: StudySettings) -> str:
    grid = settings.grid
    epochs = f"{_listed(grid.listed('epochs'))} epoch{'' if grid.epochs == (1,) else 's'}"
    if settings.patience is not None:
        without = counted(settings.patience, "epoch")
        epochs = f"at most {epochs}, ending after {without} without a better one"
    rates = [_RATES[schedule] for schedule in grid.learning_rate_schedule]
    batches = f"batches of {_listed(grid.listed('batch_size'))}"
    engine = settings.engine
    if engine == "stacked":
        engine += f" on {accelerators.of_jax() or 'the processor'}"
    return f"{epochs}, {batches}, learning rate {' or '.join(rates)}, engine {engine}"


def _tile_lines(plan: Plan) -> Lines:
    """A line on what the engine of accelerators trains at once, and on the memory for that."""
    settings, dataset = plan.settings, plan.dataset
    if settings.engine != "stacked":
        return []
    train, validation = validation_counts(settings.folds, dataset)
    tiles = planned_tiles(
        settings.grid,
        images=len(dataset.contents),
        features=plan.width,
        classes=len(dataset.outputs),
        train=train,
        validation=validation // (settings.folds or 1),
    )
    return [("Tiles", tiles.words)]


def _copies_words(plan: Plan) -> str:
    """What augmented copies are, and what they cost beside augmenting anew in every epoch."""
    settings = plan.settings
    assert settings.augmentation is not None
    copies, epochs = max(settings.grid.augmented_copies), settings.epochs
    images = len(training_images(settings.folds, plan.dataset))
    images *= len(settings.spec.parts)  # passes of each
    made = sum(each.copy > 0 for each in plan.variants) * images
    return (
        f"{counted(copies, 'copy')} of each training image, none of any "
        f"other ({settings.augmentation.words}): {made:,} passes once for all heads, where "
        "augmenting anew in every epoch would take "
        f"{epochs * images:,} for each head"
    )


def _rung_words(settings: StudySettings) -> str:
    """Such as `3 rungs: all 1,000 candidates 4 epochs, best 333 10 epochs, …`."""
    first, *others = settings.rungs
    words = [f"all {counted(first.candidates, 'candidate')} {counted(first.epochs, 'epoch')}"]
    words += [f"best {rung.candidates:,} {counted(rung.epochs, 'epoch')}" for rung in others]
    return f"{counted(len(settings.rungs), 'rung')}: {', '.join(words)}"


def _memory_words(plan: Plan) -> str:
    needed = plan.memory
    return (
        f"about {needed.training / 1e9:.1f} GB while heads train, "
        f"{needed.writing / 1e9:.1f} GB while the best model is written"
    )


def _memory_lines(plan: Plan) -> Lines:
    """A line that warns, if this process may use less memory than the plan takes."""
    there, needed = memory(), max(plan.memory.training, plan.memory.writing)
    if not there or needed <= there:
        return []
    words = f"about {needed / 1e9:.1f} GB, and this process may use {there / 1e9:.1f} GB"
    return [("Memory", f"{words}: expect it to be slow, or ended by the system")]


def _disk_words(plan: Plan) -> str:
    disk = plan.disk
    words = [
        f"best model about {size_words(disk.model)}",
        f"{counted(plan.kept_heads, 'head')} about {size_words(disk.heads)}",
        f"predictions about {size_words(disk.predictions)}",
    ]
    words += [f"in the cache about {size_words(disk.cache)}"] if disk.cache else []
    checkpoints = plan.options.checkpoints(plan.kept_heads)
    if checkpoints:
        total = size_words(checkpoints * disk.model)
        words.append(f"at most {counted(checkpoints, 'checkpoint')} about {total}")
    return "; ".join(words)


def _time_words(plan: Plan, cost: Cost) -> str:
    settings = plan.settings
    every = len(settings.trials())
    heads = f"{cost.heads:,} of {counted(every, 'head')}"
    if cost.heads == every:
        heads = counted(every, "head")
    if settings.prune is not None:
        heads += f", pruned, {counted(cost.epochs, 'epoch')} in all,"
    elif len(settings.grid.epochs) == 1:
        heads += f" × {counted(settings.epochs, 'epoch')}"
    words = cost.time_words(
        backbone=_backbone_words(plan),
        features=_images_words(plan),
        heads=heads,
    )
    if not plan.fetched:  # whose size is not known, nor how fast they come
        words += "; fetching the weights is not counted"
    return words


def _backbone_words(plan: Plan) -> str:
    return counted(len(plan.parts), "backbone") if plan.parts else plan.settings.spec.name


def _images_words(plan: Plan) -> str:
    """Such as `1,797 images`, or with variants of the training images `images, 6,000 passes`."""
    if plan.plain == plan.missing and not plan.parts and not plan.settings.spec.members:
        return counted(plan.plain, "image")
    return f"{counted(len(plan.dataset.contents), 'image')}, {counted(plan.missing, 'pass')},"


def _cost_words(plan: Plan, cost: Cost) -> str:
    settings = plan.settings
    heads = len(settings.trials())
    whole = heads // len(settings.grid) * sum(each.epochs for each in settings.grid)
    pruning = settings.prune is not None and not plan.work.done.epochs
    return cost.words(
        images=_pass_words(plan),
        heads=f"{cost.heads:,} of {heads:,} heads",
        instead=f" instead of {whole:,}" if pruning else "",
    )


def _worker_lines(plan: Plan) -> Lines:
    workers = plan.options.workers
    if workers is None or not plan.missing:
        return []
    return [("Workers", shard_words(workers, plan.missing, plan.features))]


def _pass_words(plan: Plan) -> str:
    """Such as ` for 3,409 images (plain 3,409, augmented copies 6,000)`."""
    if plan.settings.features is not None:
        return ""
    words = f" for {counted(len(plan.dataset.contents), 'image')}"
    if plan.variants and plan.missing:
        kinds = {"augmented copies": (False, 1), "feature maps": (True, 0)}
        parts = [f"plain {plan.plain:,}"]
        for name, (grid, first) in kinds.items():
            passed = [n for v, n in plan.variants.items() if v.grid == grid and v.copy >= first]
            parts += [f"{name} {sum(passed):,}"] if passed else []
        words += f" ({', '.join(parts)})"
    return words
