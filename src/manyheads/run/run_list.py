"""The run folders below a folder, a record each, from tables and counts: no curve is read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from manyheads.core.text import counted, decimal, mean_std
from manyheads.errors import ManyheadsError, RunError
from manyheads.findings.finding import Finding
from manyheads.heads.epoch_rules import metric_of
from manyheads.run.fit import fit_record
from manyheads.run.run_folders import last_change, run_folders
from manyheads.study.folder import RunFolder
from manyheads.study.space import setting_words
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import StudySettings
from manyheads.study.trial_counts import ENDED, trial_counts


@dataclass(frozen=True, kw_only=True)
class ListedRun:
    """A run folder: what was asked, how far it is, and what came of it.

    `date` is when it last came to something, in ISO format; `kind` is "study" or "fit". `done`
    counts the ended ones of all `trials`. `best` is the selected candidate in words, `score` its
    mean in `metric`, a column of results.csv, with the standard `deviation` over seeds, which folds
    do not have there; of a fit
    it is the accuracy to expect on new images, and candidates are the options that it tried.
    `problem` says why a folder cannot be read. What is not known is None, or "".
    """

    run: str
    date: str
    kind: str
    data: str = ""
    candidates: int | None = None
    seeds: int | None = None
    done: int | None = None
    trials: int | None = None
    best: str = ""
    metric: str = ""
    score: float | None = None
    deviation: float | None = None
    verdict: str = ""
    problem: str = ""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.verdict)

    @property
    def state(self) -> str:
        """How far it is: `done`, `12 of 40 trials`, or `unreadable`."""
        if self.problem or self.finished:
            return "unreadable" if self.problem else "done"
        return f"{self.done:,} of {counted(self.trials or 0, 'trial')}"

    @property
    def score_words(self) -> str:
        """The score with its name: `val_accuracy 0.845 ± 0.008`; "" without one."""
        if self.score is None:
            return ""
        name = self.metric.removeprefix("peak_").removeprefix("min_").removeprefix("chosen_")
        return f"{name} {mean_std(self.score, self.deviation)}"


@dataclass(frozen=True)
class RunList(Finding):
    """The run folders below the folder `searched`, newest first: a sentence and an entry each."""

    searched: str
    entries: tuple[ListedRun, ...]  # pyright: ignore[reportIncompatibleMethodOverride]

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Each run in one line."""
        return tuple(map(_sentence, self.entries)) or (f"No run folder in {self.searched}.",)


