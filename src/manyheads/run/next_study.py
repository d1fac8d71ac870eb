"""What a study that would settle a recommendation takes, told from the one that is finished."""

from __future__ import annotations

from dataclasses import replace

from manyheads.findings.settling import settling_study
from manyheads.findings.study_findings import Findings
from manyheads.run.estimate import Cost, cost_of
from manyheads.study.work import Work


def next_cost(findings: Findings) -> Cost | None:
    """The cost of the `settling_study`, whose features are cached; None if there is none.

    In folds each head trains on all images but a fold's; else on those that do not validate.
    """
    step = settling_study(findings)
    if step is None:
        return None
    settings = replace(findings.settings, **step.changed)
    pool = findings.pool
    held_out = len(findings.validated.labels)
    samples = pool - (held_out if settings.folds is None else pool // settings.folds)
    work = Work(settings)
    return cost_of(
        settings,
        0,
        samples * work.left.units,
        heads=len(settings.trials()),
        epochs=work.left.epochs,
    )
