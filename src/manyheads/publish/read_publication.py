"""Reading what is published from a run folder, without training and without the images."""

from __future__ import annotations

from datetime import datetime

from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.errors import RunError
from manyheads.findings.reading import read_validated
from manyheads.findings.score_tables import estimate_words
from manyheads.publish.candidate_rows import Scores, candidate_rows, mean_scores
from manyheads.publish.publication import MOST_ROWS, Publication, PublishedRow
from manyheads.publish.published_files import published_files
from manyheads.publish.read_fit_publication import fit_publication
from manyheads.publish.study_identity import data_tags, plain_end, study_key, study_parameters
from manyheads.run.fit.fit_record import read_fit
from manyheads.run.run_folders import last_change
from manyheads.stats.comparisons import Differences
from manyheads.stats.intervals import Estimate
from manyheads.stats.winner import WinnerScore, winner_scores
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.results import StudyResult
from manyheads.study.run_times import read_times
from manyheads.study.store import Store
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import StudySettings

_OF_THE_BEST = ("accuracy", "log_loss", "best_epoch")
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
    result = finished_result(folder, settings)
    with job.step("reading the study"):
        scores, winner, remarks = _scores(folder, settings, result, resolved.classes, job)
        with Store(folder.store) as store:
            rows = tuple(candidate_rows(store, settings, result, scores, job))
    kept, left_out = _kept(folder, files)
    if len(settings.grid) > MOST_ROWS:
        remarks = (*remarks, f"The best {MOST_ROWS:,} of {len(settings.grid):,} candidates.")
    times = read_times(folder)
    return Publication(
        key=study_key(document),
        kind="study",
        name=folder.path.absolute().name,
        data=plain_end(settings.data),
        metric="log_loss" if settings.select == "best_loss" else "accuracy",
        parameters=study_parameters(document),
        metrics=_of_whole(settings, result, rows, winner)
        | ({} if times is None else {"seconds": times.seconds}),
        tags=data_tags(document),
        sentences=tuple(_sentences(settings, rows, winner)),
        rows=rows,
        files=kept,
        ended=_ended(folder),
        left_out=(*remarks, *left_out),
    )


def _kept(folder: RunFolder, files: bool):
    return published_files(folder) if files else ((), ())


def _scores(
    folder: RunFolder,
    settings: StudySettings,
    result: StudyResult,
    classes: tuple[str, ...],
    job: Job,
) -> tuple[Scores, tuple[WinnerScore, ...], tuple[str, ...]]:
    """The scores of the candidates, those to expect of the selected one, and what is missing."""
    candidates = [entry.candidate for entry in result.ranking[:MOST_ROWS]]
    try:
        differences = Differences(read_validated(folder.store, settings, result, classes))
    except RunError:  # an earlier version kept no predictions
        return Scores(), (), (_NO_INTERVALS,)
    scores = mean_scores(differences, candidates, job)
    winner = winner_scores(differences, candidates[0], settings.select, among=candidates)
    return scores, winner, ()


def _of_whole(
    settings: StudySettings,
    result: StudyResult,
    rows: tuple[PublishedRow, ...],
    winner: tuple[WinnerScore, ...],
) -> dict[str, float]:
    """The numbers of the study: its best candidate's scores, what to expect, and its size."""
    best = rows[0]
    found = {name: value for name, value in best.metrics.items() if name.startswith(_OF_THE_BEST)}
    for each in winner:
        parts = {"": each.score, "_low": each.low, "_high": each.high}
        found |= {f"expected_{each.metric}{part}": v for part, v in parts.items() if v is not None}
    return found | {
        "best_candidate": best.number,
        "candidates": len(settings.grid),
        "seeds": settings.seeds,
        "repeats": settings.repeats or 1,
        "trials": sum(entry.trials for entry in result.in_order),
        "failed_trials": sum(entry.failed for entry in result.in_order),
        "cost": sum(row.metrics["cost"] for row in rows),
    }


def _sentences(
    settings: StudySettings, rows: tuple[PublishedRow, ...], winner: tuple[WinnerScore, ...]
):
    best = rows[0]
    scores = [
        f"{name.replace('_', ' ')} {estimate_words(_estimate(best, name))}"
        for name in ("accuracy", "log_loss")
        if name in best.metrics
    ]
    yield (
        f"Best of {counted(len(settings.grid), 'candidate')}: {best.name} (candidate "
        f"{best.number}); {', '.join(scores)} on the validation images, "
        f"{counted(settings.seeds, 'seed')}."
    )
    for each in winner:
        if each.metric == "accuracy":
            words = estimate_words(Estimate(each.score, each.low, each.high))
            yield f"Expected on new images: accuracy {words}."


def _estimate(row: PublishedRow, name: str) -> Estimate:
    low, high = (row.metrics.get(f"{name}_{end}") for end in ("low", "high"))
    return Estimate(row.metrics[name], low, high)


def _ended(folder: RunFolder) -> float:
    """When the study's last run ended, in seconds since 1970."""
    times = read_times(folder)
    if times is not None and times.ended:
        return datetime.fromisoformat(times.ended).timestamp()
    return last_change(folder.path)
