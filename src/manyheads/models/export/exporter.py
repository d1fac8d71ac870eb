"""The best model of a study as files that other programs open."""

from __future__ import annotations

import json
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
from manyheads.core.settings import plain
from manyheads.errors import ModelError, RunError, SettingError
from manyheads.models import keras_models, program_files
from manyheads.models.card import (
    PIXELS,
    PROBABILITIES,
    ModelCard,
    card_path,
    model_files,
    model_size,
    read_card,
)
from manyheads.models.checkpoints import PROGRAMS
from manyheads.models.classifier import Classifier, ImageClassifier, load
from manyheads.models.drafts import drafts, put
from manyheads.models.export import onnx_backbones
from manyheads.models.export.formats import Format, format_named
from manyheads.models.export.same_answers import ExportCheck, check_answers, images_of, rows_of
from manyheads.models.feature_classifier import FeatureClassifier
from manyheads.models.templates import write_model
from manyheads.study.folder import RunFolder
from manyheads.study.reopened import same_weights
from manyheads.study.sources import packed_recipe
from manyheads.study.study_document import read_study
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
) -> list[Path]:
    """Write whole networks for the heads in `wanted`, each with its side file; returns the new.

    A file that is already there and is the same model is left alone; each appears whole or not at
    all. The caller holds the run folder. Raises `Interrupted` when `job` is stopped.
    """
    spec = settings.spec
    cards = {target: _card(settings, weights, classes, best) for best, target in wanted}
    todo = [(best, target) for best, target in wanted if not _is(target, cards[target])]
    if not todo:
        return []
    with drafts(folder.path / ".drafts") as scratch:
        unfinished = [scratch / str(n) / target.name for n, (_, target) in enumerate(todo)]
        for draft, (best, _) in zip(unfinished, todo, strict=True):
            draft.parent.mkdir()
            head = (best.parameters, settings.grid[best.candidate - 1])
            write(spec, weights, settings.image.size, head, draft, job)
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


def export_model(
    source: RunFolder | Path,
    format_: str,
    out: Path | None = None,
    job: Job = SILENT,
    *,
    raw: bool = False,
) -> Exported:
    """Write the best model of a run folder, or one in a file, in another format, and check it.

    The formats are those of `formats.FORMATS`. Without `out`, a file or, for saved_model, a
    folder, it lies in the run folder as `export/best…`, or in the folder of the file. The check is
    in the format's own runtime. The preprocessing and a softmax go inside: uint8 RGB pixels in,
    probabilities out; a `raw` export takes preprocessed float32 images and gives logits.

    Raises `ModelError` if the export does not answer as the study's model does, to 1e-4 in each
    probability, and `MissingExtraError` if the format takes what is not installed; then what
    stood there before is left as it was.
    """
    kind = format_named(format_)
    folder = source if isinstance(source, RunFolder) else RunFolder(source.parent)
    best = _best_of(source) if isinstance(source, RunFolder) else source
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
    target = out or kind.target(folder.path / "export")
    kind.check_target(target)
    folder_for(target.parent)
    if target.absolute() == best.absolute():
        raise SettingError("another file than the model itself", str(target), "choose another name")
    kind.require_installed()
    if best.is_file():
        require_room(target.parent, model_size(best) * 9 // 10)
    model = load(best)
    card = _card_of_export(model, raw)
    with drafts(target.with_name(f".{target.name}-{os.getpid()}")) as scratch:
        finished = scratch / "finished"
        finished.mkdir()
        job.note(f"converting to {kind.name} …")
        if best.suffix == ".xml" and kind.name == "onnx":
            _write_onnx(folder, model, finished / target.name, card, job)
        else:
            _convert(kind, model, finished / target.name, card, job)
        job.note("reading the study's validation images …")
        if isinstance(model, FeatureClassifier):
            images = rows_of(folder, model.features, job)
            answers = partial(model.predict, job=job)
        else:
            assert isinstance(model, ImageClassifier)
            images = images_of(folder, card.image, job)
            answers = partial(model.predict_prepared, job=job)
        job.note(f"checking with {kind.opens} on {len(images.names)} {images.source} …")
        expected = answers(images.given).probabilities
        check = check_answers(kind, finished / target.name, card, images, expected, scratch, job)
        names = [entry.name for entry in finished.iterdir()]
        written = sorted(names, key=lambda name: (name != target.name, name))
        put(finished, target, card)
    files = (*map(target.with_name, written), card_path(target))
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
            "a model of logits, for a `raw` export", f"{model.path.name}, which has a softmax",
            ("" if is_joined(card.backbone) else "give the run folder, or ") + "leave out `raw`",
        )  # fmt: skip
    if raw or not card.is_plain:
        return card
    if isinstance(model, FeatureClassifier):
        return replace(card, output=PROBABILITIES)
    return replace(card, input=PIXELS, output=PROBABILITIES)


def _convert(kind: Format, model: Classifier, draft: Path, card: ModelCard, job: Job) -> None:
    best = model.path
    is_same = best.suffix == draft.suffix and card == model.card
    # A program that is one already has no classes in its metadata, as a study wrote it.
    if is_same and (card.is_plain or best.suffix != ".xml"):
        for file in model_files(best):
            shutil.copyfile(file, draft.with_suffix(file.suffix))
        return
    arguments = _arguments(model, draft, card)
    if best.suffix == ".xml":
        keras_process.call(program_files.with_pixels, arguments, what=_CONVERTING, job=job)
        return
    arguments["format_"] = kind.name
    convert = partial(
        keras_process.call, keras_models.convert, arguments, what=_CONVERTING, job=job
    )
    if unwritten := convert(backend=kind.backend).get("unwritten"):
        kind.require_fallback(unwritten)
        job.note(f"converting with {kind.fallback}, for the layer {unwritten} …")
        convert(backend=kind.fallback)


def _arguments(model: Classifier, draft: Path, card: ModelCard) -> dict[str, Any]:
    return {
        "file": str(model.path),
        "target": str(draft),
        "about": {
            "classes": json.dumps(card.classes, ensure_ascii=False),
            "card": json.dumps(plain(card), ensure_ascii=False),
        },
        "backbone": None if card == model.card else card.backbone,
        "preprocessing": card.preprocessing,
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
    for study in [folder] if folder.settings.is_file() else folder.searches:
        settings, resolved = read_study(study.document())
        for place in range(max(1, len(resolved.backbones))):
            if resolved.weights_of(place) == card.weights:
                weights = same_weights(settings, resolved, job, place)
                return settings.on_backbone(place).spec, weights
    raise SettingError(
        "a run folder, for the format onnx of a backbone that Keras does not build",
        f"a model without its study in {folder.path}",
        "give the run folder, or `format` openvino",
    )


def _card(
    settings: StudySettings, weights: Weights, classes: Sequence[str], best: BestHead
) -> ModelCard:
    return ModelCard.of_network(
        settings.spec, weights, settings.image,
        classes=classes, data=Path(settings.data).name, selected=best.about,
        recipe=packed_recipe(settings),
    )  # fmt: skip


def _is(target: Path, card: ModelCard) -> bool:
    if not target.is_file() or not card_path(target).is_file():
        return False
    try:
        return read_card(target) == card
    except ModelError:
        return False
