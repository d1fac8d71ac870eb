"""Finished studies that are compared with each other, read from their run folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones.joined_backbones import short_name
from manyheads.core.text import joined
from manyheads.errors import RunError, SettingError
from manyheads.findings.reading import names_of, read_images, read_validated
from manyheads.findings.shared_images import StudyImages
from manyheads.findings.study_findings import rivals
from manyheads.heads.epoch_rules import metric_of
from manyheads.stats.comparisons import Differences
from manyheads.stats.intervals import Estimate
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.winner import winner_scores
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import kept_images
from manyheads.study.results import StudyResult
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import StudySettings


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """A study beside others: what it is, its selected candidate, and what to expect of that.

    `candidate` is its number in results.csv and `best` it in words. `accuracy` and `log_loss` are
    what to expect on new images, allowing for the choice among the study's `candidates` (None where
    nothing can be said); `images` counts those that validated.
    """

    run: str
    path: str
    data: str
    backbone: str
    candidates: int
    seeds: int
    folds: int | None
    images: int
    candidate: int
    best: str
    accuracy: Estimate | None
    log_loss: Estimate | None


@dataclass(frozen=True)
class ComparedStudy:
    """A finished study, as much of it as is compared with others."""

    name: str
    folder: RunFolder
    settings: StudySettings
    result: StudyResult
    images: StudyImages

    @property
    def validated(self) -> Validated:
        """What its heads predicted for the images that validated them."""
        return self.images.validated

    def best(self, most: int) -> list[int]:
        """The best candidates, at most so many, in the grid's order."""
        return sorted(entry.candidate for entry in self.result.ranking[:most])

    def candidate_name(self, candidate: int) -> str:
        """A candidate in words behind the study's name, which alone names an only one."""
        if len(self.settings.grid) == 1:
            return self.name
        return f"{self.name}: {names_of(self.settings.grid, [candidate])[0]}"

    def beside_others(self) -> ComparedRun:
        """What is to be known of it beside others."""
        settings, selected = self.settings, self.result.ranking[0].candidate
        differences = Differences(self.validated)
        among = rivals(differences, [entry.candidate for entry in self.result.ranking])
        scores = winner_scores(differences, selected, metric_of(settings.select), among=among)
        expected = {each.metric: Estimate(each.score, each.low, each.high) for each in scores}
        return ComparedRun(
            run=self.name,
            path=str(self.folder.path),
            data=Path(settings.data).name,
            backbone=short_name(settings.on_backbone(settings.place_of(selected)).backbone),
            candidates=len(settings.grid),
            seeds=settings.seeds,
            folds=settings.folds,
            images=len(self.validated.labels),
            candidate=selected,
            best=names_of(settings.grid, [selected])[0],
            accuracy=expected.get("accuracy"),
            log_loss=expected.get("log_loss"),
        )


def read_studies(folders: Sequence[RunFolder]) -> list[ComparedStudy]:
    """The finished studies in two or more folders, which must be of the same classes.

    Raises `SettingError` for fewer folders or one that is named twice, `RunError` for an unfinished
    study and for other classes.
    """
    if len(folders) < 2:
        raise SettingError("two runs or more to compare", f"{len(folders)}", "name another one")
    paths = [folder.path.resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise SettingError("each run once", f"{twice.name} twice", "name every run only once")
    studies, classes, label_names = [], (), ()
    for folder, name in zip(folders, _short_names(folders), strict=True):
        settings, resolved = read_study(folder.document())
        if studies and (resolved.classes, resolved.label_names) != (classes, label_names):
            raise RunError(
                f"the classes of {studies[0].name} in {name} as well",
                _class_words(classes, resolved.classes), "compare runs on the same classes",
            )  # fmt: skip
        classes, label_names = resolved.classes, resolved.label_names
        result = finished_result(folder, settings)
        validated = read_validated(folder.store, settings, result, classes, resolved.label_names)
        kept = kept_images(folder)
        digests = None if kept is None else kept.digests[read_images(folder.store, settings.folds)]
        studies.append(
            ComparedStudy(name, folder, settings, result, StudyImages(validated, digests))
        )
    return studies


def _short_names(folders: Sequence[RunFolder]) -> list[str]:
    """The folders' names or, where two have the same, their paths from the folder of all."""
    paths = [folder.path.resolve() for folder in folders]
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    above = os.path.commonpath(paths)
    return [path.relative_to(above).as_posix() for path in paths]


def _class_words(these: Sequence[str], those: Sequence[str]) -> str:
    gone = [name for name in these if name not in those][:3]
    new = [name for name in those if name not in these][:3]
    words = [f"no class {name!r}" for name in gone] + [f"a class {name!r}" for name in new]
    return joined(words) if words else "the same classes in another order"
