"""The plan of a check for shortcuts, in words, before it begins."""

from __future__ import annotations

from manyheads.core.job import Planned
from manyheads.core.text import counted, size_words
from manyheads.lesson.shortcut.shortcut_plan import ShortcutPlan
from manyheads.run.planned_study import backbone_lines, data_lines, listed_words, training_words


def shortcut_planned(plan: ShortcutPlan) -> Planned:
    """What is planted where, what is trained, and about how long it will take."""
    settings, images = plan.settings, plan.arrangement
    study, labels = settings.study, images.dataset.labels
    of_class = int((labels[images.train] == images.target).sum())
    with_class = int((labels[images.validation] == images.target).sum())
    clean = f"; {len(images.clean):,} kept clean" if settings.clean else ""
    (first, words), *others = settings.condition_words.items()
    factors = [
        counted(len(study.grid), "candidate"),
        counted(study.seeds, "seed"),
        counted(len(settings.conditions), "condition"),
    ]
    cached = (
        f"the cache grows by about {size_words(plan.cache)}" if plan.cache else ("nothing to cache")
    )
    layers = f" and {counted(plan.last_layers, 'last layer')}" if plan.last_layers else ""
    heads = f"{counted(plan.heads, 'head')}"
    lines = (
        *data_lines(images.dataset),
        *backbone_lines(study, plan.weights),
        ("Mark", f"{settings.mark.words()}; on {len(images.in_class):,} of {of_class:,} training "
         f"images of {settings.target}{clean}"),
        ("Conditions", f"{first}: {words}"),
        *(("", f"{name}: {words}") for name, words in others),
        ("Grid", f"{listed_words(study.grid)} → {' × '.join(factors)} = {heads}"),
        ("Cost", plan.cost.words(heads=heads + layers)),
    )  # fmt: skip
    details = (
        *(
            ("", f"{missing:,} of {len(wanted.images):,} images {wanted.words}")
            for wanted, missing in zip(plan.wanted.values(), plan.missing.values(), strict=True)
        ),
        ("Evaluated", f"{counted(len(images.validation), 'validation image')} without it, "
         f"{with_class:,} of {settings.target}; {len(images.into):,} of other classes with it"),
        ("Training", training_words(study)),
        ("Selection", f"the epoch of each head, by the rule {study.select}"),
        ("Memory", f"about {plan.memory / 1e9:.1f} GB while heads train; {cached}"),
    )  # fmt: skip
    return Planned(lines, details=details)
