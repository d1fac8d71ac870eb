"""The Open Inference Protocol, version 2: models as other servers of models offer theirs."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from manyheads import __version__
from manyheads.core.text import counted, joined
from manyheads.models.card import ModelCard
from manyheads.models.prediction import Prediction
from manyheads.web.service.answering import predicted
from manyheads.web.service.served_models import ServedModel, ServedModels
from manyheads.web.service.service_metrics import ServiceMetrics
from manyheads.web.service.uploads import BodyError, Upload

_HEADER = "inference-header-content-length"
_INPUT = "image"
_OUTPUTS = {"probabilities": "FP32", "label": "BYTES"}
_OF_SEVERAL = {**_OUTPUTS, "labels": "BOOL"}  # whether each label is said
_REMEDY = "send what GET /v2/models/NAME describes"


def add_inference_protocol(
    app: FastAPI, models: ServedModels, metrics: ServiceMetrics, most: int, seconds: float
) -> None:
    """Add the protocol's addresses; a request has at most `most` images and so many `seconds`."""

    def known(name: str) -> ServedModel:
        if name not in models:
            raise HTTPException(404, f"expected {' or '.join(models)}, found another model")
        return models[name]

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        """The server's name, version and extensions."""
        extensions = ["binary_tensor_data"]
        return {"name": "manyheads", "version": __version__, "extensions": extensions}

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """Whether the server answers at all."""
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready() -> Response:
        """Whether all models answer."""
        return JSONResponse({"ready": models.are_ready}, 200 if models.are_ready else 503)

    @app.get("/v2/models/{name}")
    async def about(name: str) -> dict[str, Any]:
        """A model's inputs and outputs; its classes are in the order of the probabilities."""
        card = known(name).edition.classifier.card
        classes = list(card.classes)
        thresholds = {} if card.thresholds is None else {"thresholds": list(card.thresholds)}
        return {
            "name": name,
            "versions": ["1"],
            "platform": "manyheads",
            "inputs": [{"name": _INPUT, "datatype": "BYTES", "shape": [-1]}],
            "outputs": [
                {"name": output, "datatype": kind, "shape": [-1, *_of_image(output, card)]}
                for output, kind in _outputs_of(card).items()
            ],
            "parameters": {"classes": classes, **thresholds},
        }

    @app.get("/v2/models/{name}/ready")
    async def model_ready(name: str) -> Response:
        """Whether a model answers."""
        is_ready = known(name).is_ready
        return JSONResponse({"name": name, "ready": is_ready}, 200 if is_ready else 503)

    @app.post("/v2/models/{name}/infer")
    async def infer(name: str, request: Request) -> Response:
        """Classify images: `image`, BYTES, in base64 or as binary data behind the JSON."""
        model, body = known(name), await request.body()
        length = request.headers.get(_HEADER)
        outputs = _outputs_of(model.edition.classifier.card)
        asked = await asyncio.to_thread(_InferRequest, body, length, most, outputs)
        del body
        edition, found = await predicted(model, asked.images, seconds)
        unreadable = [each for each in found if each.error is not None]
        metrics.images(name, len(found) - len(unreadable), len(unreadable))
        if unreadable:
            first = unreadable[0]
            raise _wrong(f"images that can be read, found {first.image}: {first.error}")
        return asked.answer(name, edition.classifier.card, found)


