"""What /openapi.json says of requests that the types of their parameters do not tell."""

from __future__ import annotations

from typing import Any

_ROW = {
    "image": "shirt.jpg",
    "label": "shirt",
    "confidence": 0.9041,
    "probabilities": {"shirt": 0.9041, "t-shirt": 0.0959},
}
_OF_SEVERAL = {
    "image": "shirt.jpg",
    "label": "collar;upper",
    "confidence": 0.8662,
    "probabilities": {"collar": 0.8932, "long": 0.1338, "upper": 0.9721},
    "labels": ["collar", "upper"],
}
_UNREADABLE = {
    "image": "notes.txt", "label": None, "confidence": None, "probabilities": {},
    "error": "no image",
}  # fmt: skip
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _errors(**examples: str) -> dict[int | str, dict[str, Any]]:
    return {
        int(status[1:]): {
            "description": text.partition(",")[0],
            "content": {"application/json": {"example": {"error": text}}},
        }
        for status, text in examples.items()
    }


PREDICT: dict[str, Any] = {
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "description": "One image as it is, or several in a form, the field `image` repeated.",
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["image"],
                        "properties": {
                            "image": {
                                "type": "array",
                                "items": {"type": "string", "format": "binary"},
                            }
                        },
                    }
                },
                "image/*": _BINARY,
                "application/octet-stream": _BINARY,
            },
        }
    },
    "responses": {
        200: {
            "description": "A row for each image, as `manyheads predict` prints JSON lines; one "
            "that cannot be read has an `error`.",
            "content": {
                "application/json": {
                    "examples": {
                        "one class per image": {
                            "value": {"model": "clothing", "predictions": [_ROW, _UNREADABLE]}
                        },
                        "several labels per image": {
                            "value": {"model": "garments", "predictions": [_OF_SEVERAL]}
                        },
                    }
                }
            },
        },
        **_errors(
            s400="expected one image or more, found none; send the bytes of an image",
            s413="expected a body of at most 67,108,864 bytes, found a larger one; send fewer",
            s415="expected multipart/form-data or image/*, found another Content-Type; send a form",
            s422="expected an image that can be read, found notes.txt: no image; check the files",
            s503="expected a place for each image in the queue, found a full one; repeat it",
            s504="expected answers within 30 seconds, found more work than that; send fewer images",
        ),
    },
}

RELOAD: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The model is open anew.",
            "content": {"application/json": {"example": {"model": "clothing", "reloaded": True}}},
        },
        **_errors(
            s404="expected clothing, found another model; name one",
            s409="expected a model that opens, found one that does not; see the server's log",
        ),
    }
}
