"""The last lines of a study: which setting to use and how sure that is, the files, what next."""

from __future__ import annotations

import platform
import shlex
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from manyheads.cli.narrow import line_width
from manyheads.cli.output import printable
from manyheads.cli.parser import with_flags
from manyheads.core.text import clock, size_words
from manyheads.data.feature_packs import is_pack
from manyheads.data.folds import pool_of
from manyheads.findings.settling import settling_study
from manyheads.findings.study_findings import Findings
from manyheads.findings.verdict import LINE
from manyheads.models.card import card_path, model_size
from manyheads.report.figure_files import PICTURES
from manyheads.run.next_study import next_cost
from manyheads.run.pipeline import Finished
from manyheads.study.folder import RunFolder
from manyheads.study.refit import selected_head
from manyheads.study.run_times import read_times
from manyheads.study.space import counted

_LABEL = 9  # columns of the words in front of lines


def closing_lines(finished: Finished, *, report: Path | None = None) -> list[str]:
    """Which setting to use and how sure that is, the verdict, the files, and the next commands.

    The report is that of the study, unless it is a part of something with a `report` of its own.
    """
    folder, path = finished.folder, shlex.quote(str(finished.folder.path))
    lines = ["", *recommendation_lines(finished.findings), *importance_lines(finished.findings)]
    lines += [*verdict_lines(finished.findings), ""]
    if report is None and (times := read_times(folder)):
        runs = f" in {times.runs:,} runs" if times.runs > 1 else ""
        lines.append(f"Took     {clock(times.seconds)} for features and training{runs}")
    settings = finished.settings
    # The head on a pack's features finds the backbone by the recipe.
    takes_images = settings.features is None or is_pack(settings.data)
    tables = [each.name for each in (folder.history, folder.comparisons) if each.is_file()]
    report = report or folder.report
    if report.is_file():
        lines.append(f"Report   {report}")
    lines += [
        f"Model    {folder.best} ({_origin(finished)}; {size_words(model_size(folder.best))}; "
        f"{_kind(finished)}{card_path(folder.best).name} says how to use it)",
        *(keras_lines() if finished.backbone.settings.spec.in_keras else []),
        f"Figures  {_figures(folder)}",
        f"Tables   {', '.join([str(folder.results), *tables])}",
    ]
    if folder.checkpoints.is_dir():
        files = [file for file in folder.checkpoints.iterdir() if file.suffix != ".json"]
        size = size_words(sum(file.stat().st_size for file in files))
        lines.append(
            f"         {folder.checkpoints} ({counted(len(files), 'whole network')}, {size})"
        )
    following = [
        f"predict {path} {'PHOTO.jpg' if takes_images else 'FEATURES.npy'}",
        f"export {path} --format openvino",
    ]
    if finished.findings is not None and not folder.report.is_file():
        following.append(f"report {path}")
    if len(finished.dataset.rows("test")):
        following.append(f"test {path}   (its test images, once)")
    settling = settling_lines(finished.findings)
    return [*lines, "", *settling, *next_lines(following, first="" if settling else "Next")]


def next_lines(commands: Sequence[str], width: int = 9, *, first: str = "Next") -> list[str]:
    """Commands to go on with, behind the word Next in a column of this width."""
    return [
        f"{'' if place else first:{width}}manyheads {each}" for place, each in enumerate(commands)
    ]


def settling_lines(findings: Findings | None) -> list[str]:
    """The study that would make the recommendation surer, with its time; none if none would."""
    step = None if findings is None else settling_study(findings)
    if findings is None or step is None:
        return []
    cost = next_cost(findings)
    about = filter(None, [step.words, f"about {clock(cost.training)}" if cost else ""])
    return [f"{'Next':{_LABEL}}{step.command}", f"{'':{_LABEL + 2}}({'; '.join(about)})"]


def _figures(folder: RunFolder) -> str:
    """The pictures in the run folder, the curves first."""
    others = [folder.path / f"{name}.png" for name in PICTURES]
    return ", ".join([str(folder.figure), *(each.name for each in others if each.is_file())])


def keras_lines(width: int = 9) -> list[str]:
    """What opens a .keras file, here and where manyheads is not, behind the word Keras."""
    is_usual = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    package = "tensorflow-cpu" if is_usual else "tensorflow"  # the former is only made for those
    return [
        f"{'Keras':{width}}opens it with keras.saving.load_model: here, KERAS_BACKEND=openvino;",
        f"{'':{width}}elsewhere, pip install keras {package}",
    ]


def _kind(finished: Finished) -> str:
    if finished.settings.features is not None:
        return "the head alone; "
    return "" if finished.backbone.settings.spec.in_keras else "OpenVINO opens it; "


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
    """Which setting to use, how sure that is, what would settle it, and an empty line."""
    if findings is None:
        return []
    found = findings.recommendation
    use, sure = found.use.removeprefix("Use "), f"{found.sure} {found.next_words}".strip()
    lines = [*labelled_lines("Use", use), *labelled_lines("Sure", sure)]
    if found.baseline:
        lines += labelled_lines("Baseline", found.baseline)
    if findings.backbones:
        lines += labelled_lines("Cost", *findings.backbones.sentences)
    if findings.class_balance:
        lines += labelled_lines("Classes", *findings.class_balance.sentences)
    training = [*filter(None, [found.training]), *findings.training_notes]
    return [*lines, *labelled_lines("Training", *training), ""]


def importance_lines(findings: Findings | None) -> list[str]:
    """How much each hyperparameter matters, and an empty line; nothing where that is not known."""
    if findings is None or len(findings.settings.grid.varying) < 2:
        return []
    return [*labelled_lines("Effects", findings.importance.headline), ""]


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
    """Sentences behind their name, in lines of 80 columns, or less in a narrower terminal."""
    room = min(LINE, line_width() - _LABEL)
    lines = [
        line
        for sentence in sentences
        for line in textwrap.wrap(
            printable(with_flags(sentence), sys.stdout), room, break_on_hyphens=False
        )
    ]
    return [f"{'' if place else name:{_LABEL}}{line}" for place, line in enumerate(lines)]
