"""How far a study is, and how it shows itself."""

from __future__ import annotations

from dataclasses import dataclass

from manyheads.core.text import counted
from manyheads.heads.hyperparameters import LESSON, NEUTRAL
from manyheads.study.results import StudyResult
from manyheads.study.space import HYPERPARAMETERS, value_words
from manyheads.study.study_settings import StudySettings

_MAX_ROWS = 20


@dataclass(frozen=True)
class StudyState:
    """How far a study is: its `trials`, and how many are done, diverged (`failed`) or `pruned`."""

    trials: int
    done: int
    failed: int
    pruned: int

    @property
    def left(self) -> int:
        """The trials that are still to be trained."""
        return self.trials - self.done - self.failed - self.pruned

    @property
    def finished(self) -> bool:
        """Whether no trial is left."""
        return not self.left

    def __str__(self) -> str:
        words = [f"{self.done:,} of {counted(self.trials, 'trial')} done"]
        rest = {"failed": self.failed, "pruned": self.pruned, "left": self.left}
        return ", ".join(words + [f"{count:,} {name}" for name, count in rest.items() if count])


def asked_words(settings: StudySettings) -> str:
    """What a study asks: the values of its hyperparameters, its seeds and epochs."""
    words = [
        f"{name} {' '.join(f'{v}' if isinstance(v, str) else f'{v:g}' for v in values)}"
        for name in HYPERPARAMETERS
        if (values := getattr(settings.grid, name)) != (NEUTRAL[name],) or name in LESSON
    ]
    seeds, epochs = counted(settings.seeds, "seed"), counted(settings.epochs, "epoch")
    return f"{'; '.join(words)}; {seeds}, {epochs}"


def results_table(result: StudyResult) -> str:
    """A line for each candidate, of very many the best; an arrow is at the selected one."""
    names = result.grid.varying
    rows: list[tuple[str, ...]] = [("", *names, "peak val_accuracy", "minimum val_loss")]
    remarks = [""]
    shown = result.in_order
    if len(shown) > _MAX_ROWS:
        shown = [*result.ranking, *result.pruned][:_MAX_ROWS]
    for entry in shown:
        setting = result.hyperparameters(entry.candidate)
        varying = [value_words(name, getattr(setting, name)) for name in names]
        means = [entry.measures.get(n) for n in ("peak_val_accuracy", "min_val_loss")]
        cells = [f"{spread.mean:.3f}" if spread else "–" for spread in means]
        rows.append(("→" if entry is result.ranking[0] else "", *varying, *cells))
        pruned = entry.pruned_after
        remarks.append("" if pruned is None else f"  pruned after epoch {pruned}")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + remark
        for row, remark in zip(rows, remarks, strict=True)
    ]
    if len(shown) < len(result.grid):
        lines.append(f"… {len(result.grid) - len(shown):,} more in .results")
    return "\n".join(lines)
