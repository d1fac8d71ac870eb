"""The whole lesson in stages, each a study of its own that takes over the former's winner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.core.job import SILENT, Event, Job, Planned
from manyheads.core.label_sets import require_one_label
from manyheads.core.settings import store, whole
from manyheads.errors import RunError, SettingError
from manyheads.heads.hyperparameters import MAX_EPOCHS, Hyperparameters
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import RunOptions
from manyheads.study.results import StudyResult
from manyheads.study.sources import open_data
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from manyheads.study.table_writing import write_table


@dataclass(frozen=True)
class LessonSettings:
    """The values that the stages try, and how many epochs each head trains.

    The lesson's own: a learning rate for a head without an inner layer, then the size of the
    inner layer, then the dropout rate. Raises `SettingError`, for any stage, before the first.
    """

    learning_rate: tuple[float, ...] = (0.0001, 0.001, 0.01, 0.1)
    size_inner: tuple[int, ...] = (0, 10, 100, 1000)
    droprate: tuple[float, ...] = (0.0, 0.2, 0.5, 0.8)
    epochs: int = 10
    droprate_epochs: int = 30

    def __post_init__(self) -> None:
        rates = Grid(self.learning_rate, (0,), (0.0,))
        sizes = Grid(rates.learning_rate[:1], self.size_inner, (0.0,))
        droprates = Grid(rates.learning_rate[:1], (1,), self.droprate)
        if not any(sizes.size_inner):
            raise SettingError(
                "a size_inner above 0 for the dropout stage",
                "only heads without an inner layer",
                "list a size such as 100",
            )
        store(
            self,
            learning_rate=rates.learning_rate,
            size_inner=sizes.size_inner,
            droprate=droprates.droprate,
            epochs=whole("epochs", self.epochs, 1, MAX_EPOCHS),
            droprate_epochs=whole("droprate_epochs", self.droprate_epochs, 1, MAX_EPOCHS),
        )


@dataclass(frozen=True)
class Stage:
    """A stage of the lesson: what it varies, and the setting that it takes to the next."""

    name: str
    finished: Finished
    winner: Hyperparameters
    rule: str


STAGES = ("1-learning-rate", "2-size-inner", "3-droprate")
"""The stages' names, which are those of their run folders."""
_MEANS = ("peak_val_accuracy", "min_val_loss", "final_val_loss")
COLUMNS = (
    "stage", "learning_rate", "size_inner", "droprate", "epochs", "trials", *_MEANS, "goes_on",
)  # fmt: skip


def run_stages(
    base: StudySettings,
    lesson: LessonSettings,
    out: str | Path,
    *,
    options: RunOptions | None = None,
    job: Job = SILENT,
) -> Iterator[Stage]:
    """Run the stages, yielding each as it is finished; their run folders lie below `out`.

    Each stage passes on its winner by the study's selection rule, on validation images. The
    dropout stage needs units to hide, so it takes the best size that has an inner layer. `base`
    gives everything but the grid and the epochs. Raises what `run_study` raises.
    """

    if base.table.several_labels:
        labels = open_data(base, job).label_names
        require_one_label(labels, "the lesson")

    def stage(name: str, grid: Grid, epochs: int, rule: str) -> Stage:
        settings = replace(
            base, grid=replace(grid, epochs=(epochs,), batch_size=base.grid.batch_size)
        )
        finished = run_study(settings, Path(out) / name, options=options, job=_headed(job, name))
        winner = winner_of(name, finished.result)
        if winner is None:
            raise RunError(
                "at least one head with an inner layer that trains",
                "every one diverged",
                "list a lower `learning_rate`, with another `out`",
            )
        return Stage(name, finished, winner, rule)

    passed = "the winner goes on"
    first = stage(STAGES[0], Grid(lesson.learning_rate, (0,), (0.0,)), lesson.epochs, passed)
    yield first
    rate = (first.winner.learning_rate,)
    inner = "the best with an inner layer goes on: dropout needs units to hide"
    second = stage(STAGES[1], Grid(rate, lesson.size_inner, (0.0,)), lesson.epochs, inner)
    yield second
    size = (second.winner.size_inner,)
    yield stage(
        STAGES[2],
        Grid(rate, size, lesson.droprate),
        lesson.droprate_epochs,
        "the lesson's answer",
    )


def winner_of(stage: str, result: StudyResult) -> Hyperparameters | None:
    """The setting that a stage takes to the next; None where none does.

    It is the best, and from the stage of the inner layers the best that has one.
    """
    ranking = (result.hyperparameters(entry.candidate) for entry in result.ranking)
    return next((each for each in ranking if each.size_inner or stage != STAGES[1]), None)


def _headed(job: Job, name: str) -> Job:
    """The part of `job` that is a stage: its plan has a heading, and advises nothing."""

    def listen(event: Event) -> None:
        if isinstance(event, Planned):
            event = replace(event, heading=name, advice="")
        job.tell(event)

    return job.heard_by(listen)


def write_stages(out: str | Path, stages: Iterable[Stage]) -> None:
    """Write `lesson.csv` in the folder `out`: a row for each candidate of each stage."""
    write_table(Path(out) / "lesson.csv", COLUMNS, (row for each in stages for row in _rows(each)))


def _rows(stage: Stage) -> Iterator[tuple[object, ...]]:
    result, settings = stage.finished.result, stage.finished.settings
    for entry in result.in_order:
        setting = result.hyperparameters(entry.candidate)
        means = [entry.measures.get(name) for name in _MEANS]
        yield (
            stage.name, setting.learning_rate, setting.size_inner, setting.droprate,
            settings.epochs, entry.trials, *(spread and spread.mean for spread in means),
            int(setting == stage.winner),
        )  # fmt: skip
