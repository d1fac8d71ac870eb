"""The plan of a fit, in words, before it begins."""

from __future__ import annotations

from pathlib import Path

from manyheads.core.job import Planned
from manyheads.core.text import clock, counted
from manyheads.run.fit.fit_plan import FitPlan
from manyheads.run.planned_study import Lines, data_lines, few_lines, overlap_lines


def fit_planned(plan: FitPlan) -> Planned:
    """What a fit will do, and about how long each part will take."""
    settings = plan.settings
    lines: Lines = [
        *data_lines(plan.dataset),
        *overlap_lines(plan.dataset, folds=True),
        ("Backbone", f"{Path(settings.backbone).name}; weights: {plan.weights.source}"),
        ("Folds", f"{plan.folds}, of all images for training and validation; test images are not "
         "used"),
        *few_lines(plan.dataset, plan.folds),
        ("Budget", f"{clock(settings.budget)}, of which searches take about "
         f"{clock(sum(each.seconds for each in plan.image_options))}"),
    ]  # fmt: skip
    for number, images in enumerate(plan.image_options, start=1):
        pruned = ", pruned" if images.pruned else ""
        words = (
            f"{number}. {images.words}: {counted(images.passes, 'backbone pass')}, "
            f"about {clock(images.extraction)}; heads about {clock(images.training)}{pruned}"
        )
        lines.append(("Search" if number == 1 else "", words))
    sizes = {each.size for each in plan.image_options}
    left_out = [each for each in plan.considered if each.size not in sizes]
    words = sorted({f"{each.size}×{each.size}" for each in left_out})
    if words:
        lines.append(("", f"not within the budget: {', '.join(words)}"))
    return Planned(tuple(lines))
