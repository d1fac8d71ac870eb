"""What a finished study was computed from, opened again: it must be the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyheads.backbones.weights import Weights, resolve
from manyheads.core.job import Job
from manyheads.data.dataset import Dataset
from manyheads.data.feature_packs import is_pack
from manyheads.data.label_names import strangers_words
from manyheads.errors import DataError, WeightsError
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import change_words
from manyheads.study.study_document import Resolved
from manyheads.study.study_settings import StudySettings

_REMEDY = "restore them, name where they lie with `data`, or begin anew in another run folder"


def require_same_data(
    dataset: Dataset,
    resolved: Resolved,
    folder: RunFolder,
    source: str | Path,
    remedy: str = _REMEDY,
) -> None:
    """Raise `DataError` unless `dataset`, opened at `source`, is the one of the study."""
    if dataset.classes != resolved.classes and (
        why := strangers_words(dataset.classes, resolved.classes, "the study")
    ):
        raise DataError(
            f"the classes of the study in {folder.path} at {source}", why,
            "restore the data set, or name where it lies with `data`",
        )  # fmt: skip
    if dataset.content != resolved.content:
        words = change_words(folder, resolved.classes, dataset)
        raise DataError(
            f"the images, labels and splits of the study in {folder.path} at {source}",
            f"that the data set has changed since: {words}",
            remedy,
        )


@contextmanager
def perhaps_moved() -> Iterator[None]:
    """Add to a `DataError` of opening a study's data set that it may lie elsewhere by now."""
    try:
        yield
    except DataError as error:
        remedy = f"{error.remedy}; if the data set was moved, name where it lies with `data`"
        raise DataError(error.expected, error.found, remedy) from error


def test_images_remedy(dataset: Dataset | None) -> str:
    """What to do where a data set has no test images; None: one that cannot be read."""
    remedy = "begin a study anew in another run folder"
    if dataset is None:
        return remedy
    if dataset.divided is not None and not dataset.carved:  # by its settings, without a test split
        return "begin a study anew in another run folder, with test images (`test_share`)"
    if is_pack(str(dataset.root)):
        return "have test images packed too (`test`), and begin a study on that pack"
    where = "in a folder test/ beside train/"
    if dataset.layout in ("manifest", "features"):
        where = f"in {dataset.root.name} with the split test"
    elif dataset.layout == "folder":
        where = "in a folder test/, and the others in train/"
    return f"put images that no study has used {where}, and {remedy}"


def same_weights(
    settings: StudySettings,
    resolved: Resolved,
    job: Job,
    place: int = 0,
) -> Weights:
    """The weights of one of the study's backbones; raises `WeightsError` if they are others now."""
    if settings.features is not None:  # they are the data, which are known to be the study's
        return Weights(Path(settings.data), resolved.weights, resolved.weights_source)
    weights = resolve(settings.on_backbone(place).spec, settings.weights, job)
    if weights.digest != resolved.weights_of(place):
        raise WeightsError(
            f"the weights of the study ({resolved.weights_source})", f"others ({weights.source})",
            "restore the weights that it was begun with",
        )  # fmt: skip
    return weights
