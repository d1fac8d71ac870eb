"""What is published of a fit: a row for each option it tried, and what to expect of its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path

from manyheads import __version__
from manyheads.core.settings import digest, plain
from manyheads.core.text import counted
from manyheads.findings.label_scores import LabelScores
from manyheads.findings.score_tables import scores_words
from manyheads.publish.publication import MOST_ROWS, Publication, PublishedRow, told
from manyheads.publish.study_identity import plain_end
from manyheads.run.fit.fit_record import Fitted, Tried
from manyheads.run.run_folders import last_change
from manyheads.stats.intervals import Estimate

_LATER = ("budget", "data", "table")  # a fit goes on with another budget


def fit_publication(
    fitted: Fitted, files: tuple[Path, ...], left_out: tuple[str, ...]
) -> Publication:
    """What is published of a finished fit."""
    asked = {name: value for name, value in plain(fitted.settings).items() if name not in _LATER}
    best, expected = fitted.tried[0], fitted.expected.measured
    found = fitted.leading_scores
    if isinstance(expected, LabelScores):
        found |= expected.scores
    else:
        found["ece"] = expected.ece
    return Publication(
        key=digest(["fit", asked, fitted.content]),
        kind="fit",
        name=fitted.path.absolute().name,
        data=plain_end(fitted.data),
        metric=fitted.metric,
        parameters={
            "images": fitted.images,
            **{
                name: told(value)
                for name, value in asked.items()
                if value is not None and not isinstance(value, Mapping)
            },
        },
        metrics=_finite(dict(_expected(found)))
        | {
            "temperature": fitted.expected.temperature,
            "options": len(fitted.tried),
            "averaged_heads": fitted.heads,
            "budget": fitted.settings.budget,
        },
        tags={
            "version": __version__,
            "data": plain_end(fitted.data),
            "data_digest": fitted.content[:12],
            "backbone": plain_end(best.backbone),
        },
        sentences=(
            f"Chosen of {counted(len(fitted.tried), 'option')}: {best.words}; "
            f"{counted(fitted.heads, 'head')} in one model.",
            f"Expected on new images: {scores_words(fitted.leading_scores)}, from nested "
            "cross-validation.",
        ),
        rows=tuple(
            _row(place, each, fitted.metric)
            for place, each in enumerate(fitted.tried[:MOST_ROWS], 1)
        ),
        files=files,
        ended=last_change(fitted.path),
        left_out=left_out,
    )


def _row(place: int, option: Tried, metric: str) -> PublishedRow:
    setting = {name: value for name, value in option.hyperparameters.items() if value is not None}
    what = {
        **{name: told(value) for name, value in setting.items()},
        "backbone": plain_end(option.backbone),
        "image_size": option.size,
        "augmented_copies": option.augmented_copies,
    }
    known = isfinite(option.log_loss)
    return PublishedRow(
        key=f"option-{digest([what, option.study])[:12]}",
        number=place,
        name=option.words,
        state="done" if known else "failed",
        parameters=what,
        metrics=_finite({
            "rank": place, "accuracy": option.accuracy, "log_loss": option.log_loss,
            "folds_that_choose_it": option.folds,
            **({} if option.score is None else {metric: option.score}),
        }),
    )  # fmt: skip


def _expected(scores: Mapping[str, Estimate]) -> Iterator[tuple[str, float]]:
    for name, each in scores.items():
        for part, value in (("", each.value), ("_low", each.low), ("_high", each.high)):
            if value is not None:
                yield f"expected_{name}{part}", value


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isfinite(value)}
