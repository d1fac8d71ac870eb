"""What `manyheads fit` prints: what was tried, and what is to be expected of the model."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from manyheads.cli import narrow
from manyheads.cli.closing import keras_lines, next_lines
from manyheads.core.settings import plain
from manyheads.core.table import Table, names, numbers
from manyheads.core.text import clock, counted, decimal, size_words
from manyheads.findings.expected_score import (
    predicted_accuracy,
    predicted_log_loss,
    predicted_score,
)
from manyheads.findings.label_scores import LabelScores, fallback_words
from manyheads.findings.score_tables import classes_table, scores_words
from manyheads.findings.wording import METRIC_WORDS
from manyheads.models.card import card_path, model_size
from manyheads.run.fit.fit_record import FILE
from manyheads.run.hand_over.run_card import RUN_CARD
from manyheads.stats.label_metrics import HALF

if TYPE_CHECKING:
    from manyheads.run.fit.fit_record import Fitted

_NEW = 400  # images of a test that is imagined
_SHOWN = 5  # options
_OF_LABELS = ("mean_average_precision", "macro_f1")


def show(fitted: Fitted) -> None:
    """Print what was tried, what was chosen, what to expect, and what next."""
    print()
    if fitted.compared:
        narrow.print_table(_compared_table(fitted))
        print()
    narrow.print_table(_tried_table(fitted))
    best = fitted.tried[0]
    also = "all" if best.folds == fitted.folds else f"{best.folds} of"
    narrow.print_lines([
        "", f"Chosen     {best.words}",
        f"           by {METRIC_WORDS[fitted.metric]} on held-out images; by those of the other "
        f"folds, {also} {fitted.folds} folds choose it too",
        *_expectation(fitted),
    ])  # fmt: skip
    scores = fitted.expected.measured
    if isinstance(scores, LabelScores):
        narrow.print_table(scores.table)
        if words := fallback_words(scores):
            narrow.print_lines([words])
    else:
        narrow.print_table(classes_table(scores.classes))
    narrow.print_lines(_growth(fitted))
    size, card = size_words(model_size(fitted.model)), card_path(fitted.model).name
    narrow.print_lines([
        "",
        f"Model      {fitted.model} ({size}; {counted(fitted.heads, 'head')} in one; {card} says "
        "how to use it)",
        *(keras_lines(11) if fitted.model.suffix == ".keras" else []),
        f"Record     {fitted.path / FILE}; {RUN_CARD} tells others of the model",
        f"Took       {clock(fitted.seconds)} of {clock(fitted.settings.budget)}, "
        f"{counted(fitted.passes, 'backbone pass', 'es')}",
        *(f"           {remark}" for remark in fitted.remarks),
        "",
        *_next(fitted),
    ])  # fmt: skip


def _growth(fitted: Fitted) -> list[str]:
    """Of a fit from a former run: what has changed, and whether the model is better."""
    growth = fitted.growth
    if growth is None:
        return []
    first, *others = growth.sentences
    return [
        "", f"Changed    {growth.changes.words}", f"           since {growth.source}",
        f"Better?    {first}", *(f"           {each}" for each in others),
    ]  # fmt: skip


def _next(fitted: Fitted) -> list[str]:
    path = shlex.quote(str(fitted.path))
    commands = [f"predict {path} PHOTO.jpg", f"explain {path} PHOTO.jpg"]
    commands.append(f"export {path} --format openvino")  # the others take what may be missing
    return next_lines(commands, 11)


def _expectation(fitted: Fitted) -> list[str]:
    """What to expect of the model, but for single classes."""
    expected = fitted.expected
    scores = expected.measured
    if isinstance(scores, LabelScores):
        told = [
            scores_words(fitted.leading_scores | {"exact_match": scores.exact_match}),
            scores_words({name: getattr(scores, name) for name in _OF_LABELS}),
            "accuracy is the share of labels told right, exact match the share of images with all "
            "of them right; both, and F1, are of answers at the thresholds below",
        ]
        share = "an exact match"
        changing = "with other shares of the labels the scores change, and the thresholds that fit"
    else:
        told = [scores_words(fitted.leading_scores | {"ece": scores.ece})]
        share = "an accuracy"
        if expected.score_moments:
            low, high = predicted_score(expected, fitted.metric, _NEW)
            share = f"a {METRIC_WORDS[fitted.metric]} from {low:.3f} to {high:.3f}, {share}"
        changing = "with other shares of the classes accuracy changes, as their recalls tell"
    low, high = predicted_accuracy(expected, _NEW)
    low_loss, high_loss = predicted_log_loss(expected, _NEW)
    told.append(
        f"a test on {_NEW} of them gives {share} from {low:.3f} to {high:.3f}, and a log loss from "
        f"{low_loss:.3f} to {high_loss:.3f}, each 19 times out of 20"
    )
    if fitted.compared:
        told.append(
            "not among them: those of the sample that chose backbones, and images in one group "
            "with them"
        )
    if fitted.pruned:
        told.append(
            "the options that survived pruning were chosen with these images too, so the scores "
            "are slightly optimistic"
        )
    return [
        f"Confidence temperature {expected.temperature:.2f}, inside the model; it changes log loss "
        f"from {expected.log_loss_unscaled:.3f} to {scores.log_loss.value:.3f}",
        "",
        "Expected on new images like these, from nested cross-validation on "
        f"{scores.images:,} held-out images:",
        *(f"           {each}" for each in [*told, changing]),
        "",
    ]


def as_json(fitted: Fitted) -> dict[str, Any]:
    """The fit as plain data."""
    of_test = "exact_match_of_400" if fitted.expected.label_scores else "test_of_400"
    return {
        "run": str(fitted.path),
        "model": str(fitted.model),
        "data": fitted.data,
        "images": fitted.images,
        "folds": fitted.folds,
        "heads": fitted.heads,
        "compared": [plain(each) for each in fitted.compared],
        "ranked_by": fitted.metric,
        "chosen": plain(fitted.tried[0]),
        "expected": plain(fitted.expected),
        of_test: list(predicted_accuracy(fitted.expected, _NEW)),
        **_score_of_test(fitted),
        "log_loss_of_400": list(predicted_log_loss(fitted.expected, _NEW)),
        "passes": fitted.passes,
        "seconds": fitted.seconds,
        "budget": fitted.settings.budget,
        "remarks": list(fitted.remarks),
        "tried": [plain(each) for each in fitted.tried],
        **_growth_json(fitted),
    }


def _score_of_test(fitted: Fitted) -> dict[str, list[float]]:
    if not fitted.expected.score_moments:
        return {}
    metric = fitted.metric
    return {f"{metric}_of_{_NEW}": list(predicted_score(fitted.expected, metric, _NEW))}


def _growth_json(fitted: Fitted) -> dict[str, Any]:
    growth = fitted.growth
    return {} if growth is None else {"growth": plain(growth) | {"said": list(growth.sentences)}}


def _compared_table(fitted: Fitted) -> Table:
    return Table(
        columns=[
            *names("backbones on a sample, logistic regression"),
            *numbers("log loss", "accuracy", "images/s"), *names(""),
        ],
        rows=[
            (
                f"{each.backbone} at {each.size}×{each.size}", decimal(each.log_loss),
                decimal(each.accuracy), decimal(each.images_per_second, 1),
                "" if each.kept else "clearly worse",
            )
            for each in fitted.compared
        ],
    )  # fmt: skip


def _tried_table(fitted: Fitted) -> Table:
    count, measured = len(fitted.tried), fitted.ranked_in
    title = f"the best {min(_SHOWN, count)} of {count} trained to the end, single heads"
    if fitted.expected.label_scores:
        title += f"; labels from {HALF:g} on"
    scores = [METRIC_WORDS[name] for name in measured]
    return Table(
        columns=[*names(title), *numbers(*scores, "folds\nthat choose it")],
        rows=[
            (each.words, *(decimal(each.scored(m)) for m in measured), str(each.folds or "–"))
            for each in fitted.tried[:_SHOWN]
        ],
    )
