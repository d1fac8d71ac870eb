"""A request's images → its answers: within the queue and the time that there are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from manyheads.errors import ImageError, ManyheadsError, ModelError
from manyheads.models.card import ModelCard, unlike_path
from manyheads.models.prediction import Prediction
from manyheads.models.prediction_rows import RowForm, json_text
from manyheads.models.unknown_answers import UnknownRule
from manyheads.web.service.batching import ClosedError, QueueFullError
from manyheads.web.service.served_models import ModelEdition, ServedModel
from manyheads.web.service.uploads import Upload

_MAPS = 8  # of an image; those of more labels would take long


class BusyError(ManyheadsError):
    """No place, or no time: it is answered with `status`, and the advice to `wait` seconds."""

    wait = 1

    def __init__(self, status: int, expected: str, found: str, remedy: str) -> None:
        super().__init__(expected, found, remedy)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of the images: as the options of `manyheads predict`, and maps."""

    top: int | None = None
    min_confidence: float = 0.0
    unknown: float | None = None
    explain: bool = False


async def predicted(
    model: ServedModel, uploads: Sequence[Upload], seconds: float
) -> tuple[ModelEdition, list[Prediction]]:
    """The answers to images, named as they are, and the edition of the model that gives them.

    Raises `BusyError` where the queue is full, and after `seconds`; then what has not begun is
    dropped.
    """
    try:
        edition, asked = model.submit([each.data for each in uploads])
    except QueueFullError:
        raise BusyError(
            503, "a place for each image in the queue", "a full one", "repeat it in a moment"
        ) from None
    except ClosedError:
        raise BusyError(503, "a server that goes on", "one that ends", "repeat it later") from None
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.gather(*map(asyncio.wrap_future, asked), return_exceptions=True)
    except TimeoutError:
        for each in asked:
            each.cancel()
        raise BusyError(
            504, f"answers within {seconds:g} seconds", "more work than that",
            "send fewer images at a time, or repeat it when less is asked",
        ) from None  # fmt: skip
    pairs = zip(uploads, found, strict=True)
    return edition, [_named(upload.name, each) for upload, each in pairs]


async def explanations(
    edition: ModelEdition, uploads: Sequence[Upload], found: Sequence[Prediction], seconds: float
) -> list[list[dict[str, Any]] | None]:
    """Where the model looked in each image that could be read, by label; raises `BusyError`.

    Of one class per image there is one entry, of its answer. Where a model has no maps, `error`
    says why.
    """
    asked: list[Any] = []
    try:
        for upload, prediction in zip(uploads, found, strict=True):
            readable = prediction.error is None
            labels = _explained(prediction)
            asked.append(edition.maps.submit(upload.data, labels) if readable else None)
        async with asyncio.timeout(seconds):
            waiting = [asyncio.wrap_future(each) for each in asked if each is not None]
            drawn = iter(await asyncio.gather(*waiting, return_exceptions=True))
    except (QueueFullError, ClosedError, TimeoutError):
        for each in asked:
            if each is not None:
                each.cancel()
        raise BusyError(
            503, "time to draw maps of all images", "too many of them",
            "ask for fewer at a time, or repeat it in a moment",
        ) from None  # fmt: skip
    return [None if each is None else _drawn(next(drawn), edition) for each in asked]


def unknown_rule(edition: ModelEdition, rate: float | None) -> UnknownRule | None:
    """What the model calls unknown at a `rate` of false alarms; None for no rate.

    Raises `ModelError` for a model that knows nothing of held-out images, and `SettingError` for a
    rate that so few of them cannot hold.
    """
    if rate is None:
        return None
    path = edition.classifier.path
    if edition.unlikeness is None:
        raise ModelError(
            f"{unlike_path(path).name} beside {path.name}, for unknown images", "none",
            "repeat the command that wrote the model, and open it anew, or leave out `unknown`",
        )  # fmt: skip
    return UnknownRule(edition.unlikeness, rate, path)


def answer_text(
    name: str,
    card: ModelCard,
    question: Question,
    found: Sequence[Prediction],
    maps: Sequence[list[dict[str, Any]] | None] | None = None,
    rule: UnknownRule | None = None,
) -> str:
    """The answer to a request as JSON; a row is a JSON line of `manyheads predict`.

    A model of several labels has a list of `explanations` where another has an `explanation`.
    Where no image could be read, `error` says so.
    """
    form = RowForm(
        classes=card.classes, top=question.top, abstaining=question.min_confidence > 0,
        unlike=rule is not None, several=card.several_labels,
    )  # fmt: skip
    rows = []
    for place, each in enumerate(found):
        judged = _withheld(each, question.min_confidence)
        row = form.document(judged if rule is None else rule.applied(judged))
        drawn = None if maps is None else maps[place]
        if drawn:
            row |= {"explanations": drawn} if card.several_labels else {"explanation": drawn[0]}
        rows.append(json_text(row))
    whole = f'{{"model": {json.dumps(name)}, "predictions": [{", ".join(rows)}]'
    if not any(each.error is None for each in found):
        reason = f"{found[0].image}: {found[0].error}" if len(found) == 1 else "none"
        error = f"expected an image that can be read, found {reason}; check the files"
        whole += f', "error": {json_text(error)}'
    return whole + "}"


def _named(name: str, found: Prediction | BaseException) -> Prediction:
    if isinstance(found, ImageError):
        return Prediction(name, None, float("nan"), {}, found.found)
    if isinstance(found, BaseException):
        raise found
    return replace(found, image=name)


def _explained(found: Prediction) -> list[str]:
    """The labels that are explained: of several per image those that are said, the surest first."""
    ranked = found.most_probable(len(found.probabilities))
    return [name for name, _ in ranked if name in (found.labels or ())][:_MAPS]


def _withheld(found: Prediction, least: float) -> Prediction:
    """The answer, withheld if it is less sure than that."""
    if found.error is not None or not found.confidence < least:
        return found
    return replace(found, label=None, abstained=True, labels=None if found.labels is None else ())


def _drawn(
    found: list[dict[str, Any]] | BaseException, edition: ModelEdition
) -> list[dict[str, Any]]:
    if isinstance(found, ManyheadsError):
        return [{"error": without_path(str(found), edition)}]
    if isinstance(found, BaseException):
        raise found
    return found


def without_path(text: str, edition: ModelEdition) -> str:
    """A text in which the model is called by its file's name alone."""
    path = edition.classifier.path
    for place in (path, path.absolute(), path.resolve()):
        text = text.replace(str(place), path.name)
    return text
