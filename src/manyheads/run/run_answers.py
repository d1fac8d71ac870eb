"""What the selected setting of a finished run said of images that its heads were kept from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from manyheads.core.addresses import is_address
from manyheads.core.job import SILENT, Job
from manyheads.core.label_sets import require_one_label
from manyheads.core.settings import plain
from manyheads.core.text import counted
from manyheads.data.changes import KEPT_BYTES, Listed
from manyheads.errors import ManyheadsError, RunError
from manyheads.findings.held_out_comparison import HeldOutPredictions
from manyheads.findings.labels import UNBELIEVED
from manyheads.findings.reading import read_images, read_validated
from manyheads.findings.study_findings import Findings, read_findings
from manyheads.run.fit.fit_answers import kept_answers
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.stats import metrics
from manyheads.stats.validation_predictions import Validated
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import kept_images
from manyheads.study.sources import open_data
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import StudySettings

Images = Int64[np.ndarray, "images"]


@dataclass(frozen=True)
class RunAnswers:
    """A finished run's answers for its held-out images, each by heads that did not train on it.

    `one` are the log-probabilities of one head in each fold, those that images are shown with;
    `whole` those of every seed that finished. Of a fit that kept them, both are what an average of
    heads says (`averaged`); `heads` are those of the search's own. An image is known by its place
    in these arrays and by the beginning of its content's digest, in `digests` (None of a run of an
    earlier version); `files` has the files of these contents, as far as they are still there.
    """

    name: str
    folder: RunFolder
    settings: StudySettings
    candidate: int
    validated: Validated
    one: Float32[np.ndarray, "images classes"]
    whole: Float32[np.ndarray, "seeds images classes"]
    heads: Float32[np.ndarray, "seeds images classes"]
    averaged: bool
    measured_on: str
    digests: tuple[bytes, ...] | None
    names: tuple[str, ...]
    files: Mapping[bytes, Path]
    findings: Findings | None
    fitted: Fitted | None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.validated.classes

    @property
    def labels(self) -> Images:
        """The label that each image had in the run."""
        return self.validated.labels

    @property
    def held_out(self) -> HeldOutPredictions:
        """The answers of all seeds, to be compared with another run's: of single heads."""
        return HeldOutPredictions(
            self.name, self.validated.outputs, self.digests, self.labels, self.heads,
            self.validated.units, self.validated.fold_of[0], targets=self.validated.targets,
        )  # fmt: skip

    @cached_property
    def predicted(self) -> Images:
        """The class that each image is taken for."""
        return metrics.predicted(self.one)

    @cached_property
    def confidence(self) -> Float64[np.ndarray, "images"]:
        """The probability of that class, in [0, 1]."""
        return np.minimum(1.0, np.exp(self.one.max(axis=1).astype(np.float64)))

    @cached_property
    def given(self) -> Float64[np.ndarray, "images"]:
        """The probability of each image's label, in [0, 1]."""
        rows = np.arange(len(self.labels))
        return np.minimum(1.0, np.exp(self.one[rows, self.labels].astype(np.float64)))

    @cached_property
    def doubted(self) -> np.ndarray:
        """Whether all seeds' heads together hardly believe an image's label."""
        mean = np.exp(self.whole.astype(np.float64)).mean(axis=0)
        return mean[np.arange(len(self.labels)), self.labels] <= UNBELIEVED

    def wrong(self) -> Images:
        """The images that are taken for another class, the most confident first."""
        return self._by_confidence(self.predicted != self.labels)

    def taken_for(self, label: str, answer: str) -> Images:
        """The images of a class that are taken for a class, the most confident first.

        Raises `RunError` for a class that the run does not have.
        """
        for name in (label, answer):
            if name not in self.classes:
                raise RunError(
                    f"one of the classes of {self.name}", repr(name), "choose one from the matrix"
                )
        of, as_ = self.classes.index(label), self.classes.index(answer)
        return self._by_confidence((self.labels == of) & (self.predicted == as_))

    def file(self, place: int) -> Path | None:
        """The file of an image; None if there is none with its content any more."""
        return None if self.digests is None else self.files.get(self.digests[place])

    def _by_confidence(self, chosen: np.ndarray) -> Images:
        found = np.flatnonzero(chosen)
        return found[np.argsort(-self.confidence[found], kind="stable")]


