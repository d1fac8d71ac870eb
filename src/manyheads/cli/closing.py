"""The last lines of a study: what was selected and how sure that is, where it lies, what next."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path

from manyheads.core.text import interval, joined, size_words
from manyheads.data.folds import pool_of
from manyheads.findings.study_findings import Findings
from manyheads.findings.verdict import LINE
from manyheads.findings.wording import METRIC_WORDS
from manyheads.heads.bank import rule_of
from manyheads.models.card import card_path, model_files
from manyheads.run.pipeline import Finished
from manyheads.stats.winner import WinnerScore
from manyheads.study.refit import selected_head
from manyheads.study.space import counted, setting_words


def closing_lines(finished: Finished) -> list[str]:
    """What was selected, its uncertainty, the files, and the next commands."""
    folder, path = finished.folder, shlex.quote(str(finished.folder.path))
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
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, LINE)]
    return [f"{'' if place else name:9}{line}" for place, line in enumerate(lines)]


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
            f"images, for {counted(int(head.about['epoch']), 'epoch')} (the median of the chosen "
            "ones).",
            *_expected(finished),
        ]
    return [
        f"Selected by {result.rule}: {setting}; best trial: seed {outcome.trial.seed}, epoch "
        f"{outcome.epoch}, val_accuracy {outcome.chosen.val_accuracy:.3f}, val_loss "
        f"{outcome.chosen.val_loss:.3f}.",
        *_expected(finished),
    ]


def _expected(finished: Finished) -> list[str]:
    """What to expect of the selected setting on new images, beside its score on these."""
    if finished.findings is None or not finished.findings.winner:
        return []
    images = len(finished.findings.validated.labels)
    # The model stands at the epochs of the study's rule, so scores at other epochs are not its own.
    rule = finished.settings.select
    own = [each for each in finished.findings.winner if rule_of(each.metric, rule) == rule]
    words = [_score_words(each) for each in reversed(own)]
    return [
        f"This score is optimistic: the same {images:,} images were used for selection. "
        f"Expected on new images: {joined(words)}."
    ]


def _score_words(score: WinnerScore) -> str:
    return f"{METRIC_WORDS[score.metric]} {interval(score.score, score.low, score.high)}"
