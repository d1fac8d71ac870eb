"""The best model of a study as files that other programs open."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from manyheads.backbones import keras_process
from manyheads.backbones.weights import Weights
from manyheads.errors import Interrupted, ModelError, RunError, SettingError
from manyheads.model.card import ModelCard, card_path, model_files, read_card, write_card
from manyheads.model.templates import write_model
from manyheads.places import disk_errors, make_folder
from manyheads.settings import choice
from manyheads.study.folder import RunFolder
from manyheads.study.run import BestHead
from manyheads.study.settings import StudySettings

FORMATS = {"keras": ".keras", "h5": ".h5", "openvino": ".xml"}

_CONVERT = "manyheads.model.keras_models:convert"


def write_models(
    settings: StudySettings,
    weights: Weights,
    classes: Sequence[str],
    folder: RunFolder,
    wanted: Sequence[tuple[BestHead, Path]],
    write: Callable[..., None] = write_model,
    stop: threading.Event | None = None,
) -> list[Path]:
    """Write whole networks for the heads in `wanted`, each with its side file; returns the new.

    A file that is already there and is the same model is left alone; each appears whole or not at
    all. The caller holds the run folder. Raises `Interrupted` when `stop` is set.
    """
    spec = settings.spec
    cards = {target: _card(settings, weights, classes, best) for best, target in wanted}
    todo = [(best, target) for best, target in wanted if not _is(target, cards[target])]
    if not todo:
        return []
    with _drafts(folder.path / ".drafts") as scratch:
        drafts = [scratch / str(n) / target.name for n, (_, target) in enumerate(todo)]
        for draft, (best, _) in zip(drafts, todo, strict=True):
            draft.parent.mkdir()
            head = (best.parameters, settings.grid[best.candidate - 1])
            write(spec, weights, settings.image.size, head, draft, stop)
            if stop is not None and stop.is_set():
                raise Interrupted("writing the model", "repeat the same command to resume")
        for draft, (_, target) in zip(drafts, todo, strict=True):
            _put(draft.parent, target, cards[target])
    return [target for _, target in todo]


def export_model(
    folder: RunFolder,
    format_: str,
    target: Path | None = None,
    stop: threading.Event | None = None,
) -> list[Path]:
    """Write the best model of a run folder in another format; returns the files written.

    `keras` and `h5` open with Keras, `openvino` is an `.xml` with its `.bin`; each gets a side
    file. `target` is a file name; without one it lies in the run folder as `export/best`.
    """
    choice("format", format_, tuple(FORMATS))
    if folder.best.suffix == ".xml" and format_ != "openvino":
        raise SettingError(
            "the format openvino, the only one for a backbone that Keras does not build", format_,
            "give --format openvino, or run the study on a .keras file",
        )  # fmt: skip
    if not folder.best.is_file():
        folder.document()  # says so if this is no run folder at all
        raise RunError(
            f"a finished study in {folder.path}", "no best.keras", "repeat its sweep to finish it"
        )
    card = read_card(folder.best)
    suffix = FORMATS[format_]
    target = target or folder.path / "export" / f"best{suffix}"
    if target.suffix != suffix:
        raise SettingError(
            f"a file name that ends with {suffix}", str(target), f"name it {target.stem}{suffix}"
        )
    if target.absolute() == folder.best.absolute():
        raise SettingError("another file than the model itself", str(target), "choose another name")
    with _drafts(target.with_name(f".{target.name}-{os.getpid()}")) as scratch:
        draft = scratch / target.name
        if folder.best.suffix == suffix:
            for each in model_files(folder.best):
                shutil.copyfile(each, draft.with_suffix(each.suffix))
        else:
            arguments = {"file": str(folder.best), "target": str(draft)}
            keras_process.call(_CONVERT, arguments, stop=stop)
        written = [file.name for file in sorted(scratch.iterdir())]
        _put(scratch, target, card)
    return [*map(target.with_name, written), card_path(target)]


@contextmanager
def _drafts(scratch: Path) -> Iterator[Path]:
    """A folder for unfinished files, gone afterwards; one left by a killed process is replaced."""
    missing = [folder for folder in scratch.parents if not folder.exists()]
    try:
        with disk_errors(scratch.parent):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for folder in missing:
            with suppress(OSError):  # what has got files in it stays
                folder.rmdir()


def _put(finished: Path, target: Path, card: ModelCard) -> None:
    """Move the files of a finished model to `target`; no side file ever stands beside another."""
    make_folder(target.parent)
    card_path(target).unlink(missing_ok=True)
    for file in finished.iterdir():
        file.replace(target.with_name(file.name))
    write_card(target, card)


def _card(
    settings: StudySettings, weights: Weights, classes: Sequence[str], best: BestHead
) -> ModelCard:
    spec = settings.spec
    return ModelCard(
        classes=tuple(classes),
        backbone=spec.name,
        weights=weights.digest,
        weights_source=weights.source,
        image=settings.image,
        preprocessing=spec.preprocessing,
        data=Path(settings.data).name,
        selected=best.about,
    )


def _is(target: Path, card: ModelCard) -> bool:
    if not target.is_file() or not card_path(target).is_file():
        return False
    try:
        return read_card(target) == card
    except ModelError:
        return False
