"""The last lines of a study: which setting to use and how sure that is, the files, what next."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path

from manyheads.cli.parser import with_flags
from manyheads.core.text import clock, size_words
from manyheads.data.folds import pool_of
from manyheads.findings.study_findings import Findings
from manyheads.findings.verdict import LINE
from manyheads.models.card import card_path, model_files
from manyheads.run.next_study import next_cost
from manyheads.run.pipeline import Finished
from manyheads.study.refit import selected_head
from manyheads.study.space import counted


def closing_lines(finished: Finished) -> list[str]:
    """Which setting to use and how sure that is, the verdict, the files, and the next commands."""
    folder, path = finished.folder, shlex.quote(str(finished.folder.path))
    lines = ["", *recommendation_lines(finished.findings), *verdict_lines(finished.findings), ""]
    with_images = finished.settings.features is None
    tables = [each.name for each in (folder.history, folder.comparisons) if each.is_file()]
    lines += [
        f"Model    {folder.best} ({_origin(finished)}; {size_words(_size(folder.best))}; "
        f"{_opened_by(finished)}; {card_path(folder.best).name} says how to use it)",
        f"Curves   {folder.figure}",
        f"Tables   {', '.join([str(folder.results), *tables])}",
    ]
    if folder.checkpoints.is_dir():
        files = [file for file in folder.checkpoints.iterdir() if file.suffix != ".json"]
        size = size_words(sum(file.stat().st_size for file in files))
        lines.append(
            f"         {folder.checkpoints} ({counted(len(files), 'whole network')}, {size})"
        )
    following = [
        f"predict {path} {'PHOTO.jpg' if with_images else 'FEATURES.npy'}",
        f"export {path} --format openvino",
    ]
    if finished.findings is not None:  # there is nothing to report of without predictions
        following.insert(0, f"report {path}")
    if len(finished.dataset.rows("test")):
        following.append(f"test {path}   (its test images, once)")
    return [*lines, "", *next_lines(following)]


def next_lines(commands: Sequence[str], width: int = 9) -> list[str]:
    """Commands to go on with, behind the word Next in a column of this width."""
    return [
        f"{'' if place else 'Next':{width}}manyheads {each}" for place, each in enumerate(commands)
    ]


def _size(model: Path) -> int:
    return sum(file.stat().st_size for file in model_files(model))


def _opened_by(finished: Finished) -> str:
    if finished.settings.features is not None:
        return "the head alone; plain Keras opens it"
    return "plain Keras opens it" if finished.settings.spec.in_keras else "OpenVINO opens it"


def _origin(finished: Finished) -> str:
    """Which head the model has."""
    settings, result = finished.settings, finished.result
    outcome = result.ranking[0].best
    assert outcome is not None
    if settings.folds is None:
        return f"seed {outcome.trial.seed}, epoch {outcome.epoch}"
    head = selected_head(settings, finished.folder, result)
    images = len(pool_of(finished.dataset))
    return f"all {images:,} images, {counted(int(head.about['epoch']), 'epoch')}"


def recommendation_lines(findings: Findings | None) -> list[str]:
    """Which setting to use, how sure that is, what would make it surer, and an empty line."""
    if findings is None:
        return []
    found, cost = findings.recommendation, next_cost(findings)
    time = "" if cost is None else f" (about {clock(cost.training)})"
    sure = f"{found.sure} {found.next_words.removesuffix('.')}{time}".strip()
    use = found.use.removeprefix("Use ")
    sure += "." if found.next_words else ""
    lines = [*labelled_lines("Use", use), *labelled_lines("Sure", sure)]
    training = [*filter(None, [found.training]), *findings.training_notes]
    return [*lines, *labelled_lines("Training", *training), ""]


def verdict_lines(findings: Findings | None, *, hints: bool = False) -> list[str]:
    """The verdict in lines of 80 columns, and what a reader must know of the heads that it is of.

    With `hints`, also what would settle what is undecided.
    """
    if findings is None:
        return ["Verdict  none: an earlier version of manyheads trained these heads"]
    verdict = findings.verdict
    lines = labelled_lines("Verdict", *verdict.sentences, *verdict.notes)
    if (words := findings.collapsed_words) is not None:
        lines += labelled_lines("Heads", words)
    if hints and verdict.hints:
        lines += labelled_lines("Power", *verdict.hints)
    return lines


def labelled_lines(name: str, *sentences: str) -> list[str]:
    """Sentences in lines of 80 columns behind their name."""
    lines = [line for sentence in sentences for line in textwrap.wrap(with_flags(sentence), LINE)]
    return [f"{'' if place else name:9}{line}" for place, line in enumerate(lines)]
