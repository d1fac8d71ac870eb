"""The announcement of a study before it begins."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from manyheads.backbones.weights import Weights
from manyheads.cli.screen import Screen, basis_words, clock
from manyheads.core.text import size_words
from manyheads.data.dataset import Dataset
from manyheads.data.duplicates import overlap_words
from manyheads.data.splits import SPLITS
from manyheads.data.trainable import few_images_words
from manyheads.heads.hyperparameters import LESSON, NEUTRAL
from manyheads.run.estimate import estimate
from manyheads.run.plan import Plan
from manyheads.study.division import few_words
from manyheads.study.feature_variants import training_images
from manyheads.study.select import rule_words
from manyheads.study.space import HYPERPARAMETERS, Grid, counted, value_words
from manyheads.study.study_settings import StudySettings

_MAX_VALUES = 12
_TRAINING = ("epochs", "batch_size")  # told under Training


def announced(heading: str = "") -> Screen:
    """A screen that begins with the plan of the study, under a `heading` if there is one."""
    return _Announced(heading)


class _Announced(Screen):
    def __init__(self, heading: str) -> None:
        super().__init__()
        self._heading = heading

    def planned(self, plan: Plan) -> None:
        # A stage of a lesson has a heading, and no folds to be advised.
        lines = plan_lines(plan) if self._heading else [*plan_lines(plan), *advice_lines(plan)]
        for line in filter(None, [self._heading, *lines]):
            self.note(line)
        self.note("")


def plan_lines(plan: Plan) -> list[str]:
    """What will be done with which data, and about how long it will take."""
    settings = plan.settings
    return [
        *data_lines(plan.dataset),
        *overlap_lines(plan.dataset, folds=settings.folds is not None),
        *few_lines(plan.dataset, settings.folds),
        backbone_line(settings, plan.weights, plan.features),
        f"Grid       {_grid_words(plan)}",
        *(f"           {remark}" for remark in settings.grid.remarks),
        *([f"Augmented  {_copies_words(plan)}"] if max(settings.grid.augmented_copies) else []),
        f"Training   {training_words(settings)}",
        *([f"Pruning    {_rung_words(settings)}"] if settings.prune is not None else []),
        f"Selection  {settings.select}: {rule_words(settings.select)}",
        f"Cost       {_cost_words(plan)}",
        f"Disk       {_disk_words(plan)}",
        f"Memory     {_memory_words(plan)}",
    ]


def data_lines(dataset: Dataset) -> list[str]:
    """What the data set holds, what was left out of it, and what may not be meant."""
    return [_data_line(dataset), *left_out_lines(dataset)]


def left_out_lines(dataset: Dataset) -> list[str]:
    """A line on what the data set's source holds without its being used, and remarks; if any."""
    lines = [f"Left out   {dataset.left_out}"] if dataset.left_out else []
    return [*lines, *(f"Note       {remark}" for remark in dataset.remarks)]


def _data_line(dataset: Dataset) -> str:
    counts = [f"{split} {len(dataset.rows(split)):,}" for split in SPLITS]
    carved = " (validation taken from train)" if dataset.carved else ""
    return (
        f"Data       {dataset.name}: {counted(len(dataset), 'image')}, "
        f"{counted(len(dataset.classes), 'class')}, "
        f"{dataset.layout}; {', '.join(counts)}{carved}"
    )


def few_lines(dataset: Dataset, folds: int | None) -> list[str]:
    """A line on the classes that not every fold, or nothing, validates, if there are any."""
    words = few_words(dataset, folds)
    few = "" if folds is None else "with few images: "
    return [f"Classes    {few}{words}"] if words else []


def overlap_lines(dataset: Dataset, *, folds: bool) -> list[str]:
    """A line on each split whose images are known from training, if one has such."""
    return [f"Overlap    {words}" for words in overlap_words(dataset, folds=folds)]


def advice_lines(plan: Plan) -> list[str]:
    """A line that advises folds, with the command, where there are few images and no folds."""
    settings = plan.settings
    words = "" if settings.folds is not None else few_images_words(plan.dataset)
    if not words:
        return []
    features = [] if settings.features is None else ["--features", *settings.features]
    how = [*features, *settings.table.arguments]
    command = shlex.join(["manyheads", "sweep", settings.data, *how, "--folds", "5"])
    return [f"Advice     {words}: {command}"]


