"""The last lines of a study: what was selected and how sure that is, where it lies, what next."""

from __future__ import annotations

import math
from pathlib import Path

from manyheads.cli.screen import size_words
from manyheads.data.folds import pool_of
from manyheads.evidence.findings import Findings
from manyheads.model.card import card_path, model_files
from manyheads.pipeline import Finished
from manyheads.study.refit import selected_head
from manyheads.study.space import counted, setting_words


def closing_lines(finished: Finished) -> list[str]:
    """What was selected, its uncertainty, the files, and the next commands."""
    folder, path = finished.folder, finished.folder.path
    lines = ["", *_selection(finished), "", *verdict_lines(finished.findings), ""]
    with_images = finished.settings.features is None
    tables = [each.name for each in (folder.history, folder.comparisons) if each.is_file()]
    lines += [
        f"Model    {folder.best} ({size_words(_size(folder.best))}; {_opened_by(finished)}; "
        f"{card_path(folder.best).name} says how to use it)",
        f"Curves   {folder.figure}",
        f"Tables   {', '.join([str(folder.results), *tables])}",
    ]
    if folder.checkpoints.is_dir():
        files = [file for file in folder.checkpoints.iterdir() if file.suffix != ".json"]
        size = size_words(sum(file.stat().st_size for file in files))
        lines.append(
            f"         {folder.checkpoints} ({counted(len(files), 'whole network')}, {size})"
        )
    lines += [
        "",
        f"Next     manyheads report {path}",
        f"         manyheads predict {path} {'PHOTO.jpg' if with_images else 'FEATURES.npy'}",
        f"         manyheads export {path} --format openvino",
    ]
    if len(finished.dataset.rows("test")):
        lines.append(f"         manyheads test {path}   (its test images, once)")
    return lines


def _size(model: Path) -> int:
    return sum(file.stat().st_size for file in model_files(model))


def _opened_by(finished: Finished) -> str:
    if finished.settings.features is not None:
        return "the head alone; plain Keras opens it"
    return "plain Keras opens it" if finished.settings.spec.in_keras else "OpenVINO opens it"


def verdict_lines(findings: Findings | None) -> list[str]:
    """The verdict, a sentence a line."""
    if findings is None:
        return ["Verdict  none: an earlier version of manyheads trained these heads"]
    first, *others = findings.verdict.sentences
    return [f"Verdict  {first}", *(f"         {sentence}" for sentence in others)]


def _selection(finished: Finished) -> list[str]:
    settings, result = finished.settings, finished.result
    winner = result.ranking[0]
    outcome = winner.best
    assert outcome is not None
    setting = setting_words(result.hyperparameters(winner.candidate), settings.grid.varying)
    if settings.folds is not None:
        head = selected_head(settings, finished.folder, result)
        images = len(pool_of(finished.dataset))
        return [
            f"Selected by {result.rule}: {setting}; the model is trained anew on all {images:,} "
            f"images, for {int(head.about['epoch'])} epochs (the median of the chosen ones)."
        ]
    images = len(finished.dataset.rows("validation"))
    accuracy = outcome.chosen.val_accuracy
    error = math.sqrt(accuracy * (1 - accuracy) / images)
    return [
        f"Selected by {result.rule}: {setting}; best trial: seed {outcome.trial.seed}, epoch "
        f"{outcome.epoch}, val_accuracy {accuracy:.3f}, val_loss "
        f"{outcome.chosen.val_loss:.3f}.",
        "These images chose it, so expect less on new ones. One image is "
        f"{100 / images:.2f} points, and the standard error of such a score is "
        f"{100 * error:.1f} points.",
    ]
