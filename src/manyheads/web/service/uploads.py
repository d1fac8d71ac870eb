"""Bodies of requests → files of images, in memory, with names that can do no harm."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image
from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from manyheads.errors import ImageError, ManyheadsError

FIELD = "image"
MOST_PIXELS = 89_478_485
"""Pixels of an image that a server decodes, at most; what Pillow takes without a warning."""
MOST_SIDE = 65_535
"""Pixels of its longer side, at most: Pillow takes bytes for each row beside its pixels."""
_NAME = 120  # letters
_PARTS = 2000  # of which those without a file are passed over
_HEADERS = 8  # of a part
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_ALLOWED = re.compile(r"image/[\w.+-]+|application/octet-stream|binary/octet-stream")


class Upload(NamedTuple):
    """The bytes of a file, and its name or `image-1`, `image-2`, …"""

    name: str
    data: bytes


class BodyError(ManyheadsError):
    """A body without an image, or of another kind; `status` is what it is answered with."""

    def __init__(self, status: int, expected: str, found: str, remedy: str) -> None:
        super().__init__(expected, found, remedy)
        self.status = status


def uploads(body: bytes, content_type: str, most: int) -> list[Upload]:
    """The images of a body: multipart, the field `image` repeated, or one image as it is.

    Raises `BodyError` for another type, for none, or for more than `most` images.
    """
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        found = _multipart(body, options.get(b"boundary", b""), most)
    elif kind and not _ALLOWED.fullmatch(kind.decode("latin-1")):
        raise BodyError(
            415, "multipart/form-data, image/* or application/octet-stream", "another Content-Type",
            "send the bytes of an image, or a form with the field image",
        )  # fmt: skip
    else:
        found = [Upload("image-1", body)] if body else []
    if not found:
        raise BodyError(
            400,
            "one image or more",
            "none",
            "send the bytes of an image, or the form's field image",
        )
    return found


def check_size(data: bytes) -> None:
    """Raise `ImageError` for an image of more pixels than a server decodes, before decoding it."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        width, height = MOST_PIXELS, 2
    except Exception:  # whoever decodes it says what it is
        return
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        limit = f"{MOST_PIXELS:,} pixels, or {MOST_SIDE:,} on a side"
        raise ImageError(f"at most {limit}", f"more than {limit}", "send a smaller image")


def harmless_name(given: str, place: int) -> str:
    """The last part of a file's name, without control characters; `image-1` if nothing is left."""
    last = re.split(r"[/\\]", given)[-1]
    text = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    text = text.strip()[-_NAME:]
    return text if text.strip(".") else f"image-{place}"


class _Parts:
    """What the parser tells of a form, part by part."""

    def __init__(self, most: int) -> None:
        self.found: list[Upload] = []
        self.whole = False
        self._most, self._count = most, 0
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value, self._data = b"", b"", []

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin, "on_part_data": self._part, "on_part_end": self._end,
            "on_header_field": self._name_of, "on_header_value": self._value_of,
            "on_header_end": self._header, "on_end": self._all,
        }  # fmt: skip

    def _begin(self) -> None:
        self._count += 1
        if self._count > _PARTS:
            raise BodyError(413, f"at most {_PARTS} parts", "more", "send fewer at a time")
        self._headers, self._data = {}, []

    def _name_of(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _value_of(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _part(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if options.get(b"name", b"").decode("latin-1") not in (FIELD, f"{FIELD}s", f"{FIELD}[]"):
            return
        data, name = b"".join(self._data), options.get(b"filename", b"")
        if not data and not name:
            return  # a form in which no file was chosen
        if len(self.found) == self._most:
            raise BodyError(
                413, f"at most {self._most} images in a request", "more", "send fewer at a time"
            )
        text = name.decode("utf-8", "replace")
        self.found.append(Upload(harmless_name(text, len(self.found) + 1), data))

    def _all(self) -> None:
        self.whole = True


def _multipart(body: bytes, boundary: bytes, most: int) -> list[Upload]:
    parts = _Parts(most)
    try:
        parser = MultipartParser(
            boundary, parts.callbacks(), max_header_count=_HEADERS,  # pyright: ignore
        )  # fmt: skip
        for piece in _pieces(body):
            parser.write(piece)
        parser.finalize()
    except (MultipartParseError, FormParserError) as error:
        raise _damaged() from error
    if not parts.whole:
        raise _damaged()
    return parts.found


def _pieces(body: bytes) -> Iterator[bytes]:
    size = 1 << 20
    return (body[start : start + size] for start in range(0, len(body), size))


def _damaged() -> BodyError:
    return BodyError(
        400, "a whole form, multipart/form-data", "a damaged one", "send it as browsers and curl do"
    )
