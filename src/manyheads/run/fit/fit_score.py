"""The model of a fit on the test images, once, as a study's: on the record."""

from __future__ import annotations

from pathlib import Path

from manyheads.core.job import SILENT, Job
from manyheads.errors import RunError
from manyheads.findings.test_log import EvaluatedModel, parameters_digest
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.run.test_evaluation import FinalScore, Scored, score
from manyheads.study.folder import RunFolder
from manyheads.study.study_document import read_study


def fit_score(
    run: str | Path,
    *,
    again: bool = False,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> tuple[Fitted, FinalScore]:
    """Score the model of the finished fit in `run` on the test images, and record it.

    `again` and `data` as in `final_score`, which raises the same.
    """
    folder = RunFolder(run)
    with folder.held():
        fitted = read_fit(folder.path)
        if fitted is None:
            raise RunError(f"a finished fit in {run}", "none", "repeat the fit to finish it")
        best = fitted.tried[0]
        settings, resolved = read_study(fitted.study.document())
        parameters = fitted.head()
        model = EvaluatedModel(
            candidate=0,
            hyperparameters=best.hyperparameters,
            trial=0,
            seed=0,
            epoch=int(best.hyperparameters["epochs"]),
            parameters=parameters_digest(parameters),
            selected=True,
        )
        scored = Scored(settings, resolved, parameters, model, fitted.expected.thresholds)
        return fitted, score(folder, scored, again=again, data=data, job=job)
