"""The head that a study with folds hands over: trained anew, on all images of the folds.

Of such a study every trained head has left out a part of the images, and none of them is the
answer. So the selected setting is trained once more on all of them, for as many epochs as its
trials' chosen ones had in the median. No image is left to validate it: what is told of it are the
means of the folds' heads, under names that say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median_low
from typing import Any

import numpy as np
from jaxtyping import Int64

from manyheads.core.job import Job
from manyheads.core.settings import plain
from manyheads.core.text import counted
from manyheads.errors import ModelError, RunError
from manyheads.heads.bank import Engine, Fold, train_bank
from manyheads.heads.files import load_head, save_head
from manyheads.heads.fold import Variant
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead, best_heads
from manyheads.study.results import StudyResult
from manyheads.study.space import Trial
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from manyheads.study.trial_heads import folds_of_candidate, head_settings

_SCORES = ("val_accuracy", "val_loss")
UNVALIDATED = (
    "on no image: this head trained on all images of the folds. folds_mean_val_accuracy and "
    "folds_mean_val_loss are means of other heads of its setting, each at its chosen epoch and on "
    "the fold that it left out; these images had a part in choosing, so the means flatter"
)


def selected_head(settings: StudySettings, folder: RunFolder, result: StudyResult) -> BestHead:
    """The head that a finished study has selected, from its file.

    With folds, the one that was trained anew; otherwise the best of the best candidate's.
    """
    if settings.folds is None:
        return best_heads(settings, folder, result, 1)[0]
    parameters, about = load_head(folder.selected)
    return BestHead(int(about["candidate"]), about, parameters)


def refit(
    settings: StudySettings,
    folder: RunFolder,
    store: Store,
    result: StudyResult,
    folds: Sequence[Fold],
    engine: Engine,
    job: Job,
) -> None:
    """Train the selected setting on all images and keep the head, unless that was done before."""
    winner = result.ranking[0]
    epochs = [r.epoch for r in store.trials("done", candidate=winner.candidate)]
    epoch = median_low(epochs)
    about = {
        **plain(result.hyperparameters(winner.candidate)),
        "candidate": winner.candidate,
        "seed": 0,
        "folds": settings.divisions,
        "epoch": epoch,
    }
    means = [winner.measures[f"chosen_{name}"].mean for name in _SCORES]
    once = {**about, **dict(zip(_SCORES, means, strict=True))}
    about |= {f"folds_mean_{name}": mean for name, mean in zip(_SCORES, means, strict=True)}
    about["validated"] = UNVALIDATED
    if _is(folder, about, once):
        return
    whole = undivided(folds_of_candidate(settings, winner.candidate, folds))
    trial = Trial(number=0, candidate=winner.candidate, seed=0, fold=0)
    head = replace(head_settings(settings, trial, epoch), fold=0, patience=None)
    what = f"training the selected setting on all {counted(len(whole.train), 'image')}"
    with job.step(f"{what} for {counted(epoch, 'epoch')}"):
        ends = [end for end, _ in train_bank(engine, [head], [whole], rule="last", job=job)]
    job.check("the study", "repeat the same command to resume")
    if ends[0].status != "done" or ends[0].parameters is None:
        raise RunError(
            "the selected setting to train on all images", ends[0].note,
            "list a lower `learning_rate`, with another `out`",
        )  # fmt: skip
    save_head(folder.selected, ends[0].parameters, about)


def _is(folder: RunFolder, about: dict[str, Any], once: dict[str, Any]) -> bool:
    """Whether the head is there; the file of an earlier version, with what was said `once`, gets
    the words of this one.
    """
    try:
        parameters, said = load_head(folder.selected)
    except ModelError:  # not there, or damaged
        return False
    if said == once:
        save_head(folder.selected, parameters, about)
    return said in (about, once)


def undivided(folds: Sequence[Fold]) -> Fold:
    """All images of the folds to train on; those of the first fold validate, and tell nothing."""
    first = folds[0]
    train = np.concatenate([first.train, first.validation])
    return replace(
        first,
        train=train,
        train_labels=np.concatenate([first.train_labels, first.validation_labels]),
        sources={
            version: replace(source, rows=_rows_of(version, folds)[train])
            for version, source in first.sources.items()
        },
    )


def _rows_of(version: Variant, folds: Sequence[Fold]) -> Int64[np.ndarray, "stored"]:
    """By an image's row of plain features, its row in `version`: each trains in some fold."""
    rows = np.full(len(folds[0].matrix), -1)
    for fold in folds:
        rows[fold.train] = fold.sources[version].rows
    return rows
