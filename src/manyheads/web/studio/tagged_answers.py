"""JSON answers that a page asks for again and again: a tag tells it that nothing has changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response


@dataclass(frozen=True)
class TaggedAnswer:
    """What a page gets, as JSON, and a tag that changes with it."""

    content: bytes
    tag: str

    @classmethod
    def of(cls, document: Any) -> TaggedAnswer:
        """The answer that holds `document`."""
        content = json.dumps(document, ensure_ascii=False).encode()
        return cls(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def response(self, request: Request) -> Response:
        """The answer to a `request`; 304 if the page has it already."""
        headers = {"ETag": self.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type="application/json", headers=headers)
