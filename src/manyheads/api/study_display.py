"""How far a study is, and how it shows itself."""

from __future__ import annotations

from dataclasses import dataclass

from manyheads.core.table import as_text
from manyheads.core.text import counted
from manyheads.findings.score_tables import results_table, shown_candidates
from manyheads.heads.hyperparameters import LESSON, NEUTRAL
from manyheads.study.results import StudyResult
from manyheads.study.space import HYPERPARAMETERS
from manyheads.study.study_settings import StudySettings


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


def results_text(result: StudyResult) -> str:
    """The table of results as plain text: a line for each candidate, of very many the best."""
    text = as_text(results_table(result, result.grid.varying))
    more = len(result.grid) - len(shown_candidates(result))
    return f"{text}\n… {more:,} more in .results" if more else text