class _InferRequest:
    """A request of the protocol to a model of these `outputs`; raises `BodyError`."""

    def __init__(
        self, body: bytes, length: str | None, most: int, outputs: Mapping[str, str]
    ) -> None:
        end = len(body)
        if length is not None:
            if not re.fullmatch(r"[0-9]{1,12}", length) or int(length) > len(body):
                raise _wrong("a length of the JSON within the body, found another")
            end = int(length)
        document = _json(body[:end])
        inputs = document.get("inputs")
        if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
            raise _wrong("one input, found another number")
        (tensor,) = inputs
        if tensor.get("datatype") != "BYTES" or tensor.get("name") != _INPUT:
            raise _wrong("the input image of the datatype BYTES, found another")
        size = _parameters(tensor).get("binary_data_size")
        data = _elements(body[end:], size) if size is not None else _decoded(tensor.get("data"))
        shape = tensor.get("shape")
        if shape not in ([len(data)], [len(data), 1]) or not data:
            raise _wrong("a shape that is the number of images, found another")
        if len(data) > most:
            raise BodyError(
                413, f"at most {counted(most, 'image')} in a request", f"{len(data)}", "send fewer"
            )
        self.images = [Upload(f"image-{place}", each) for place, each in enumerate(data, 1)]
        self._id = document.get("id")
        self._names, self._binary = _outputs(document, outputs)

    def answer(self, name: str, card: ModelCard, found: Sequence[Prediction]) -> Response:
        """The answer, with the outputs that were asked for."""
        values = {
            "probabilities": np.array(
                [[each.probabilities[c] for c in card.classes] for each in found], "<f4"
            ),
            "label": [str(each.label) for each in found],
            "labels": np.array(
                [[c in (each.labels or ()) for c in card.classes] for each in found]
            ),
        }
        outputs, behind = [], b""
        for output in self._names:
            value = values[output]
            entry: dict[str, Any] = {
                "name": output, "datatype": _OF_SEVERAL[output],
                "shape": [len(found), *_of_image(output, card)],
            }  # fmt: skip
            if output in self._binary:
                raw = value.tobytes() if isinstance(value, np.ndarray) else _packed(value)
                entry["parameters"] = {"binary_data_size": len(raw)}
                behind += raw
            else:
                entry["data"] = value.ravel().tolist() if isinstance(value, np.ndarray) else value
            outputs.append(entry)
        document: dict[str, Any] = {"model_name": name, "model_version": "1", "outputs": outputs}
        if isinstance(self._id, str):
            document["id"] = self._id
        text = json.dumps(document).encode()
        if not self._binary:
            return Response(text, media_type="application/json")
        headers = {"Inference-Header-Content-Length": str(len(text))}
        return Response(text + behind, media_type="application/octet-stream", headers=headers)


def _outputs_of(card: ModelCard) -> Mapping[str, str]:
    """The outputs of a model, with their data types."""
    return _OF_SEVERAL if card.several_labels else _OUTPUTS


def _of_image(output: str, card: ModelCard) -> list[int]:
    """The shape of an output for one image."""
    return [] if output == "label" else [len(card.classes)]


def _packed(texts: Sequence[str]) -> bytes:
    """Texts as binary data, each behind its length in four bytes."""
    encoded = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(each)) + each for each in encoded)


def _outputs(
    document: dict[str, Any], known: Mapping[str, str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The outputs that are asked for, all if none is named, and which of them in binary form."""
    usual = _parameters(document).get("binary_data_output") is True
    asked = document.get("outputs")
    if not asked:
        return tuple(known), frozenset(known if usual else ())
    entries = asked if isinstance(asked, list) else []
    # A name may be anything that JSON has, a list too.
    named = [e for e in entries if isinstance(e, dict) and e.get("name") in tuple(known)]
    if not named or len(named) < len(entries) or len(named) > len(known):
        raise _wrong(f"the outputs {joined(tuple(known))}, found others")
    names = [str(each["name"]) for each in named]
    binary = {each["name"] for each in named if _parameters(each).get("binary_data", usual) is True}
    return tuple(names), frozenset(binary)


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    found = document.get("parameters")
    return found if isinstance(found, dict) else {}


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _wrong("a JSON document, found something else") from None
    if not isinstance(found, dict):
        raise _wrong("a JSON object, found something else")
    return found


def _no_number(text: str) -> float:
    raise ValueError(text)


def _decoded(data: Any) -> list[bytes]:
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise _wrong("data that is a list of texts in base64, found something else")
    try:
        return [base64.b64decode(each, validate=True) for each in data]
    except (binascii.Error, ValueError):
        raise _wrong("images in base64, found something else") from None


def _elements(behind: bytes, size: Any) -> list[bytes]:
    """Elements of binary data, each behind its length in four bytes."""
    found, at = [], 0
    while at + 4 <= len(behind):
        (length,) = struct.unpack_from("<I", behind, at)
        found.append(behind[at + 4 : at + 4 + length])
        at += 4 + length
    if size != len(behind) or at != len(behind):
        raise _wrong("binary data of the length that is told, found another")
    return found


def _wrong(expected_and_found: str) -> BodyError:
    expected, _, found = expected_and_found.partition(", found ")
    return BodyError(400, expected, found or "another", _REMEDY)
