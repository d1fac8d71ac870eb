"""A check for shortcuts, from images to its record: what the command line calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones.weights import Weights, resolve
from manyheads.core.destinations import folder_for
from manyheads.core.job import SILENT, Job
from manyheads.core.places import make_folder
from manyheads.core.settings import plain
from manyheads.findings.shortcut_record import Counts, ShortcutFiles, ShortcutRecord
from manyheads.findings.shortcut_words import sentences
from manyheads.heads.bank import prepare_engine
from manyheads.heads.hyperparameters import NEUTRAL
from manyheads.lesson.shortcut.arrangement import Arrangement
from manyheads.lesson.shortcut.condition_folds import folds_of, gathered
from manyheads.lesson.shortcut.picture import draw_planted
from manyheads.lesson.shortcut.shortcut_extraction import Extraction
from manyheads.lesson.shortcut.shortcut_plan import plan_shortcut
from manyheads.lesson.shortcut.shortcut_planned import shortcut_planned
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.lesson.shortcut.shortcut_training import Training
from manyheads.report.figures import prepare_figures
from manyheads.run.pipeline import versions
from manyheads.stats.shortcut_effects import MEASURES, PredictedClasses, judge
from manyheads.study.folder import RunFolder
from manyheads.study.space import HYPERPARAMETERS, setting_words
from manyheads.study.table_writing import finite, write_table

_NOUNS = {"file": "picture"}
_DIFFERENCE = ("", "_low", "_high", "_p", "_p_holm", "_p_equivalent", "_outcome")
COLUMNS = (
    "condition", "candidate", *HYPERPARAMETERS, "measure", "images", "seeds", "value", "std",
    *(f"gap{ending}" for ending in _DIFFERENCE),
    "change_from", *(f"change{ending}" for ending in _DIFFERENCE), "margin",
)  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """A finished check: its record, and how many backbone passes it took now."""

    record: ShortcutRecord
    verdict: tuple[str, ...]
    files: ShortcutFiles
    passes: int


def run_shortcut(
    settings: ShortcutSettings,
    out: str | Path,
    *,
    job: Job = SILENT,
) -> Checked:
    """Plant the mark, train every condition, and write record, table and picture to `out`/claims.

    The user's images are read and never written. The same settings give the same record. Raises
    what `plan_shortcut` raises, and `Interrupted` when `job` is stopped; passes are kept.
    """
    folder_for(ShortcutFiles.of(Path(out)).record.parent)
    plan, files = plan_shortcut(settings, job=job), ShortcutFiles.of(Path(out))
    settings = plan.settings
    job.tell(shortcut_planned(plan))
    make_folder(files.record.parent)
    prepare_engine(settings.study.engine)
    prepare_figures()
    weights = plan.weights
    if weights is None:
        spec = settings.study.spec
        weights = resolve(spec, settings.study.weights, job)
    extraction = Extraction(plan, weights, job)
    arrangement = extraction.arrangement
    draw_planted(files.picture, settings, arrangement)
    job.note(f"Marked images: {files.picture}")
    features = extraction.rest()
    learnt = gathered(features)
    training = Training(settings, arrangement, learnt, job)
    training.train_conditions(folds_of(settings, arrangement, features, learnt))
    if settings.clean:
        training.train_last_layers()
    record = _record(settings, arrangement, weights, training.predicted)
    verdict = sentences(record)
    with RunFolder(out).held():
        record.write(files.record, verdict)
        write_table(files.table, COLUMNS, table_rows(record))
    return Checked(record, verdict, files, extraction.passes)


def _record(
    settings: ShortcutSettings,
    arrangement: Arrangement,
    weights: Weights,
    predicted: dict[str, list[PredictedClasses]],
) -> ShortcutRecord:
    study, dataset, evaluated = settings.study, arrangement.dataset, arrangement.evaluated
    classes = sorted(set(dataset.labels[arrangement.into].tolist()))
    return ShortcutRecord(
        target=settings.target,
        mark=settings.mark.words(),
        noun=_NOUNS.get(settings.mark.form, settings.mark.form),
        share=settings.share,
        into=tuple(dataset.classes[label] for label in classes),
        images=Counts(
            train=len(arrangement.train),
            marked=len(arrangement.in_class),
            clean=len(arrangement.clean),
            validation=len(arrangement.validation),
            of_class=int((evaluated.labels == evaluated.target).sum()),
            with_mark=len(arrangement.into),
        ),
        conditions=settings.condition_words,
        candidates=tuple(setting_words(each, study.grid.varying) for each in study.grid),
        hyperparameters=tuple(plain(each) for each in study.grid),
        margin=settings.margin,
        entries=judge(evaluated, predicted, settings.margin),
        about={
            "settings": plain(settings),
            "content": dataset.content,
            "weights": weights.digest,
            "weights_source": weights.source,
            "versions": versions(),
        },
    )


def table_rows(record: ShortcutRecord) -> Iterator[tuple[object, ...]]:
    """The rows of shortcut.csv, condition by condition; what there is not is None."""
    order = list(record.conditions)
    ordered = sorted(
        record.entries,
        key=lambda e: (order.index(e.condition), e.candidate, MEASURES.index(e.measure)),
    )
    for entry in ordered:
        setting = record.hyperparameters[entry.candidate - 1]
        gap, change = (
            [None] * len(_DIFFERENCE) if each is None else [
                each.difference, finite(each.low), finite(each.high), each.p, each.p_holm,
                each.p_equivalent, each.outcome,
            ]
            for each in (entry.gap, entry.change)
        )  # fmt: skip
        yield (
            entry.condition, entry.candidate,
            *(setting.get(name, NEUTRAL[name]) for name in HYPERPARAMETERS),
            entry.measure, entry.images, entry.seeds, entry.value, entry.deviation,
            *gap, entry.change_from, *change, record.margin,
        )  # fmt: skip
