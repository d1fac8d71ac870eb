"""A study that grows until its question is answered: seeds, then repeats of the folds.

The question is which candidate is the best by the metric that selects. It is settled when the set
of candidates that may be the best has one member, or members that are shown to be equivalent.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from manyheads.core.job import SILENT, Event, Job, Note, Progress
from manyheads.core.places import make_folder
from manyheads.core.settings import number
from manyheads.errors import RunError, SettingError
from manyheads.findings.looks import (
    Look,
    LookOutcome,
    Looks,
    planned_looks,
    read_looks,
    size_words,
    write_looks,
)
from manyheads.findings.study_findings import Findings, read_findings
from manyheads.heads.epoch_rules import metric_of
from manyheads.run.estimate import estimate
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import RunOptions, plan_study
from manyheads.stats.best_set import BestSet
from manyheads.stats.comparisons import Comparison, Comparisons
from manyheads.stats.power import settling_probabilities
from manyheads.study.folder import RunFolder
from manyheads.study.study_settings import StudySettings
from manyheads.workers.opening import opened_workers

HOPELESS = 0.1  # with less chance of an answer, another look is a waste


def run_until_decided(
    settings: StudySettings,
    out: str | Path,
    *,
    budget: float | None = None,
    options: RunOptions | None = None,
    job: Job = SILENT,
) -> Finished:
    """Run a study look by look until the best candidate is known, or cannot be with what is left.

    The looks and their levels are planned from `settings`, the first one, and recorded before
    anything is trained. `budget` is in seconds, over all runs of the same command, which goes on
    where it ended. Raises what `run_study` raises, and `RunError` for a run folder that holds a
    study which was not begun so: its verdict may have been seen already.
    """
    if settings.seeds < 2:
        raise SettingError(
            "at least 2 seeds to begin with, until a study is decided", f"{settings.seeds}",
            "give seeds, such as 10",
        )  # fmt: skip
    limit = None if budget is None else number("budget in seconds", budget, 1, 1e7)
    options = options or RunOptions()
    with opened_workers(options.workers) as workers:  # once for all looks
        return _decided(settings, out, limit, replace(options, workers=workers), job)


def _decided(
    settings: StudySettings,
    out: str | Path,
    limit: float | None,
    options: RunOptions,
    job: Job,
) -> Finished:
    folder, looks = RunFolder(out), _begun(settings, RunFolder(out))
    while looks.outcome == "open":
        began, look = time.monotonic(), looks.planned[looks.done]
        run_study(
            _at(settings, look), out, options=replace(options, models=False), grows=True, job=job,
        )  # fmt: skip
        findings = read_findings(folder, alpha=look.alpha)
        seconds = looks.seconds + time.monotonic() - began
        looks = replace(looks, done=looks.done + 1, seconds=seconds)
        looks = replace(looks, outcome=_outcome(findings, looks, settings, out, limit))
        _record(folder, looks)
        job.note(looks.words)
        if looks.outcome == "open":
            more = size_words(looks.planned[looks.done])
            job.note(f"{findings.verdict.sentences[0]} The next look is at {more}.")
    look = looks.planned[looks.done - 1]
    return run_study(_at(settings, look), out, options=options, grows=True, job=_only_notes(job))


def _only_notes(job: Job) -> Job:
    """The part of `job` that writes the models of a trained study: its plan was told before."""

    def listen(event: Event) -> None:
        if isinstance(event, Note | Progress):
            job.tell(event)

    return job.heard_by(listen)


def _begun(settings: StudySettings, folder: RunFolder) -> Looks:
    """The looks of a run folder, or new ones, recorded before there is anything to look at."""
    planned = planned_looks(settings.seeds, settings.repeats)
    looks = read_looks(folder)
    if looks is None:
        if folder.settings.exists():
            raise RunError(
                f"a study in {folder.path} whose looks were planned before it began",
                "one that may have been looked at already",
                "choose another run folder, or go on without until_decided",
            )
        looks = Looks(planned)
        make_folder(folder.path)
        _record(folder, looks)
        return looks
    if looks.planned != planned:
        first = size_words(looks.planned[0])
        raise RunError(
            f"the looks that {folder.path} was begun with, the first at {first}",
            f"others, the first at {size_words(planned[0])}",
            "repeat the former settings to resume it, or choose another run folder",
        )
    # A study that ran out of time goes on with more of it; what is settled stays so.
    return replace(looks, outcome="open") if looks.outcome == "budget" else looks


def _record(folder: RunFolder, looks: Looks) -> None:
    with folder.held():
        write_looks(folder, looks)


def _at(settings: StudySettings, look: Look) -> StudySettings:
    return replace(settings, seeds=look.seeds, repeats=look.repeats)


def _outcome(
    findings: Findings, looks: Looks, settings: StudySettings, out: str | Path, limit: float | None
) -> LookOutcome:
    metric = metric_of(settings.select)
    best = next(each for each in findings.verdict.best if each.metric == metric)
    open_ = undecided(findings.comparisons, best)
    if not open_:
        return "settled"
    left = looks.planned[looks.done :]
    if not left:
        return "exhausted"
    last = left[-1]
    pairs = [findings.differences.between(e.first, e.second, e.metric) for e in open_]
    probabilities = settling_probabilities(
        [pair for pair in pairs if pair is not None], findings.differences.layout,
        [findings.comparisons.margins.of(entry.metric) for entry in open_],
        last.alpha / len(findings.comparisons.entries), last.seeds, last.repeats or 1,
    )  # fmt: skip
    if min(probabilities, default=0.0) < HOPELESS:
        return "hopeless"
    if limit is not None:
        next_seconds = estimate(plan_study(_at(settings, left[0]), None, out)).training
        if looks.seconds + next_seconds > limit:
            return "budget"
    return "open"


def undecided(comparisons: Comparisons, best: BestSet) -> list[Comparison]:
    """The comparisons that keep the best candidate from being known; none once it is."""
    return [
        entry
        for entry in comparisons.of(best.metric)
        if {entry.first, entry.second} <= set(best.candidates) and entry.outcome != "equivalent"
    ]
