"""The best model of a study as files that other programs open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from manyheads.backbones.joined_backbones import is_joined
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core import keras_process
from manyheads.core.destinations import folder_for, require_room
from manyheads.core.job import SILENT, Job
from manyheads.errors import ModelError, RunError, SettingError
from manyheads.findings.quantisation_cost import QuantisationCost
from manyheads.models import keras_models, program_files
from manyheads.models.card import (
    PIXELS,
    PROBABILITIES,
    ModelCard,
    about_model,
    card_path,
    model_files,
    model_size,
    read_card,
    unlike_path,
)
from manyheads.models.checkpoints import PROGRAMS
from manyheads.models.classifier import Classifier, ImageClassifier, load
from manyheads.models.drafts import drafts, put
from manyheads.models.export import onnx_backbones
from manyheads.models.export.export_images import labelled_images
from manyheads.models.export.formats import Format, format_named
from manyheads.models.export.quantising import quantise, require_quantisable
from manyheads.models.export.same_answers import ExportCheck, check_answers, images_of, rows_of
from manyheads.models.export.trainable_export import require_trainable
from manyheads.models.feature_classifier import FeatureClassifier
from manyheads.models.quantised_record import INT8, Quantisation
from manyheads.models.templates import write_model
from manyheads.models.unlike_files import (
    read_unlikeness,
    studies_on,
    write_unlikeness,
)
from manyheads.study.folder import RunFolder
from manyheads.study.reopened import same_weights
from manyheads.study.sources import packed_recipe
from manyheads.study.study_settings import StudySettings
from manyheads.study.training import BestHead

_CONVERTING = "converting the model"


def write_models(
    settings: StudySettings,
    weights: Weights,
    classes: Sequence[str],
    folder: RunFolder,
    wanted: Sequence[tuple[BestHead, Path]],
    write: Callable[..., None] = write_model,
    job: Job = SILENT,
    *,
    thresholds: Callable[[BestHead], tuple[float, ...]] | None = None,
) -> list[Path]:
    """Write whole networks for the heads in `wanted`, each with its side file; returns the new.

    A file that is already there and is the same model is left alone; each appears whole or not at
    all. Where an image may have several labels, `thresholds` gives those of a head. The
    caller holds the run folder. Raises `Interrupted` when `job` is stopped.
    """
    spec = settings.spec
    several = {} if thresholds is None else {"several_labels": True}
    cards = {target: _card(settings, weights, classes, best, thresholds) for best, target in wanted}
    todo = [(best, target) for best, target in wanted if not _is(target, cards[target])]
    if not todo:
        return []
    with drafts(folder.path / ".drafts") as scratch:
        unfinished = [scratch / str(n) / target.name for n, (_, target) in enumerate(todo)]
        for draft, (best, _) in zip(unfinished, todo, strict=True):
            draft.parent.mkdir()
            head = (best.parameters, settings.grid[best.candidate - 1])
            write(spec, weights, settings.image.size, head, draft, job, **several)
            job.check("writing the model", "repeat the same command to resume")
        for draft, (_, target) in zip(unfinished, todo, strict=True):
            put(draft.parent, target, cards[target])
    return [target for _, target in todo]


@dataclass(frozen=True)
class Exported:
    """A model in another format: its `files` (or folder) and side file, and how it was checked."""

    format: str
    files: tuple[Path, ...]
    card: ModelCard
    check: ExportCheck

    @property
    def cost(self) -> QuantisationCost | None:
        """What quantising it cost; None of one that is not quantised."""
        return None if self.card.quantised is None else self.card.quantised.cost


def export_model(
    source: RunFolder | Path,
    format_: str,
    out: Path | None = None,
    job: Job = SILENT,
    *,
    raw: bool = False,
    quantisation: Quantisation | None = None,
    trainable: bool = False,
    data: str | Path | None = None,
) -> Exported:
    """Write the best model of a run folder, or one in a file, in another format, and check it.

    The formats are those of `formats.FORMATS`. Without `out`, a file or, for saved_model, a
    folder, it lies in the run folder as `export/best…`, or in the folder of the file. The check is
    in the format's own runtime. The preprocessing and a softmax (of several labels a sigmoid) go
    inside: uint8 RGB pixels in, probabilities out; a `raw` export takes preprocessed float32 images
    and gives logits.

    A `quantisation` makes the checked file smaller, as `export/best-int8…` or `best-f16…`, and
    measures what that costs, which its side file then says. A `trainable` one, of keras, has a
    backbone that Keras trains further. `data` says where the study's images lie now, or, of a model
    without its study, which labelled images to calibrate by and to measure on.

    Raises `ModelError` if the export does not answer as the study's model does, to 1e-4 in each
    probability, or a quantised one loses more than is allowed, and `MissingExtraError` if the
    format takes what is not installed; then what stood there before is left as it was.
    """
    kind = format_named(format_)
    folder = source if isinstance(source, RunFolder) else RunFolder(source.parent)
    best = _best_of(source) if isinstance(source, RunFolder) else source
    if trainable:
        require_trainable(kind, best)
    if best.suffix == ".xml" and kind.name not in ("openvino", "onnx"):
        raise SettingError(
            "the format openvino or onnx for a backbone that Keras does not build", format_,
            "give one of these as `format`, or run the study on a .keras file",
        )  # fmt: skip
    if best.suffix in PROGRAMS and best.suffix != ".xml":
        raise SettingError(
            "a run folder, or a .keras, .h5 or .xml file", best.name,
            "give the run folder that it was exported from",
        )  # fmt: skip
    kept = quantisation.kind if quantisation else "trainable" if trainable else ""
    target = out or kind.target(folder.path / "export", kept)
    kind.check_target(target)
    folder_for(target.parent)
    if target.absolute() == best.absolute():
        raise SettingError("another file than the model itself", str(target), "choose another name")
    kind.require_installed()
    if best.is_file():
        require_room(target.parent, model_size(best) * 9 // 10)
    model = load(best)
    if quantisation is not None:
        require_quantisable(kind, quantisation, model.card, raw=raw)
    if model.card.quantised is not None and kind.name != "openvino":
        raise SettingError(
            "a float32 model, for another format", f"{best.name}, of {model.card.quantised.kind}",
            "give the run folder that it was exported from",
        )  # fmt: skip
    if isinstance(model, FeatureClassifier) and (trainable or data is not None):
        raise SettingError(
            f"a model of images, for `{'trainable' if trainable else 'data'}`",
            f"{best.name}, a head of features", "leave it out",
        )  # fmt: skip
    card = _card_of_export(model, raw)
    place = None if data is None else str(data)
    labelled = None
    if quantisation is not None:
        count = quantisation.calibration if quantisation.kind == INT8 else 0
        labelled = labelled_images(
            folder, card.classes, place, count, job, several_labels=card.several_labels
        )
    with drafts(target.with_name(f".{target.name}-{os.getpid()}")) as scratch:
        finished = scratch / "finished"
        finished.mkdir()
        converted = finished if quantisation is None else scratch / "float32"
        converted.mkdir(exist_ok=True)
        draft = converted / target.name
        job.note(f"converting to {kind.name} …")
        if best.suffix == ".xml" and kind.name == "onnx":
            _write_onnx(folder, model, draft, card, job)
        else:
            _convert(kind, model, draft, card, job, trainable=trainable)
        job.note("reading the study's validation images …")
        if isinstance(model, FeatureClassifier):
            images = rows_of(folder, model.features, job)
            answers = partial(model.predict, job=job)
        else:
            assert isinstance(model, ImageClassifier)
            images = images_of(folder, card.image, job, place)
            answers = partial(model.predict_prepared, job=job)
        job.note(f"checking with {kind.opens} on {len(images.names)} {images.source} …")
        expected = answers(images.given).probabilities
        check = check_answers(kind, draft, card, images, expected, scratch, job)
        if quantisation is not None and labelled is not None:
            again = _source(model, card) if kind.name == "litert" else None
            made = quantise(
                kind, quantisation, draft, finished / target.name, card, labelled, again, scratch,
                job,
            )  # fmt: skip
            card, check = made.card, replace(check, any_batch=made.any_batch)
        names = [entry.name for entry in finished.iterdir()]
        written = sorted(names, key=lambda name: (name != target.name, name))
        put(finished, target, card)
    files = (*map(target.with_name, written), card_path(target))
    # The features of int8 are others than those that its rate of false alarms was found on.
    rounded = quantisation is not None and quantisation.kind == INT8
    unlikeness = None if rounded else read_unlikeness(best)
    if unlikeness is not None and not kind.is_folder:  # which `load` does not open
        write_unlikeness(target, unlikeness)
        files = (*files, unlike_path(target))
    return Exported(kind.name, files, card, check)


def _best_of(folder: RunFolder) -> Path:
    if not folder.best.is_file():
        folder.document()  # says so if this is no run folder at all
        raise RunError(
            f"a finished study in {folder.path}", "no best.keras", "repeat its sweep to finish it"
        )
    return folder.best


def _card_of_export(model: Classifier, raw: bool) -> ModelCard:
    """What the side file of an export of `model` says of it."""
    card = model.card
    if raw and not card.is_plain:
        raise SettingError(
            "a model of logits, for a `raw` export", f"{model.path.name} of probabilities",
            ("" if is_joined(card.backbone) else "give the run folder, or ") + "leave out `raw`",
        )  # fmt: skip
    if raw or not card.is_plain:
        return card
    if isinstance(model, FeatureClassifier):
        return replace(card, output=PROBABILITIES)
    return replace(card, input=PIXELS, output=PROBABILITIES)


def _convert(
    kind: Format, model: Classifier, draft: Path, card: ModelCard, job: Job, *, trainable: bool
) -> None:
    best = model.path
    is_same = not trainable and best.suffix == draft.suffix and card == model.card
    # A program that is one already has no classes in its metadata, as a study wrote it.
    if is_same and (card.is_plain or best.suffix != ".xml"):
        for file in model_files(best):
            shutil.copyfile(file, draft.with_suffix(file.suffix))
        return
    arguments = _arguments(model, draft, card)
    if best.suffix == ".xml":
        keras_process.call(program_files.with_pixels, arguments, what=_CONVERTING, job=job)
        return
    arguments |= {"format_": kind.name} | ({"trainable": True} if trainable else {})
    convert = partial(
        keras_process.call, keras_models.convert, arguments, what=_CONVERTING, job=job
    )
    if unwritten := convert(backend=kind.backend).get("unwritten"):
        kind.require_fallback(unwritten)
        job.note(f"converting with {kind.fallback}, for the layer {unwritten} …")
        convert(backend=kind.fallback)


def _arguments(model: Classifier, draft: Path, card: ModelCard) -> dict[str, Any]:
    return {
        **_source(model, card),
        "target": str(draft),
        "about": about_model(card),
    }


def _source(model: Classifier, card: ModelCard) -> dict[str, Any]:
    """The model, and what goes around it, as `keras_models.pixel_model` takes it."""
    return {
        "file": str(model.path),
        "backbone": None if card == model.card else card.backbone,
        "preprocessing": card.preprocessing,
        **({"several_labels": True} if card.several_labels else {}),
    }


def _write_onnx(
    folder: RunFolder, model: Classifier, draft: Path, card: ModelCard, job: Job
) -> None:
    """Write a model on an ONNX backbone as ONNX, around the backbone's own file."""
    spec, weights = _backbone_of(folder, card, job)
    if spec.members or weights.path.suffix.lower() != ".onnx":
        raise SettingError(
            "a backbone in an ONNX file, for the format onnx", f"{spec.name}, which is in none",
            "give `format` openvino",
        )  # fmt: skip
    arguments = {
        **_arguments(model, draft, card), "weights": str(weights.path), "digest": weights.digest,
        "size": card.image.size, "tokens": spec.tokens,
    }  # fmt: skip
    keras_process.call(onnx_backbones.write, arguments, what=_CONVERTING, job=job)


def _backbone_of(folder: RunFolder, card: ModelCard, job: Job) -> tuple[BackboneSpec, Weights]:
    """The backbone of a run folder's model, by the studies in it."""
    for _, settings, resolved, place in studies_on(folder, card.weights):
        weights = same_weights(settings, resolved, job, place)
        return settings.on_backbone(place).spec, weights
    raise SettingError(
        "a run folder, for the format onnx of a backbone that Keras does not build",
        f"a model without its study in {folder.path}",
        "give the run folder, or `format` openvino",
    )


def _card(
    settings: StudySettings,
    weights: Weights,
    classes: Sequence[str],
    best: BestHead,
    thresholds: Callable[[BestHead], tuple[float, ...]] | None,
) -> ModelCard:
    return ModelCard.of_network(
        settings.spec, weights, settings.image,
        classes=classes, data=Path(settings.data).name, selected=best.about,
        recipe=packed_recipe(settings),
        thresholds=None if thresholds is None else thresholds(best),
    )  # fmt: skip


def _is(target: Path, card: ModelCard) -> bool:
    if not target.is_file() or not card_path(target).is_file():
        return False
    try:
        return read_card(target) == card
    except ModelError:
        return False
