"""A fit that begins from a former run, on its images as they are now, and which of both is better.

The division is written down as a table in the run folder, and the fit is one to that table. Its
folds are those of the former run, so that both runs' heads leave out the same images.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Bool

from manyheads.core.destinations import folder_for
from manyheads.core.job import SILENT, Clock, Job, Planned
from manyheads.core.label_sets import JOINER, LabelSets, labels_in, set_text
from manyheads.core.places import make_folder, write_text
from manyheads.core.text import counted
from manyheads.core.workers import Workers
from manyheads.data.changes import Listed
from manyheads.data.columns import Rows
from manyheads.data.data_settings import TableSettings
from manyheads.data.manifest_writer import manifest_text
from manyheads.errors import Interrupted, ManyheadsError, RunError, SettingError
from manyheads.findings.held_out_comparison import HeldOutPredictions, compare_held_out
from manyheads.findings.test_log import day_and_time, read_test_log, write_test_log
from manyheads.heads.head import Parameters, forward
from manyheads.report.written_report import write_or_note
from manyheads.run.fit.fit_record import Fitted
from manyheads.run.fit.fit_run import planned_fit, run_fit
from manyheads.run.fit.fit_settings import AUTO, FitSettings
from manyheads.run.fit.former_run import FormerRun, read_former
from manyheads.run.fit.grown_data import GrownData, manifest_path, open_grown
from manyheads.run.fit.growth import HELD_OUT, Growth, read_growth, write_growth
from manyheads.run.fit.kept_division import KeptDivision
from manyheads.run.hand_over.card_facts import facts_of_fit
from manyheads.run.hand_over.run_card import write_run_card
from manyheads.run.run_answers import read_answers
from manyheads.study.finished import finished_result, head_of
from manyheads.study.folder import PASSING, RunFolder
from manyheads.study.image_list import keep_images
from manyheads.study.reopened import same_weights
from manyheads.study.sources import plain_features
from manyheads.study.study_document import read_study

_OF_RUN = ("backbone", "preprocessing", "weights", "folds", "depth", "decode")  # that stay RUN's
_GIVEN = ("heads", "size", "augment", "class_weight", "balanced_batches", "select")
"""Settings that may be others."""

_DIVISION = TableSettings(label_column="label", label_separator=JOINER)
"""How the table of a division is read where an image may have several labels."""


@dataclass(frozen=True)
class PlannedGrowth:
    """A fit that begins from a former run: its settings, its images and where it goes."""

    former: FormerRun
    grown: GrownData
    settings: FitSettings
    out: Path

    @property
    def changed(self) -> bool:
        """Whether any image or label is another than in the former run."""
        return self.grown.found.any_content

    @property
    def unchanged_words(self) -> str:
        """What is said where nothing has changed."""
        images = counted(len(self.grown.dataset), "image")
        return (
            f"Nothing has changed: {images} with the same labels as in {self.former.name}. "
            "No new run was made."
        )

    @property
    def kept(self) -> KeptDivision:
        """What the fit keeps of the former run."""
        same = self.settings.folds == self.former.settings.folds
        return KeptDivision(self.grown.lines, self.former.fold_of if same else {})


def plan_growth(
    run: str | Path,
    asked: FitSettings,
    out: str | Path | None = None,
    *,
    named: Collection[str] = (),
    train_on_validation: bool = False,
    job: Job = SILENT,
) -> PlannedGrowth:
    """A fit to `asked.data` that begins from the finished run in `run`; nothing is computed.

    The run's backbone, image size, folds, heads, budget and division are taken over; of `asked`
    those count that may be others and are not as usual, and those `named`, as usual or not. Without
    `out` the run folder is named after the former one, with a number. Raises what `read_former` and
    `open_grown` raise, and `SettingError` for another backbone, or another number of folds.
    """
    former = read_former(Path(run))
    settings = _settings(former, asked, named)
    table = asked.table if asked.table.given else former.table
    if Path(asked.data).is_dir():
        table = TableSettings()
    split = replace(former.split, group_by=asked.split.group_by or former.split.group_by)
    grown = open_grown(
        former, asked.data, split=split, table=table,
        train_on_validation=train_on_validation, job=job,
    )  # fmt: skip
    if former.several_labels:
        settings = replace(settings, table=_DIVISION)
    target = next_folder(former.folder.path) if out is None else Path(out)
    if target.absolute() == former.folder.path.absolute():
        raise SettingError(
            "another run folder than that of the former run", str(target), "choose another `out`"
        )
    return PlannedGrowth(former, grown, settings, target)


def next_folder(run: Path) -> Path:
    """The usual run folder of a fit from `run`: beside it, as photos-fit-2 after photos-fit."""
    name, dash, number = run.name.rpartition("-")
    if dash and number.isdecimal() and int(number) > 1:
        return run.with_name(f"{name}-{int(number) + 1}")
    return run.with_name(f"{run.name}-2")


def planned_growth(planned: PlannedGrowth, *, job: Job = SILENT) -> Planned:
    """What `run_growth` would do, and about how long each part will take; nothing is trained."""
    with TemporaryDirectory() as scratch:
        file = manifest_path(Path(scratch), planned.grown.dataset)
        file.parent.mkdir()
        write_text(file, manifest_text(file, planned.grown.to_fit, divided=True))
        settings = replace(planned.settings, data=str(file))
        return planned_fit(settings, planned.out, kept=planned.kept, job=job)


def run_growth(
    planned: PlannedGrowth,
    *,
    began: float | None = None,
    clock: Clock = time.monotonic,
    workers: int | str | Workers | None = None,
    job: Job = SILENT,
) -> Fitted:
    """Fit the images as they are now, and compare the model with that of the former run.

    As `run_fit`, which raises the same; the division is in `division/` of the run folder, and what
    came of the comparison in `growth.json`. Raises `RunError` if nothing has changed, or for a run
    folder that was begun with other images.
    """
    if not planned.changed:
        raise RunError(
            f"images or labels that are others than in {planned.former.name}", "the same ones",
            "add, remove or relabel images first",
        )  # fmt: skip
    out, grown = planned.out, planned.grown
    folder_for(out)
    settings = _with_manifest(planned)
    if len(grown.judges):
        make_folder(out / HELD_OUT)
        keep_images(RunFolder(out / HELD_OUT), grown.dataset.taken(grown.judges))
    before = _record(out)
    fitted = run_fit(
        settings, out, kept=planned.kept, began=began, clock=clock, workers=workers, job=job
    )
    if read_growth(out) is None or _record(out) != before:
        with job.step("comparing with the former run"):
            write_growth(out, _compared(planned, fitted, job))
        _keep_test_log(planned)
        write_or_note(lambda: write_run_card(out, facts_of_fit(fitted)), job)
    return fitted


def _record(out: Path) -> bytes | None:
    file = out / "fit.json"
    return file.read_bytes() if file.is_file() else None


def _settings(former: FormerRun, asked: FitSettings, named: Collection[str]) -> FitSettings:
    usual, of_run = FitSettings(data=asked.data), former.fit_settings()
    for name in _OF_RUN:
        given, known = getattr(asked, name), getattr(of_run, name)
        is_asked = name in named or given != getattr(usual, name)
        if is_asked and not _same(given, known):
            raise SettingError(
                f"the {name} of {former.name}, {known}", str(given),
                f"leave out `{name}`, or fit anew, not from a run",
            )  # fmt: skip
    if asked.split.test not in (0.0, former.split.test):
        raise SettingError(
            f"the division of {former.name}, whose share for a test is {former.split.test:g}",
            f"{asked.split.test:g}", "leave out `test_share`",
        )  # fmt: skip
    changes: dict[str, Any] = {
        name: getattr(asked, name)
        for name in ("budget", *_GIVEN)
        if name in named or (name in _GIVEN and getattr(asked, name) != getattr(usual, name))
    }
    return replace(of_run, data=asked.data, **changes)


def _same(given: object, known: object) -> bool:
    if given in (AUTO, known):
        return True
    return isinstance(given, str) and isinstance(known, str) and known.startswith(f"{given}@")


def _with_manifest(planned: PlannedGrowth) -> FitSettings:
    """The settings of the fit to the table of the division, which is written, or there already."""
    file = manifest_path(planned.out, planned.grown.dataset)
    text = manifest_text(file, planned.grown.to_fit, divided=True)
    there = {each.name for each in planned.out.iterdir()} if planned.out.is_dir() else set()
    begun = bool(there & {"search", "fit.json"})
    if begun and file.is_file():
        if file.read_text(encoding="utf-8") != text:
            raise RunError(
                f"the images, labels and former run that {planned.out} was begun with", "others",
                "restore them to resume it, or choose another `out`",
            )  # fmt: skip
    elif others := sorted(there - {file.parent.name, HELD_OUT, ".lock", *PASSING}):
        raise RunError(
            f"an empty folder or a fit from {planned.former.name} at {planned.out}",
            f"other files ({others[0]})", "choose another `out`",
        )  # fmt: skip
    else:
        RunFolder(planned.out / HELD_OUT).images.unlink(missing_ok=True)  # of one never begun
        make_folder(file.parent)
        write_text(file, text)
    return replace(planned.settings, data=str(file.absolute()))


def _compared(planned: PlannedGrowth, fitted: Fitted, job: Job) -> Growth:
    """Whether the new model is better on the images that both runs held out."""
    former, grown = planned.former, planned.grown
    comparison, added, reason, notes = None, None, "", list[str]()
    renamed = grown.changes.renamed
    cause = "the change of the data"
    try:
        if len(grown.judges):
            before = _of_former(former, grown, grown.judges, job)
            after = _of_present(fitted, grown, _judged(grown), job)
            if former.fitted is None:
                notes.append(
                    f"{former.name} chose its candidate with validation images among these, which "
                    "favours it slightly."
                )
        else:
            name = str(former.folder.path)
            before, after = (
                read_answers(each, path, job, files=False, several_labels=True).held_out
                for each, path in ((name, former.folder.path), (str(planned.out), planned.out))
            )
            notes.append(
                "Both runs chose their settings with these images: both accuracies are slightly "
                "optimistic, the difference hardly."
            )
            rows = np.setdiff1d(grown.added, grown.dataset.rows("test"))
            if len(rows):
                model = _of_former(former, grown, rows, job)
                try:
                    added = compare_held_out(model, after, cause=cause, renamed=renamed).kept
                except RunError:  # all are unreadable, or train in every fold
                    added = None
        comparison = compare_held_out(before, after, cause=cause, renamed=renamed)
    except Interrupted:
        raise
    except ManyheadsError as error:  # of the former run, whose weights may be gone by now
        reason = f"{error.expected}, but found {error.found}"
    if words := _test_words(former, grown):
        notes.append(words)
    return Growth(
        source=str(former.folder.path.absolute()), data=grown.source,
        split=grown.split, table=grown.table, changes=grown.changes, held_out=len(grown.judges),
        comparison=comparison, added=added, reason=reason, notes=tuple(notes),
    )  # fmt: skip


def _judged(grown: GrownData) -> Rows:
    """The images that judge both models, but for those of a class that the fit has none of."""
    dataset = grown.dataset
    if dataset.label_names:  # of which those that both models know are judged
        return grown.judges
    known = np.unique(grown.to_fit.labels)
    return grown.judges[np.isin(dataset.labels[grown.judges], known)]


def _of_former(former: FormerRun, grown: GrownData, rows: Rows, job: Job) -> HeldOutPredictions:
    """What the model of the former run says of images that it was not trained on.

    Their labels are those that it had; of an image that is new, those of now.
    """
    listed, dataset = Listed.of(grown.dataset), grown.dataset
    back = {new: old for old, new in grown.changes.renamed.items()}
    now = [dataset.classes[label] for label in dataset.labels[rows]]
    several = former.several_labels
    labels = [
        str(former.label_of.get(listed.digests[row].tobytes(), _called(name, back, several)))
        for row, name in zip(rows.tolist(), now, strict=True)
    ]
    if former.fitted is not None:
        head = former.fitted.head()
        return _answers(former.fitted.study, 1, head, grown, rows, labels, job)
    settings, _ = read_study(former.folder.document())
    best = head_of(settings, former.folder, finished_result(former.folder, settings))
    return _answers(former.folder, best.candidate, best.parameters, grown, rows, labels, job)


def _called(label: str, names: Mapping[str, str], several: bool) -> str:
    """A class, or a label set as text, by other names."""
    if several:
        return set_text(names.get(each, each) for each in labels_in(label))
    return names.get(label, label)


def _of_present(fitted: Fitted, grown: GrownData, rows: Rows, job: Job) -> HeldOutPredictions:
    """What the model of a fit says of images that it was not trained on."""
    labels = [grown.dataset.classes[label] for label in grown.dataset.labels[rows]]
    head = fitted.head()
    return _answers(fitted.study, 1, head, grown, rows, labels, job)


def _answers(
    study: RunFolder,
    candidate: int,
    head: Parameters,
    grown: GrownData,
    rows: Rows,
    labels: list[str],
    job: Job,
) -> HeldOutPredictions:
    """What a head on the backbone of a study's candidate says of the images in `rows`.

    For a label that the study does not know stands its first class; that of now is another one.
    Where an image may have several labels, those that the study does not know are left out.
    """
    from scipy.special import log_softmax

    settings, resolved = read_study(study.document())
    place = settings.place_of(candidate)
    on_backbone, dataset = settings.on_backbone(place), grown.dataset
    weights = same_weights(settings, resolved, job, place)
    features = plain_features(on_backbone, dataset, weights, only=rows, job=job)
    there = features.rows[rows] >= 0
    readable = rows[there]
    starts = Listed.of(dataset).digests
    number = {name: place for place, name in enumerate(resolved.classes)}
    logits = forward(head, features.matrix[features.rows[readable]])
    several = bool(resolved.label_names)
    said = logits if several else log_softmax(logits, axis=1)
    return HeldOutPredictions(
        name=str(study.path),
        classes=resolved.label_names or resolved.classes,
        digests=tuple(starts[row].tobytes() for row in readable.tolist()),
        labels=np.array([number.get(each, 0) for each in labels], np.int64)[there],
        said=said.astype(np.float32)[np.newaxis],
        units=dataset.units[readable],
        fold_of=np.zeros(len(readable), np.int64),
        answered_by="its whole model",
        targets=_targets(resolved.label_names, labels)[there] if several else None,
    )


def _targets(known: tuple[str, ...], labels: list[str]) -> Bool[np.ndarray, "images labels"]:
    """Which of the `known` labels each image has, by its label set as text."""
    own = [[each for each in labels_in(text) if each in known] for text in labels]
    return LabelSets(known, tuple(map(set_text, own))).members


def _keep_test_log(planned: PlannedGrowth) -> None:
    """Take over the former run's test evaluations: what was looked at is no unseen image again."""
    log = planned.former.folder.test_log
    target = RunFolder(planned.out).test_log
    if log.is_file() and not target.exists() and len(_tested(planned.grown)):
        write_test_log(RunFolder(planned.out), read_test_log(planned.former.folder))


def _tested(grown: GrownData) -> Rows:
    """The test images of now that the former run had as such."""
    return np.setdiff1d(grown.dataset.rows("test"), grown.added)


def _test_words(former: FormerRun, grown: GrownData) -> str:
    entries, tested = read_test_log(former.folder), _tested(grown)
    if not entries or not len(tested):
        return ""
    return (
        f"{counted(len(tested), 'test image')} of {former.name} were evaluated there on "
        f"{day_and_time(entries[-1])}; a test of this model, with `again`, is a further look at "
        "them."
    )
