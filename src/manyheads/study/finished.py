"""A finished study, read back from its run folder: its result, and the heads that it kept."""

from __future__ import annotations

from manyheads.core.settings import whole
from manyheads.errors import ModelError, RunError
from manyheads.heads.files import load_head
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead, about_head
from manyheads.study.refit import selected_head
from manyheads.study.results import StudyResult, read_result
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings


def finished_result(folder: RunFolder, settings: StudySettings) -> StudyResult:
    """The result of the study in `folder`; raises `RunError` if it is not finished or has none."""
    unfinished = RunError(
        f"a finished study in {folder.path}", "one with heads still to train",
        "repeat its sweep to finish it; what was done is kept",
    )  # fmt: skip
    if not folder.store.is_file():
        raise unfinished
    with Store(folder.store) as store:
        if not store.trials() or store.trials("pending", "running"):
            raise unfinished
        result = read_result(store, settings)
    if not result.ranking:
        raise RunError(
            f"a study with a result in {folder.path}", "one whose heads all diverged",
            "begin another with a lower learning_rate",
        )  # fmt: skip
    return result


def head_of(
    settings: StudySettings, folder: RunFolder, result: StudyResult, candidate: int | None = None
) -> BestHead:
    """The selected head, or the best of another `candidate`, counted from 1.

    Raises `SettingError` for a candidate that the study does not have, `RunError` for one without
    a head, and `ModelError` if its file holds another head.
    """
    number = result.ranking[0].candidate
    if candidate is not None:
        number = whole("candidate", candidate, 1, len(result.grid))
    if settings.folds is not None and number == result.ranking[0].candidate:
        return selected_head(settings, folder, result)
    outcome = next((entry.best for entry in result.ranking if entry.candidate == number), None)
    path = folder.head(number)
    if outcome is None or not path.is_file():
        raise RunError(
            f"a trained head of candidate {number} in {folder.path}",
            "a candidate that was pruned or diverged" if outcome is None else "no file of it",
            "choose another candidate" if outcome is None
            else "repeat the sweep, with a larger `keep_heads` if it has many candidates",
        )  # fmt: skip
    parameters, about = load_head(path)
    if (about.get("number"), about.get("epoch")) != (outcome.trial.number, outcome.epoch):
        raise ModelError(
            f"the head of trial {outcome.trial.number}, epoch {outcome.epoch}, in {path}",
            "another head", "repeat the sweep, which makes the file again",
        )  # fmt: skip
    return BestHead(number, about_head(settings, outcome), parameters)
