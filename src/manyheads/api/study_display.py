"""How far a study is, and how it shows itself."""

from __future__ import annotations

from dataclasses import dataclass

from manyheads.core.table import as_html, as_text
from manyheads.core.text import counted
from manyheads.findings.score_tables import results_table, shown_candidates
from manyheads.heads.class_weights import weight_words
from manyheads.heads.hyperparameters import LESSON, NEUTRAL
from manyheads.heads.ranges import Item, item_words
from manyheads.study.drawn_candidates import drawn_words
from manyheads.study.results import StudyResult
from manyheads.study.space import OF_TRAINING
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
        f"{name} {' '.join(_words(name, value) for value in values)}"
        for name in settings.grid.names
        if (values := settings.grid.listed(name))
        and (name in LESSON or (name not in OF_TRAINING and values != (NEUTRAL.get(name),)))
    ]
    words += [drawn_words(settings.grid.drawn)] if settings.grid.drawn else []
    seeds, epochs = counted(settings.seeds, "seed"), counted(settings.epochs, "epoch")
    if settings.usual_epochs:
        epochs = "as many epochs as suit the images"
    return f"{'; '.join(words)}; {seeds}, {epochs}"


def _words(name: str, value: Item) -> str:
    return weight_words(str(value)) if name == "class_weight" else item_words(value)


def results_html(result: StudyResult) -> str:
    """The table of results as a notebook shows it; of very many candidates the best."""
    more = len(result.grid) - len(shown_candidates(result))
    table = as_html(results_table(result, result.grid.varying))
    return f"{table}\n<p>… {more:,} more in .results</p>" if more else table


def results_text(result: StudyResult) -> str:
    """The table of results as plain text: a line for each candidate, of very many the best."""
    text = as_text(results_table(result, result.grid.varying))
    more = len(result.grid) - len(shown_candidates(result))
    return f"{text}\n… {more:,} more in .results" if more else text