def read_answers(
    name: str, path: Path, job: Job = SILENT, *, files: bool = True, several_labels: bool = False
) -> RunAnswers:
    """The answers of the finished study or fit in `path`; `files` says whether to look for these.

    With `several_labels` they may be log-odds of labels, and what is told of classes means nothing
    then. Raises `RunError` for a run that is not finished, and for one of an earlier version, and
    `DataError` for other labels than one class per image where these are not asked for.
    """
    folder = RunFolder(path)
    fitted = None if folder.settings.is_file() else read_fit(path)
    if fitted is None and not folder.settings.is_file():
        raise RunError(f"a finished run in {name}", "none", "finish it, or choose another")
    if fitted is not None:
        return _of_fit(name, fitted, job, files, several_labels)
    with job.step("reading the study"):
        findings = read_findings(folder)
        if not several_labels:
            require_one_label(
                findings.resolved.label_names, "the studio's mistakes",
                f"open the report of {name}, which has the scores of each label",
            )  # fmt: skip
        # What a page shows first is computed here, beside the server's loop.
        _ = findings.recommendation, findings.winner, findings.backbones
        selected = findings.selected
    every = findings.validated.log_probabilities(selected.candidate)[:, 0]
    return _answers(
        name, folder, findings.settings, selected.candidate, findings.validated,
        every[int(selected.about["seed"])], every,
        findings=findings, fitted=None, job=job if files else None,
    )  # fmt: skip


def _of_fit(name: str, fitted: Fitted, job: Job, files: bool, several_labels: bool) -> RunAnswers:
    """What the fit kept of its average; else those of the search's head of its setting."""
    best = fitted.tried[0]
    with job.step("reading the fit"):
        study = fitted.study
        settings, resolved = read_study(study.document())
        if not several_labels:
            require_one_label(
                resolved.label_names, "the studio's mistakes",
                f"open the model card of {name}, which has the scores of each label",
            )  # fmt: skip
        result = finished_result(study, settings)
        validated = read_validated(
            study.store, settings, result, resolved.classes, resolved.label_names
        )
        candidates = [
            each for each in validated.candidates
            if plain(settings.grid[each - 1]) == plain(best.hyperparameters)
        ]  # fmt: skip
        if not candidates:
            raise RunError(f"the setting {best.words} in {name}", "none", "repeat the fit anew")
        every = validated.log_probabilities(candidates[0])[:, 0]
        expected = fitted.expected.measured.accuracy.value
        kept = None
        if not resolved.label_names:  # of several labels a fit keeps none
            kept = kept_answers(fitted.path, validated.labels, expected)
    return _answers(
        name, study, settings, candidates[0], validated,
        every[0] if kept is None else kept[0], every,
        findings=None, fitted=fitted, averaged=kept is not None, job=job if files else None,
    )  # fmt: skip


def _answers(
    name: str,
    folder: RunFolder,
    settings: StudySettings,
    candidate: int,
    validated: Validated,
    one: Float32[np.ndarray, "images classes"],
    every: Float32[np.ndarray, "seeds images classes"],
    *,
    findings: Findings | None,
    fitted: Fitted | None,
    averaged: bool = False,
    job: Job | None,
) -> RunAnswers:
    """The answers; files are looked for if there is a `job` to tell of it."""
    listed = kept_images(folder)
    rows = read_images(folder.store, settings.folds)
    finished = every[np.isfinite(every).all(axis=(1, 2))]
    count = len(validated.labels)
    measured = counted(count, "validation image")
    if settings.folds is not None:
        measured = f"{counted(count, 'image')}, each when it was left out of training"
    return RunAnswers(
        name=name,
        folder=folder,
        settings=settings,
        candidate=candidate,
        validated=validated,
        one=one,
        whole=one[np.newaxis] if averaged else finished,
        heads=finished,
        averaged=averaged,
        measured_on=measured,
        digests=None if listed is None else tuple(listed.digests[row].tobytes() for row in rows),
        names=() if listed is None else tuple(str(listed.names[row]) for row in rows.tolist()),
        files={} if listed is None or job is None else _files(settings, listed, rows, job),
        findings=findings,
        fitted=fitted,
    )


def _files(settings: StudySettings, listed: Listed, rows: Images, job: Job) -> dict[bytes, Path]:
    """The files of the images in `rows` by content, of data that are still here."""
    if settings.features is not None or is_address(str(settings.data)):
        return {}
    try:
        dataset = open_data(settings, job)
    except ManyheadsError:
        job.check("reading the run")
        return {}
    wanted = {listed.digests[row].tobytes() for row in rows}
    starts = np.ascontiguousarray(dataset.digests.values[:, :KEPT_BYTES])
    found = {
        key: dataset.paths[place]
        for place, key in enumerate(row.tobytes() for row in starts)
        if key in wanted
    }
    return {key: path for key, path in found.items() if isinstance(path, Path)}
