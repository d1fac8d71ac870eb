"""The application of `manyheads serve`: models over HTTP, and their page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from manyheads import __version__
from manyheads.errors import ManyheadsError
from manyheads.web.service.answering import (
    BusyError,
    Question,
    answer_text,
    explanations,
    predicted,
    unknown_rule,
)
from manyheads.web.service.inference_protocol import add_inference_protocol
from manyheads.web.service.model_facts import ModelFacts
from manyheads.web.service.openapi_examples import PREDICT, RELOAD
from manyheads.web.service.served_models import ServedModel, ServedModels
from manyheads.web.service.service_metrics import ServiceMetrics
from manyheads.web.service.uploads import uploads
from manyheads.web.shared.error_answers import add_error_answers, error_answer
from manyheads.web.shared.static_pages import add_page, add_static

log = logging.getLogger("manyheads.web")

OPEN_PATHS = ("/healthz", "/v2/health/live", "/v2/health/ready")
"""What is answered without a token: whether the server is well, and nothing else."""
_EXPLAINED = 16  # images of a request, at most
_MAP_SECONDS = 120.0  # the first map of a model takes long: its network is built in parts
_INLINE = 1 << 18  # bytes of a body that is taken apart in the server's loop

Top = Annotated[int | None, Query(ge=1, le=1_000_000, description="so many classes of each image")]
Least = Annotated[
    float, Query(ge=0, le=1, description="withhold an answer that is less probable than this")
]
Unknown = Annotated[
    float | None,
    Query(
        gt=0, le=0.5,
        description="call images unknown that are unlike the training images, and so many of the "
        "images of the model's own classes, such as 0.05",
    ),
]  # fmt: skip
Explain = Annotated[bool, Query(description="also where the model looked, as a picture")]


@dataclass(frozen=True, kw_only=True)
class RequestLimits:
    """Images of one request, at most, and seconds until it is given up."""

    images: int = 256
    seconds: float = 30.0


def service_app(
    models: ServedModels, metrics: ServiceMetrics, limits: RequestLimits | None = None
) -> FastAPI:
    """The application for `models`, to be put behind `guarded`."""
    limits = limits or RequestLimits()

    @asynccontextmanager
    async def whole_life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(models.close)

    app = FastAPI(
        title="manyheads", version=__version__, docs_url=None, redoc_url=None,
        redirect_slashes=False,
        description="Classify images with models of manyheads. Answers are those of `manyheads "
        "predict`, bit for bit.", lifespan=whole_life,
    )  # fmt: skip
    add_error_answers(app)
    app.add_exception_handler(BusyError, _busy)
    _add_pages(app, models)
    _add_health(app, metrics)
    _add_predictions(app, models, metrics, limits)
    add_inference_protocol(app, models, metrics, limits.images, limits.seconds)
    return app


def answerer(
    limits: RequestLimits, count: Callable[[str, int, int], object]
) -> Callable[[ServedModel, Request, Question], Awaitable[Response]]:
    """What answers a request for a model; `count` hears its name, images read and not read."""

    async def answered(model: ServedModel, request: Request, question: Question) -> Response:
        body, kind = await request.body(), request.headers.get("content-type", "")
        if len(body) > _INLINE:
            sent = await asyncio.to_thread(uploads, body, kind, limits.images)
        else:
            sent = uploads(body, kind, limits.images)
        del body
        if question.explain and len(sent) > _EXPLAINED:
            return error_answer(
                413, f"expected at most {_EXPLAINED} images to explain, found {len(sent)}; "
                "ask for fewer at a time",
            )  # fmt: skip
        unknown_rule(model.edition, question.unknown)  # before it takes a pass
        edition, found = await predicted(model, sent, limits.seconds)
        read = sum(each.error is None for each in found)
        count(model.name, read, len(found) - read)
        maps = None
        if question.explain:
            maps = await explanations(edition, sent, found, max(limits.seconds, _MAP_SECONDS))
        rule = unknown_rule(edition, question.unknown)
        text = answer_text(model.name, edition.classifier.card, question, found, maps, rule)
        return Response(text, 200 if read else 422, media_type="application/json")

    return answered


def _add_predictions(
    app: FastAPI, models: ServedModels, metrics: ServiceMetrics, limits: RequestLimits
) -> None:
    answered = answerer(limits, metrics.images)

    @app.post("/predict", **PREDICT)
    async def predict(
        request: Request,
        top: Top = None,
        min_confidence: Least = 0.0,
        unknown: Unknown = None,
        explain: Explain = False,
    ) -> Response:
        """Classify images with the first model."""
        question = Question(
            top=top, min_confidence=min_confidence, unknown=unknown, explain=explain
        )
        return await answered(models.first, request, question)

    @app.post("/models/{name}/predict", **PREDICT)
    async def predict_with(
        name: str,
        request: Request,
        top: Top = None,
        min_confidence: Least = 0.0,
        unknown: Unknown = None,
        explain: Explain = False,
    ) -> Response:
        """Classify images with a model."""
        question = Question(
            top=top, min_confidence=min_confidence, unknown=unknown, explain=explain
        )
        return await answered(model_named(models, name), request, question)

    @app.post("/models/{name}/reload", **RELOAD)
    async def reload(name: str) -> Response:
        """Open a model anew from its path; requests that it has are answered by the former."""
        model = model_named(models, name)
        try:
            await asyncio.to_thread(model.open)
        except ManyheadsError as error:
            log.error("%s stays as it was opened before: %s", model.name, error)
            return error_answer(
                409, f"expected a model that opens in place of {model.name}, found one that does "
                "not; see the server's log. The former one still answers",
            )  # fmt: skip
        return JSONResponse({"model": model.name, "reloaded": True})


def _add_pages(app: FastAPI, models: ServedModels) -> None:
    facts = ModelFacts(models)
    static = files("manyheads.web") / "service" / "static"
    add_page(app, "/", static / "index.html")
    add_static(app, "service", static)
    add_static(app, "shared", files("manyheads.web") / "shared" / "static")

    @app.get("/api/models", include_in_schema=False)
    async def about_models() -> Response:
        text = await asyncio.to_thread(facts.text)
        return Response(text, media_type="application/json")


def _add_health(app: FastAPI, metrics: ServiceMetrics) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the server answers at all."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response)
    async def told() -> Response:
        """Counts for Prometheus: requests, seconds, images, batches, the queue, refusals."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def model_named(models: ServedModels, name: str) -> ServedModel:
    """The model of that name; an answer of 404 for another."""
    if name not in models:
        raise HTTPException(404, f"expected {' or '.join(models)}, found another model; name one")
    return models[name]


def _busy(_: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)
    headers = {"Retry-After": str(error.wait)} if error.status == 503 else None
    return error_answer(error.status, str(error), headers)
