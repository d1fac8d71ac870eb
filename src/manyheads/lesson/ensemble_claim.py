"""The claim that dropout works as an ensemble of networks, checked on one candidate's heads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.settings import whole
from manyheads.errors import RunError, SettingError
from manyheads.findings.claim_record import EnsembleClaim, write_ensemble
from manyheads.findings.claim_words import ensemble_sentences
from manyheads.findings.ensembles import ensemble_evidence
from manyheads.findings.mc_dropout import MASKS, Part
from manyheads.findings.reading import read_images
from manyheads.heads.bank import Fold, engine_named
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.subnetworks import random_masks
from manyheads.run.opened_study import ReopenedStudy, reopened
from manyheads.stats.paired import Margins
from manyheads.stats.variances import Layout
from manyheads.study.select import Outcome
from manyheads.study.space import counted
from manyheads.study.store import Store
from manyheads.study.trial_heads import folds_of_candidate, train_again

_MARGINS = Margins()


def ensemble_claim(
    run: str | Path,
    *,
    candidate: int | None = None,
    margins: Margins = _MARGINS,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> EnsembleClaim:
    """Ask subnetworks, averages of them and ensembles of seeds, and record what they are worth.

    All seeds of the selected candidate, or of `candidate`, train again to their chosen epochs, held
    to what was recorded. With folds, heads of the first repeat answer for the images that validated
    them. Raises what `reopened` does; `SettingError` for a candidate without an inner layer or
    dropout; `RunError` if heads come out different; `Interrupted` when `job` is stopped: then
    nothing is recorded.
    """
    with reopened(run, data, job) as study:
        number = _qualified(study, candidate)
        seeds = _outcomes(study, number)
        outcomes = [each for seed in seeds for each in seed]
        cost = study.cost([(number, each.epoch) for each in outcomes])
        question = (
            f"candidate {number}, {study.name(number)}: {MASKS} random subnetworks of each of "
            f"{counted(len(outcomes), 'head')}"
        )
        study.announce(f"dropout as an ensemble, {question}", cost)
        folds = study.folds()
        parameters = _parameters(study, outcomes, folds)
        claim = _claim(study, number, seeds, folds, parameters, margins)
        study.check()
        write_ensemble(study.folder, claim)
    return claim


def _qualified(study: ReopenedStudy, candidate: int | None) -> int:
    """The candidate that is asked for; raises `SettingError` if it has no subnetworks."""
    ranking = [entry.candidate for entry in study.result.ranking]
    number = ranking[0]
    if candidate is not None:
        number = whole("candidate", candidate, 1, len(study.result.grid))
    if number not in ranking:
        raise RunError(
            f"a candidate that trained to its end in {study.folder.path}",
            f"candidate {number}, which was pruned or diverged",
            "choose one that has a rank in results.csv",
        )
    if _has_subnetworks(study.result.hyperparameters(number)):
        return number
    others = [each for each in ranking if _has_subnetworks(study.result.hyperparameters(each))]
    remedy = "begin a study with an inner layer and a droprate above 0, in another run folder"
    if others:
        remedy = f"choose such as `candidate` {others[0]} ({study.name(others[0])})"
    raise SettingError(
        "a candidate with an inner layer and a droprate above 0, whose units dropout hides",
        f"candidate {number} ({study.name(number)})", remedy,
    )  # fmt: skip


def _has_subnetworks(setting: Hyperparameters) -> bool:
    return setting.size_inner > 0 and setting.droprate > 0


def _outcomes(study: ReopenedStudy, candidate: int) -> list[list[Outcome]]:
    """Of each seed that has finished, its trials in the first repeat of the folds, in order."""
    folds = study.settings.folds or 1
    found: dict[int, list[Outcome]] = {}
    with Store(study.folder.store) as store:
        for record in store.trials("done", candidate=candidate):
            if record.trial.fold < folds:
                curve = store.curve(record.trial.number)
                outcome = Outcome(record.trial, record.epoch, curve)
                found.setdefault(record.trial.seed, []).append(outcome)
    seeds = [each for _, each in sorted(found.items()) if len(each) == folds]
    if not seeds:
        raise RunError(
            f"a seed of candidate {candidate} that trained in every fold", "none",
            "choose another candidate",
        )  # fmt: skip
    return seeds


def _parameters(
    study: ReopenedStudy, outcomes: Sequence[Outcome], folds: Sequence[Fold]
) -> dict[int, Parameters]:
    """The parameters of each trial, by its number."""
    total, done = sum(each.epoch for each in outcomes), count(1)
    engine = engine_named(study.settings.engine)
    trained = train_again(
        study.settings, outcomes, folds, engine, study.job,
        lambda _: study.job.progress("training", next(done), total, "epochs of heads"),
    )  # fmt: skip
    found = {outcome.trial.number: parameters for outcome, parameters in trained}
    study.check()
    return found


def _claim(
    study: ReopenedStudy,
    candidate: int,
    seeds: Sequence[Sequence[Outcome]],
    folds: Sequence[Fold],
    parameters: dict[int, Parameters],
    margins: Margins,
) -> EnsembleClaim:
    settings, validated = study.settings, study.validated
    setting = study.result.hyperparameters(candidate)
    order = read_images(study.folder.store, settings.folds)
    with Store(study.folder.store) as store:
        places = [np.searchsorted(order, each.images) for each in store.divisions()]

    own_folds = folds_of_candidate(settings, candidate, folds)

    def part(outcome: Outcome) -> Part:
        trial = outcome.trial
        units, rate = setting.size_inner, setting.droprate
        keep = random_masks(trial.seed, trial.fold, MASKS, units, rate)
        fold = own_folds[trial.fold]
        own = parameters[trial.number]
        return Part(own, keep, places[trial.fold], fold.matrix, fold.validation)

    layout = Layout.of(validated.units, validated.fold_of[:1], validated.folds)
    networks = [[part(outcome) for outcome in seed] for seed in seeds]
    evidence = ensemble_evidence(
        networks, validated.labels, len(validated.classes), layout, setting.droprate, margins,
        study.job,
    )  # fmt: skip
    images, by_loss = len(validated.labels), settings.select == "best_loss"
    rule = "log loss" if by_loss else "accuracy" if settings.select == "best_accuracy" else None
    return EnsembleClaim(
        candidate=candidate,
        name=study.name(candidate),
        droprate=setting.droprate,
        size_inner=setting.size_inner,
        seeds=len(seeds),
        folds=settings.folds,
        masks=MASKS,
        images=images,
        margins=margins,
        sentences=ensemble_sentences(evidence, margins, images, len(seeds), rule),
        **vars(evidence),
    )