def backbone_line(settings: StudySettings, weights: Weights | None, features: int = 0) -> str:
    """Which backbone sees the images, and how they are prepared for it; or whence features come."""
    image, spec = settings.image, settings.spec
    if settings.features is not None:
        width = f"{features:,} of each row, " if features else ""
        return f"Features   {width}computed elsewhere: {' '.join(settings.features)}"
    how = [f"{image.size}×{image.size}", image.interpolation]
    how += [] if image.exif else ["camera orientation ignored"]
    how += [] if image.depth is None else [f"depth {image.depth}"]
    how += [] if spec.file is None else [f"preprocessing {spec.preprocessing}"]
    how += [] if settings.precision == "f32" else [f"in {settings.precision}"]
    source = weights.source if weights else "ImageNet, to be fetched"
    return f"Backbone   {spec.name}, {', '.join(how)}; weights: {source}"


def _grid_words(plan: Plan) -> str:
    settings = plan.settings
    grid, heads = settings.grid, len(settings.trials())
    factors = [counted(len(grid), "candidate"), counted(settings.seeds, "seed")]
    if settings.folds is not None:
        factors.append(counted(settings.folds, "fold"))
    if settings.repeats is not None and settings.repeats > 1:
        factors.append(counted(settings.repeats, "repeat"))
    total = f"{' × '.join(factors)} = {counted(heads, 'head')}"
    merged = f" ({grid.merged:,} merged: {'; '.join(grid.merging)})"
    return f"{listed_words(grid)} → {total}{merged if grid.merged else ''}"


def listed_words(grid: Grid) -> str:
    """Such as `learning_rate 0.001; size_inner 100; droprate 0 0.5`."""
    return "; ".join(_values_words(name, getattr(grid, name)) for name in _told(grid))


def _told(grid: Grid) -> list[str]:
    """The hyperparameters to tell of: the lesson's, and all that were given."""
    return [
        name
        for name in HYPERPARAMETERS
        if name in LESSON or (name not in _TRAINING and getattr(grid, name) != (NEUTRAL[name],))
    ]


def _listed(values: Sequence[int]) -> str:
    return " or ".join(f"{value:,}" for value in values)


def _values_words(name: str, values: Sequence[float | str]) -> str:
    """Such as `droprate 0 0.2 0.5 0.8`, or of many `droprate 0 0.01 0.02 … 0.9 (91 values)`."""
    words = [value_words(name, value) for value in values]
    if len(words) > _MAX_VALUES:
        words = [*words[:3], "…", words[-1], f"({len(words)} values)"]
    return " ".join([name, *words])


def training_words(settings: StudySettings) -> str:
    grid = settings.grid
    epochs = f"{_listed(grid.epochs)} epoch{'' if grid.epochs == (1,) else 's'}"
    if settings.patience is not None:
        without = counted(settings.patience, "epoch")
        epochs = f"at most {epochs}, ending after {without} without a better one"
    return f"{epochs}, batches of {_listed(grid.batch_size)}, engine {settings.engine}"


def _copies_words(plan: Plan) -> str:
    """What augmented copies are, and what they cost beside augmenting anew in every epoch."""
    settings = plan.settings
    assert settings.augmentation is not None
    copies, epochs = max(settings.grid.augmented_copies), settings.epochs
    images = len(training_images(settings, plan.dataset))
    made = sum(version.view > 0 for version in plan.versions) * images
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


def _cost_words(plan: Plan) -> str:
    expected = estimate(plan)
    images, heads = len(plan.dataset.contents), len(plan.settings.trials())
    passes = f"{counted(plan.missing, 'backbone pass')} for {counted(images, 'image')}"
    if plan.settings.features is not None:
        passes = "no backbone passes"
    if plan.versions and plan.missing:
        kinds = {"augmented copies": (False, 1), "feature grids": (True, 0)}
        parts = [f"plain {plan.plain:,}"]
        for name, (grid, first) in kinds.items():
            passed = [n for v, n in plan.versions.items() if v.grid == grid and v.view >= first]
            parts += [f"{name} {sum(passed):,}"] if passed else []
        passes += f" ({', '.join(parts)})"
    if plan.missing:
        passes += f", about {clock(expected.extraction)}"
    training = f"{heads - plan.ended:,} of {heads:,} heads to train"
    if plan.ended < heads:
        whole = heads // len(plan.settings.grid) * sum(s.epochs for s in plan.settings.grid)
        pruning = plan.settings.prune is not None and not plan.work.done.epochs
        instead = f" instead of {whole:,}" if pruning else ""
        most = "at most " if plan.settings.patience is not None else ""
        training += (
            f" ({most}{plan.work.left.epochs:,} epochs of heads{instead}), "
            f"{most or 'about '}{clock(expected.training)}"
        )
    nothing = not plan.missing and plan.ended == heads
    return f"{passes}; {training}" + ("" if nothing else f" ({basis_words(expected.measured)})")


def _memory_words(plan: Plan) -> str:
    memory = plan.memory
    return (
        f"about {memory.training / 1e9:.1f} GB while heads train, "
        f"{memory.writing / 1e9:.1f} GB while the best model is written"
    )


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
