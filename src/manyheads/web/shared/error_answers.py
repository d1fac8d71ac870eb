"""What an application answers where something is wrong: `{"error": "expected …, found …; do"}`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from manyheads.errors import ManyheadsError

_WORDS = {
    404: "expected an address of this server, found another; see /openapi.json",
    405: "expected a method that this address takes, found another; see /openapi.json",
}


def add_error_answers(app: FastAPI) -> None:
    """Answer errors as JSON of one form.

    A `ManyheadsError` is 400, or the `status` that it has as an attribute; a wrong parameter is
    400; any other exception is 500 without a word of it.
    """

    def known(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ManyheadsError)
        return error_answer(getattr(error, "status", 400), str(error))

    def wrong(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return error_answer(400, _in_words(error.errors()))

    def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        words = str(error.detail)
        if words in ("Not Found", "Method Not Allowed"):
            words = _WORDS[error.status_code]
        return error_answer(error.status_code, words, error.headers)

    def unexpected(_: Request, error: Exception) -> JSONResponse:
        del error  # it is raised again behind this answer, and the guard logs it
        return error_answer(500, "internal error")

    app.add_exception_handler(ManyheadsError, known)
    app.add_exception_handler(RequestValidationError, wrong)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)


def error_answer(status: int, words: str, headers: Any = None) -> JSONResponse:
    """An answer that says in one line what is wrong."""
    return JSONResponse({"error": " ".join(words.split())}, status, headers=headers)


def _in_words(problems: Any) -> str:
    first = problems[0] if problems else {}
    place = [str(part) for part in first.get("loc", ())][-1:] or ["the request"]
    return (
        f"expected {place[0]} as /openapi.json describes it, found another "
        f"({first.get('msg', 'invalid')}); correct it"
    )
