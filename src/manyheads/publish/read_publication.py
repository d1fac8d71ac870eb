"""Reading what is published from a run folder, without training and without the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.errors import RunError
from manyheads.findings.score_tables import estimate_words
from manyheads.findings.wording import METRIC_WORDS
from manyheads.heads.epoch_rules import metric_of
from manyheads.publish.candidate_rows import (
    Scores,
    candidate_rows,
    mean_scores,
    measures_told,
)
from manyheads.publish.publication import CURVES, MOST_ROWS, Publication, PublishedRow
from manyheads.publish.published_files import published_files
from manyheads.publish.read_fit_publication import fit_publication
from manyheads.publish.recorded_study import (
    RecordedCandidate,
    recorded_candidates,
    recorded_differences,
)
from manyheads.publish.study_identity import data_tags, plain_end, study_key, study_parameters
from manyheads.run.fit.fit_record import read_fit
from manyheads.run.run_folders import last_change
from manyheads.stats.comparisons import MAX_ALL_PAIRS
from manyheads.stats.intervals import Estimate
from manyheads.stats.winner import WinnerScore, winner_scores
from manyheads.study.folder import RunFolder
from manyheads.study.run_times import read_times
from manyheads.study.store import Store
from manyheads.study.study_document import Resolved, read_study
from manyheads.study.study_settings import StudySettings

_MOST_SCORES = 30_000_000  # scores of an image by a head that are read
_MOST_KEPT = 10_000_000  # scores by unit that the expected score is computed from
_NO_INTERVALS = "There are no intervals: an earlier version of manyheads trained these heads."


def read_publication(folder: RunFolder, *, files: bool = True, job: Job = SILENT) -> Publication:
    """What is published of the finished study or fit in `folder`; without `files`, none of these.

    Raises `RunError` for a folder with neither, and for one that is not finished, and `Interrupted`
    when `job` is stopped.
    """
    fitted = None if folder.settings.is_file() else read_fit(folder.path)
    if fitted is not None:
        return fit_publication(fitted, *_kept(folder, files))
    if not folder.settings.is_file() and folder.searches:
        raise RunError(
            f"a finished fit in {folder.path}", "one with options still to try",
            "repeat the command to finish it; what was done is kept",
        )  # fmt: skip
    document = folder.document()
    settings, resolved = read_study(document)
    ranked = recorded_candidates(folder, settings)
    with job.step("reading the study"), Store(folder.store) as store:
        scores, winner, remarks = _scores(store, settings, ranked, resolved, job)
        rows = tuple(candidate_rows(store, settings, ranked, scores, job))
    kept, left_out = _kept(folder, files)
    if len(settings.grid) > MOST_ROWS:
        remarks = (
            *remarks,
            f"The best {MOST_ROWS:,} of {counted(len(settings.grid), 'candidate')}.",
        )
    times = read_times(folder)
    return Publication(
        key=study_key(document),
        kind="study",
        name=folder.path.absolute().name,
        data=plain_end(settings.data),
        metric=metric_of(settings.select),
        parameters=study_parameters(document),
        metrics=_of_whole(settings, ranked, rows, winner)
        | ({} if times is None else {"seconds": times.seconds}),
        tags=data_tags(document),
        sentences=tuple(_sentences(settings, rows, winner)),
        rows=rows,
        files=kept,
        ended=_ended(folder),
        left_out=(*remarks, *left_out),
    )


def _kept(folder: RunFolder, files: bool) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    return published_files(folder) if files else ((), ())


def _scores(
    store: Store,
    settings: StudySettings,
    ranked: Sequence[RecordedCandidate],
    resolved: Resolved,
    job: Job,
) -> tuple[Scores, tuple[WinnerScore, ...], tuple[str, ...]]:
    """The scores of the candidates, those to expect of the selected one, and what is missing."""
    done = [each.candidate for each in ranked if each.state == "done"][:MOST_ROWS]
    try:
        differences = recorded_differences(store, settings, ranked, resolved)
    except RunError:  # an earlier version kept no predictions
        return Scores(), (), (_NO_INTERVALS,)
    layout = differences.layout
    of_one = settings.seeds * (settings.repeats or 1) * layout.images
    count = min(len(done), max(CURVES, _MOST_SCORES // of_one))
    among = done[: min(count, max(MAX_ALL_PAIRS, _MOST_KEPT // len(layout.sizes)))]
    metrics = measures_told(settings.select)
    scores = mean_scores(differences, done[:count], len(among), metrics, job)
    winner = winner_scores(differences, done[0], metric_of(settings.select), among=among)
    left = (
        f"Intervals are known of the best {counted(count, 'candidate')}."
        if count < len(done)
        else ""
    )
    return scores, winner, tuple(filter(None, [left]))


def _of_whole(
    settings: StudySettings,
    ranked: Sequence[RecordedCandidate],
    rows: tuple[PublishedRow, ...],
    winner: tuple[WinnerScore, ...],
) -> dict[str, float]:
    """The numbers of the study: its best candidate's scores, what to expect, and its size."""
    best = rows[0]
    told = (*measures_told(settings.select), "best_epoch")
    found = {name: value for name, value in best.metrics.items() if name.startswith(told)}
    for each in winner:
        parts = {"": each.score, "_low": each.low, "_high": each.high}
        found |= {f"expected_{each.metric}{part}": v for part, v in parts.items() if v is not None}
    return found | {
        "best_candidate": best.number,
        "candidates": len(settings.grid),
        "seeds": settings.seeds,
        "repeats": settings.repeats or 1,
        "trials": sum(entry.trials for entry in ranked),
        "failed_trials": sum(entry.failed for entry in ranked),
        "cost": sum(row.metrics["cost"] for row in rows),
    }


def _sentences(
    settings: StudySettings, rows: tuple[PublishedRow, ...], winner: tuple[WinnerScore, ...]
) -> Iterator[str]:
    best, measures = rows[0], measures_told(settings.select)
    scores = [
        f"{METRIC_WORDS[name]} {estimate_words(_estimate(best, name))}"
        for name in measures
        if name in best.metrics
    ]
    yield (
        f"Best of {counted(len(settings.grid), 'candidate')}: {best.name} (candidate "
        f"{best.number}); {', '.join(scores)} on the validation images, "
        f"{counted(settings.seeds, 'seed')}."
    )
    leading = metric_of(settings.select)
    expected = [
        f"{METRIC_WORDS[each.metric]} {estimate_words(Estimate(each.score, each.low, each.high))}"
        for each in sorted(winner, key=lambda each: each.metric != leading)
        if each.metric in (leading, "accuracy")
    ]
    if expected:
        yield f"Expected on new images: {', '.join(expected)}."


def _estimate(row: PublishedRow, name: str) -> Estimate:
    low, high = (row.metrics.get(f"{name}_{end}") for end in ("low", "high"))
    return Estimate(row.metrics[name], low, high)


def _ended(folder: RunFolder) -> float:
    """When the study's last run ended, in seconds since 1970."""
    times = read_times(folder)
    if times is not None and times.ended:
        return datetime.fromisoformat(times.ended).timestamp()
    return last_change(folder.path)