def list_runs(folder: str | Path = ".") -> RunList:
    """The run folders of studies and fits in `folder` and up to four folders down, newest first.

    Nothing is written, and only tables are read. A folder that is damaged or of another version is
    an entry with a `problem`. Raises `RunError` if `folder` is none.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise RunError(f"a folder with run folders at {root}", "no such folder", "name another one")
    found = sorted(
        ((last_change(path), listed_run(path)) for path in run_folders(root)),
        key=lambda pair: (-pair[0], pair[1].run),
    )
    return RunList(str(root), tuple(run for _, run in found))


def listed_run(path: Path) -> ListedRun:
    """The record of the run folder `path`; one that cannot be read has a `problem`."""
    is_study = RunFolder(path).settings.is_file()
    known = ListedRun(
        run=str(path),
        date=datetime.fromtimestamp(last_change(path)).astimezone().isoformat(timespec="seconds"),
        kind="study" if is_study else "fit",
    )
    try:
        return _study(known, RunFolder(path)) if is_study else _fit(known, path)
    except ManyheadsError as error:
        return replace(known, problem=f"expected {error.expected}, found {error.found}")
    except (OSError, ValueError, KeyError, IndexError, csv.Error) as error:
        found = f"no {error}" if isinstance(error, KeyError) else str(error)
        return replace(known, problem=f"damaged, or of another version: {found}")


def _study(known: ListedRun, folder: RunFolder) -> ListedRun:
    settings, _ = read_study(folder.document())
    counts = trial_counts(folder.store)
    known = replace(
        known,
        data=Path(settings.data).name,
        candidates=len(settings.grid),
        seeds=settings.seeds,
        done=sum(counts.get(state, 0) for state in ENDED),
        trials=len(settings.trials()),
    )
    if known.done != known.trials or not folder.results.is_file():
        return known
    return _with_results(known, folder, settings)


def _with_results(known: ListedRun, folder: RunFolder, settings: StudySettings) -> ListedRun:
    """The same with the first row of the ranking and what was found of its differences."""
    metric = _measure(settings.select)
    with folder.results.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        place = {name: number for number, name in enumerate(next(rows, []))}
        rank = place["rank"]
        best = next((row for row in rows if row[rank] == "1"), None)
    if best is None:
        return replace(known, verdict="every trial diverged")
    candidate = int(best[place["candidate"]])
    deviation = best[place[f"{metric}_std"]]
    return replace(
        known,
        best=setting_words(settings.grid[candidate - 1], settings.grid.varying),
        metric=metric,
        score=float(best[place[f"{metric}_mean"]]),
        # With folds the table has the deviation over all heads, which is mostly that of the folds.
        deviation=float(deviation) if deviation and settings.folds is None else None,
        verdict=_verdict(folder, settings, candidate),
    )


def _measure(rule: str) -> str:
    """The measure in results.csv that `rule` puts candidates in order by."""
    best = {"best_accuracy": "peak_val_accuracy", "best_loss": "min_val_loss"}
    return best.get(rule, f"chosen_val_{metric_of(rule)}")


def _verdict(folder: RunFolder, settings: StudySettings, best: int) -> str:
    """What comparisons.csv says of the selected candidate, in about five words."""
    if len(settings.grid) == 1:
        return "only one candidate"
    if settings.seeds == 1:
        return "undecided with one seed"
    metric = metric_of(settings.select)
    outcomes = list(_outcomes(folder, metric, str(best)))
    if not outcomes:
        return "not compared"
    return verdict_words(outcomes)


def verdict_words(outcomes: Sequence[str]) -> str:
    """What a candidate is beside others, of its outcomes against each: `better than 3 of 9`."""
    counts = Counter(outcomes)
    every = len(outcomes)
    others = "the other" if every == 1 else f"all {every:,} others"
    if counts["equivalent"] == every:
        return f"equivalent to {others}"
    for what in ("worse", "better"):  # what is worse than one is not the best, whatever else it is
        if count := counts[what]:
            return f"{what} than {others if count == every else f'{count:,} of {every:,} others'}"
    return "no significant difference"


_OPPOSITE = {"better": "worse", "worse": "better"}


def _outcomes(folder: RunFolder, metric: str, candidate: str) -> Iterator[str]:
    """The outcome of each comparison of a candidate with another, from its side."""
    if not folder.comparisons.is_file():
        return
    with folder.comparisons.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["metric"] != metric:
                continue
            outcome = row["outcome"]
            if row["first_candidate"] == candidate:
                yield outcome
            elif row["second_candidate"] == candidate:
                yield _OPPOSITE.get(outcome, outcome)


def _fit(known: ListedRun, path: Path) -> ListedRun:
    fitted = fit_record.read_fit(path)
    if fitted is None:
        return _unfinished_fit(known, path)
    metric, expected = next(iter(fitted.leading_scores.items()))
    low, high = decimal(expected.low), decimal(expected.high)
    return replace(
        known,
        data=Path(fitted.data).name,
        candidates=len(fitted.tried),
        best=fitted.tried[0].words,
        metric=metric,
        score=expected.value,
        verdict=f"{low} to {high} on new images",
    )


def _unfinished_fit(known: ListedRun, path: Path) -> ListedRun:
    parts = [_study(known, folder) for folder in RunFolder(path).searches]
    return replace(
        known,
        data=parts[0].data if parts else "",
        candidates=sum(each.candidates or 0 for each in parts),
        done=sum(each.done or 0 for each in parts),
        trials=sum(each.trials or 0 for each in parts),
    )


def _sentence(run: ListedRun) -> str:
    if run.problem:
        return f"{run.run}: {run.problem}."
    asked = f"{run.data}, {counted(run.candidates or 0, 'candidate')}"
    if not run.finished:
        return f"{run.run}: {asked}; {run.state}."
    best = [f"best {run.best}, {run.score_words}"] if run.best else []
    return f"{run.run}: {'; '.join([asked, *best, run.verdict])}."
