"""A finished fit or sweep from which a further fit begins: its images, and how it divided them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from manyheads.data.changes import Listed
from manyheads.data.columns import Categorical
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.errors import RunError, SettingError
from manyheads.heads.epoch_rules import scored_by
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.run.fit.fit_settings import USUAL_BUDGET, USUAL_FOLDS, FitSettings, seconds_of
from manyheads.run.fit.growth import HELD_OUT, Growth, read_growth
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import kept_images
from manyheads.study.store import Store
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import StudySettings

FIT_ANEW = "fit anew, without `from_run`"


@dataclass(frozen=True)
class FormerRun:
    """A finished run: the `study` of its selected setting, and the list of its images.

    `data`, `split` and `table` are those that it was begun with. `fitted` is None of a sweep, and
    `growth` of a run that began from no other. `several_labels` says whether its images may have
    several labels: then those of `listed` are label sets as texts.
    """

    folder: RunFolder
    study: RunFolder
    settings: StudySettings
    listed: Listed
    data: str
    split: SplitSettings
    table: TableSettings
    fitted: Fitted | None
    growth: Growth | None
    several_labels: bool = False

    @property
    def name(self) -> str:
        """The run folder, as it was named."""
        return str(self.folder.path)

    @property
    def has_judges(self) -> bool:
        """Whether images of its own judged its model that no head of it has trained on.

        Those are the validation images of a sweep without folds, and of fits from it.
        """
        return HELD_OUT in self.listed.splits.names

    @cached_property
    def split_of(self) -> dict[bytes, str]:
        """The split of each content, of several images the first's."""
        keys, splits = self.listed.keys, list(self.listed.splits)
        return dict(zip(keys[::-1], splits[::-1], strict=True))

    @cached_property
    def label_of(self) -> dict[bytes, str]:
        """The label of each content, of several images the first's."""
        keys, labels = self.listed.keys, list(self.listed.labels)
        return dict(zip(keys[::-1], labels[::-1], strict=True))

    @cached_property
    def fold_of(self) -> Mapping[bytes, int]:
        """The fold that each content was left out in; none of a study without folds."""
        folds = self.settings.folds
        if folds is None:
            return {}
        with Store(self.study.store) as store:
            divided = store.divisions()[:folds]
        starts = (kept_images(self.study) or self.listed).digests
        return {
            starts[row].tobytes(): fold
            for fold, division in enumerate(divided)
            for row in division.images.tolist()
        }

    def fit_settings(self) -> FitSettings:
        """The settings of a fit that begins from it: its backbone, its image size and its folds."""
        on = self.settings
        given = FitSettings(
            data=self.data,
            backbone=on.backbone,
            preprocessing=on.preprocessing,
            weights=on.weights,
            budget=seconds_of(USUAL_BUDGET),
            folds=on.folds if on.folds is not None and on.folds <= 20 else USUAL_FOLDS,
            size=on.image.size,
            depth=on.image.depth,
            decode=on.image.decode,
            # Of a sweep that compared several it is to be given, as all else of heads is searched.
            class_weight=_only(on.grid.class_weight),
            balanced_batches=_only(on.grid.balanced_batches),
            select=on.select if self.fitted is None and scored_by(on.select) else None,
            split=replace(self.split, group_by=None),
        )
        if self.fitted is None:
            return given
        asked = self.fitted.settings
        return replace(
            given,
            budget=asked.budget,
            heads=asked.heads,
            engine=asked.engine,
            augment=asked.augment,
            select=asked.select,
        )


def _only(values: Sequence[str]) -> str | None:
    """The value that all heads of a run have; None if there are several."""
    return values[0] if len(values) == 1 else None


def read_former(path: Path) -> FormerRun:
    """The finished fit or sweep in the run folder `path`.

    Raises `RunError` for another folder, for a run that is not finished and for one of an earlier
    version, which kept no list of its images; `SettingError` for one on features of elsewhere.
    """
    folder = RunFolder(path)
    fitted = None if folder.settings.is_file() else read_fit(path) if path.is_dir() else None
    if fitted is not None:
        study = fitted.study
    elif folder.settings.is_file():
        study = folder
    elif folder.searches:
        raise RunError(
            f"a finished fit in {path}", "one that was interrupted",
            "repeat its command to finish it",
        )  # fmt: skip
    else:
        raise RunError(
            f"the run folder of a finished fit or sweep at {path}",
            "none" if path.is_dir() else "no such folder", "name one; `manyheads runs` lists them",
        )  # fmt: skip
    settings, resolved = read_study(study.document())
    if settings.features is not None:
        raise SettingError(
            f"a run on images in {path}", "one on features computed elsewhere",
            "begin a sweep anew on the features as they are now",
        )  # fmt: skip
    result = finished_result(study, settings)
    listed = kept_images(study)
    if listed is None:
        raise RunError(
            f"a list of the images of {path}", "none, as of an earlier version",
            "begin a fit anew on the images as they are now",
        )  # fmt: skip
    place = 0 if fitted else settings.place_of(result.ranking[0].candidate)
    growth = read_growth(path)
    return FormerRun(
        folder, study, settings.on_backbone(place),
        _with_judges(listed, settings, folder, growth),
        settings.data if growth is None else growth.data,
        settings.split if growth is None else growth.split,
        settings.table if growth is None else growth.table,
        fitted, growth, bool(resolved.label_names),
    )  # fmt: skip


def _with_judges(
    listed: Listed, settings: StudySettings, folder: RunFolder, growth: Growth | None
) -> Listed:
    """The list of images in which those that judged a model from outside have a split of their own.

    Of a sweep without folds they are its validation images.
    """
    if growth is None and settings.folds is None:
        names = tuple(HELD_OUT if each == "validation" else each for each in listed.splits.names)
        return replace(listed, splits=Categorical(names, listed.splits.codes))
    apart = kept_images(RunFolder(folder.path / HELD_OUT)) if growth is not None else None
    if apart is None:
        return listed
    labels = [*listed.labels, *apart.labels]
    splits = [*listed.splits, *([HELD_OUT] * len(apart.labels))]
    return Listed(
        [*listed.names, *apart.names],
        np.concatenate([listed.digests, apart.digests]),
        Categorical.of(labels),
        Categorical.of(splits),
    )
