"""The claim that dropout needs longer training, checked by training past the best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.core.job import SILENT, Job
from manyheads.core.settings import whole
from manyheads.errors import RunError, SettingError
from manyheads.findings.claim_record import LongerClaim, write_longer
from manyheads.findings.claim_words import longer_sentences
from manyheads.findings.training_length import BestEpochs, Place, epoch_contrasts, longer_of
from manyheads.findings.wording import CandidateNames
from manyheads.heads.bank import HeadSettings, Metrics, engine_named, train_bank
from manyheads.run.opened_study import ReopenedStudy, reopened
from manyheads.stats.comparisons import MAX_ALL_PAIRS
from manyheads.study.folder import RunFolder
from manyheads.study.space import Trial, counted
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import MAX_EPOCHS, StudySettings
from manyheads.study.trial_heads import head_settings

_TIMES = 10  # as many epochs as the study
_LEAST_PATIENCE = 10


@dataclass(frozen=True)
class Until:
    """How long heads train: to epoch `limit`, or `patience` epochs without a lower log loss."""

    limit: int
    patience: int


def until(run: str | Path, epochs: object = None, patience: object = None) -> Until:
    """How long heads of the study in `run` train, unless `epochs` and `patience` say otherwise.

    Raises `SettingError` for numbers out of their range, and for a study that compares schedules of
    the learning rate.
    """
    settings, _ = read_study(RunFolder(run).document())
    schedules = settings.grid.learning_rate_schedule
    if len(schedules) > 1:
        raise SettingError(
            "one learning_rate_schedule, for here every head trains at a constant rate",
            " ".join(schedules), "begin a study with one of them, in another run folder",
        )  # fmt: skip
    usual = min(_TIMES * settings.epochs, MAX_EPOCHS)
    limit = usual if epochs is None else whole("epochs", epochs, 2, MAX_EPOCHS)
    wait = min(max(_LEAST_PATIENCE, settings.epochs), limit - 1)
    waited = wait if patience is None else whole("patience", patience, 1, MAX_EPOCHS)
    if waited >= limit:
        raise SettingError(
            f"patience below the {limit:,} epochs that heads train at most", f"{waited:,}",
            "give more epochs or less patience: no head could get past its best epoch",
        )  # fmt: skip
    return Until(limit, waited)


def longer_claim(
    run: str | Path,
    *,
    epochs: int | None = None,
    patience: int | None = None,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> LongerClaim:
    """Train all candidates, of many the best 20, past their best epoch; record which need longer.

    The same seeds and folds train anew, each head to `epochs` (default: 10 times the study's) at
    most, and no longer than `patience` epochs (default: the study's, at least 10) after its lowest
    log loss. Raises what `until` and `reopened` do; `RunError` if every head diverges;
    `Interrupted` when `job` is stopped: then nothing is recorded.
    """
    bounds = until(run, epochs, patience)
    with reopened(run, data, job) as study:
        chosen = sorted(entry.candidate for entry in study.result.ranking[:MAX_ALL_PAIRS])
        trials = [each for each in study.settings.trials() if each.candidate in set(chosen)]
        cost = study.cost([(each.candidate, bounds.limit) for each in trials], most=True)
        question = (
            f"longer training of {counted(len(chosen), 'candidate')}: to epoch {bounds.limit:,} at "
            f"most, ending after {bounds.patience:,} without a lower log loss"
        )
        if not _is_constant(study.settings):
            question += "; the learning rate stays as it begins"
        study.announce(question, cost)
        curves, failed = _train(study, trials, bounds)
        best = {place: BestEpochs.of(curve, bounds.patience) for place, curve in curves.items()}
        claim = _claim(study, bounds, chosen, curves, best, failed)
        write_longer(study.folder, claim, best)
    return claim


def _train(
    study: ReopenedStudy, trials: Sequence[Trial], bounds: Until
) -> tuple[dict[Place, list[Metrics]], list[Place]]:
    """The curves of the heads that did not diverge, and which did."""
    settings = study.settings
    heads = [_longer(head_settings(settings, trial), bounds) for trial in trials]
    folds, engine = study.folds(), engine_named(settings.engine)
    total, done = len(heads) * bounds.limit, 0
    curves: dict[Place, list[Metrics]] = {}
    failed: list[Place] = []

    def progress(epochs: int) -> None:
        nonlocal done
        done += epochs
        study.job.progress("training", done, total, "epochs of heads")

    for end, curve in train_bank(
        engine, heads, folds, rule="best_loss", on_epoch=lambda _: progress(1), job=study.job
    ):
        trial = trials[end.head]
        place = trial.candidate, trial.seed, trial.fold
        if end.status == "failed":
            failed.append(place)
        else:
            curves[place] = curve
        progress(bounds.limit - len(curve))
    study.check()
    # Heads end in an order of chance, and a mean's last digits depend on the order.
    return dict(sorted(curves.items())), failed


def _is_constant(settings: StudySettings) -> bool:
    return settings.grid.learning_rate_schedule == ("constant",)


def _longer(head: HeadSettings, bounds: Until) -> HeadSettings:
    """The head, to train within `bounds`; at a rate that falls to 0, it would soon stand still."""
    setting = replace(head.hyperparameters, learning_rate_schedule="constant")
    return replace(head, hyperparameters=setting, epochs=bounds.limit, patience=bounds.patience)


def _claim(
    study: ReopenedStudy,
    bounds: Until,
    chosen: Sequence[int],
    curves: dict[Place, list[Metrics]],
    best: dict[Place, BestEpochs],
    failed: Sequence[Place],
) -> LongerClaim:
    settings, validated = study.settings, study.validated
    folds = settings.folds or 1
    found = [
        longer_of(
            candidate, study.name(candidate), curves, best,
            sum(place[0] == candidate for place in failed), folds,
        )
        for candidate in chosen
    ]  # fmt: skip
    candidates = tuple(each for each in found if each is not None)
    if not candidates:
        raise RunError(
            "at least one candidate that trains to its end", "every one diverged",
            "begin a study with a lower learning_rate",
        )  # fmt: skip
    contrasts = epoch_contrasts(best, candidates, folds)
    images = len(validated.labels)
    sentences = longer_sentences(
        candidates, contrasts, CandidateNames(validated),
        limit=bounds.limit, images=images, seeds=settings.seeds, folds=folds,
    )  # fmt: skip
    if not _is_constant(settings):
        sentences += ("Here the learning rate is constant; in the study it falls to 0.",)
    return LongerClaim(
        limit=bounds.limit,
        patience=bounds.patience,
        seeds=settings.seeds,
        folds=settings.folds,
        images=images,
        candidates=candidates,
        contrasts=contrasts,
        sentences=sentences,
    )
