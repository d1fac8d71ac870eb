"""The sections of a report that some studies have: on augmented copies, and on checked claims."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from manyheads.core.table import Table, names, numbers
from manyheads.core.text import capital, counted, decimal
from manyheads.data.dataset import Dataset
from manyheads.findings.backbone_scores import Backbones
from manyheads.findings.claim_record import EnsembleClaim, LongerClaim, read_ensemble, read_longer
from manyheads.findings.claim_tables import (
    contrasts_table,
    epochs_table,
    reach_table,
    ways_table,
)
from manyheads.findings.claim_words import way_words
from manyheads.findings.ensembles import Kind, Way
from manyheads.findings.wording import METRIC_WORDS
from manyheads.report.bounds import DRAWN
from manyheads.report.content import Section
from manyheads.report.panel import Panel, Series
from manyheads.report.scales import epoch_limits, loss_limits, padded
from manyheads.report.shortcut_section import shortcut_section
from manyheads.study.feature_variants import training_images, variants_needed
from manyheads.study.folder import RunFolder
from manyheads.study.study_settings import StudySettings

_LINES: tuple[tuple[Kind, str], ...] = (
    ("subnetworks", "averages of random subnetworks"),
    ("weight_scaling", "weight scaling"),
    ("deep", "ensembles of seeds"),
)


def copies_section(settings: StudySettings, dataset: Dataset) -> Section | None:
    """The section of a study with augmented copies; None for one without."""
    if settings.augmentation is None:
        return None
    images = len(training_images(settings.folds, dataset))
    copies = max(settings.grid.augmented_copies)
    seen = [setting.epochs for setting in settings.grid if setting.augmented_copies]
    rounds = len(settings.trials()) // len(settings.grid)
    made = images * sum(each.copy > 0 for each in variants_needed(settings.grid))
    live = images * max(seen)
    rows = (
        ("augmented copies, computed once for all heads", made),
        ("augmenting anew in every epoch, one head", live),
        ("augmenting anew in every epoch, each head by itself", images * sum(seen) * rounds),
    )
    return Section(
        title="Augmented copies",
        paragraphs=(
            f"For each of {counted(images, 'training image')}, heads drew in every epoch the image "
            f"itself or one of up to {counted(copies, 'augmented copy')} "
            f"({settings.augmentation.words}). Images that validate or test were never altered.",
            "The copies were drawn once, for all seeds and folds. What other copies would have "
            "given is in no interval of this report.",
        ),
        tables=(
            Table(
                caption="Backbone passes",
                columns=[*names("way"), *numbers("passes", "times")],
                rows=[(way, f"{n:,}", f"{n / made:.1f}") for way, n in rows],
            ),
        ),
    )


def backbones_section(found: Backbones | None) -> Section | None:
    """The section of a study of several backbones; None for one of a single one."""
    if found is None:
        return None
    panel = _cost_panel(found)
    return Section(
        title="Backbones",
        paragraphs=found.sentences,
        tables=(found.table,),
        figures=() if panel is None else (panel,),
        caption=""
        if panel is None
        else "Each backbone with its best setting; bars are 95 % "
        "intervals of the difference from the selected one, adjusted for all pairs of candidates; "
        "the ring marks the selected one. Up and to the left is better.",
    )


def _cost_panel(found: Backbones) -> Panel | None:
    """Accuracy against arithmetic, or against the time of an image where that is not known."""
    work = [each.cost.gflop for each in found.scores]
    label = "GFLOP per image"
    if None in work:
        speeds = [each.cost.images_per_second for each in found.scores]
        work = [None if speed is None else 1000 / speed for speed in speeds]
        label = "milliseconds per image"
    if None in work:
        return None
    places = np.array(work, np.float64)
    order = np.argsort(places)
    scores = [found.scores[place] for place in order]
    best = found.selected.accuracy
    series = []
    for style, (place, each) in enumerate(zip(places[order], scores, strict=True)):
        here, known = np.array([place]), math.isfinite(each.low) and math.isfinite(each.high)
        series.append(
            Series(
                name=f"{each.name} at {each.image_size}",
                x=here,
                y=np.array([each.accuracy]),
                low=np.clip([best - each.high], 0.0, 1.0) if known else None,
                high=np.clip([best - each.low], 0.0, 1.0) if known else None,
                drawn="points",
                style=style,
                highlight=float(place) if each.standing == "selected" else None,
            )
        )
    words = ", ".join(f"{each.name} {decimal(each.accuracy)}" for each in scores)
    return Panel(
        title="Validation accuracy by cost",
        x_label=label,
        y_label="accuracy",
        series=tuple(series),
        description=f"Validation accuracy by {label}, from the cheapest: {words}.",
        x_limits=padded(0.0, float(places.max())),
        highlight="selected",
    )


def claim_sections(folder: RunFolder) -> tuple[Section, ...]:
    """A section for each claim recorded in `folder`; raises `RunError` for a damaged record."""
    return tuple(_sections(folder))


def _sections(folder: RunFolder) -> Iterator[Section]:
    if (ensemble := read_ensemble(folder)) is not None:
        yield Section(
            title="Dropout as an ensemble",
            paragraphs=(
                f"Candidate {ensemble.candidate}, {ensemble.name}: {ensemble.masks} random "
                "subnetworks of each head, averages of their probabilities, weight scaling "
                "(ordinary inference), and ensembles of seeds.",
                *ensemble.sentences,
            ),
            tables=(ways_table(ensemble), contrasts_table(ensemble)),
            figures=tuple(_ensemble_panel(ensemble, name) for name in ("log_loss", "accuracy")),
        )
    if (longer := read_longer(folder)) is not None:
        yield Section(
            title="Longer training",
            paragraphs=(
                f"Every candidate trained to epoch {longer.limit:,} at most, a head ending after "
                f"{counted(longer.patience, 'epoch')} without a lower log loss.",
                *longer.sentences,
            ),
            tables=(reach_table(longer), epochs_table(longer)),
            figures=(_longer_panel(longer),),
        )
    if (shortcut := shortcut_section(folder)) is not None:
        yield shortcut


def _ensemble_panel(claim: EnsembleClaim, metric: str) -> Panel:
    """A score by the number of networks that are averaged, on a logarithmic axis."""
    most = max(way.size for way in claim.ways)
    series = []
    for place, (kind, name) in enumerate(_LINES):
        ways = [way for way in claim.ways if way.kind == kind]
        if kind == "deep":  # one seed is weight scaling
            ways = [way for way in claim.ways if way.kind == "weight_scaling"] + ways
        if len(ways) > 1 or kind == "weight_scaling":
            series.append(_line(name, ways, metric, place, most))
    sizes = sorted({way.size for way in claim.ways})
    best = min(claim.ways, key=lambda way: getattr(way, metric).value * _sign(metric))
    return Panel(
        title=f"{capital(METRIC_WORDS[metric])} of averages of networks",
        x_label="networks averaged",
        y_label=METRIC_WORDS[metric],
        series=tuple(series),
        description=(
            f"{capital(METRIC_WORDS[metric])} by the number of networks averaged; intervals are in "
            f"the table. Best is {way_words(best.kind, best.size)}, "
            f"{decimal(getattr(best, metric).value)}."
        ),
        x_limits=(-0.05, math.log10(most) + 0.05),
        y_limits=loss_limits([s.y for s in series]) if metric == "log_loss" else None,
        x_ticks=tuple((math.log10(size), str(size)) for size in sizes),
    )


def _sign(metric: str) -> int:
    return -1 if metric == "accuracy" else 1


def _line(name: str, ways: list[Way], metric: str, place: int, most: int) -> Series:
    sizes = [way.size for way in ways]
    found = [getattr(way, metric) for way in ways]
    if len(ways) == 1:  # the same however many subnetworks there are
        sizes, found = [1, most], found * 2
    return Series(
        name=name,
        x=np.log10(np.array(sizes, np.float64)),
        y=np.array([each.value for each in found]),
        style=place,
        strong=place == 0,
    )


def _longer_panel(claim: LongerClaim) -> Panel:
    shown = claim.candidates[:DRAWN]
    series = tuple(
        Series(
            name=each.name,
            x=np.array(each.epochs, np.float64),
            y=np.array(each.val_loss),
            style=place,
            highlight=each.log_loss.epoch.value,
        )
        for place, each in enumerate(shown)
    )
    turns = "; ".join(f"{each.name} at {each.log_loss.epoch.value:.0f}" for each in shown)
    return Panel(
        title="Validation log loss, trained past its minimum",
        x_label="epoch",
        y_label="val_loss",
        series=series,
        description=f"Mean over heads, as far as all of them were trained. Lowest: {turns}.",
        x_limits=epoch_limits(max(each.epochs[-1] for each in shown)),
        y_limits=loss_limits([each.y for each in series]),
        counted=True,
        highlight="epoch of the lowest loss (mean)",
    )
