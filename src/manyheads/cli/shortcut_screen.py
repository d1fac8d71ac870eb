"""What `manyheads shortcut` prints: its plan, and what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads.cli.narrow import print_lines, print_table
from manyheads.cli.plan_lines import backbone_line, data_lines, listed_words, training_words
from manyheads.cli.screen import Screen, basis_words, clock
from manyheads.core.text import counted, size_words
from manyheads.lesson.shortcut.shortcut_check import Checked, ShortcutListener
from manyheads.report.shortcut_section import shortcut_tables

if TYPE_CHECKING:
    from manyheads.lesson.shortcut.shortcut_plan import ShortcutPlan


class ShortcutScreen(Screen, ShortcutListener):
    """Shows a check at work, beginning with what it will take."""

    def planned_shortcut(self, plan: ShortcutPlan) -> None:
        for line in [*plan_lines(plan), ""]:
            self.note(line)


def plan_lines(plan: ShortcutPlan) -> list[str]:
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
    return [
        *data_lines(images.dataset),
        backbone_line(study, plan.weights),
        f"Mark       {settings.mark.words()}; on {len(images.in_class):,} of {of_class:,} training "
        f"images of {settings.target}{clean}",
        f"Evaluated  {counted(len(images.validation), 'validation image')} without it, "
        f"{with_class:,} of {settings.target}; {len(images.into):,} of other classes with it",
        f"Conditions {first}: {words}",
        *(f"           {name}: {words}" for name, words in others),
        f"Grid       {listed_words(study.grid)} → {' × '.join(factors)} = "
        f"{counted(plan.heads, 'head')}",
        f"Training   {training_words(study)}",
        f"Selection  the epoch of each head, by the rule {study.select}",
        *_cost_lines(plan),
        f"Memory     about {plan.memory / 1e9:.1f} GB while heads train; "
        + (
            f"the cache grows by about {size_words(plan.cache)}"
            if plan.cache
            else "nothing to cache"
        ),
    ]


def _cost_lines(plan: ShortcutPlan) -> list[str]:
    extraction, training, measured = plan.seconds
    passes = sum(plan.missing.values())
    time = f", about {clock(extraction)}" if passes else ""
    layers = f" and {counted(plan.last_layers, 'last layer')}" if plan.last_layers else ""
    lines = [
        f"Cost       {counted(passes, 'backbone pass', 'es')}{time}; {counted(plan.heads, 'head')}"
        f"{layers}, about {clock(training)} ({basis_words(measured)})"
    ]
    lines += [
        f"           {missing:,} of {len(wanted.images):,} images {wanted.words}"
        for wanted, missing in zip(plan.wanted.values(), plan.missing.values(), strict=True)
    ]
    return lines


def print_result(checked: Checked) -> None:
    """Print a table for each measure, the verdict, and where everything lies."""
    for table in shortcut_tables(checked.record):
        print()
        print_table(table)
    print_lines(result_lines(checked))


def result_lines(checked: Checked) -> list[str]:
    """The verdict, a sentence a line, and where everything lies."""
    first, *others = checked.verdict
    return [
        "",
        f"Verdict  {first}",
        *(f"         {sentence}" for sentence in others),
        "",
        f"Picture  {checked.files.picture}",
        f"Table    {checked.files.table}",
        f"Record   {checked.files.record}",
    ]
