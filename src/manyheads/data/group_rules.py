"""How groups of images are derived, as a text: the setting `group_by`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from manyheads.errors import SettingError

PARENT = "parent"
EXIF = "EXIF:"

GROUP_RULES = {
    PARENT: "the folder that holds the image, by its name; not a folder that is named as the "
    "image's class",
    "REGEX": "what the parentheses of a regular expression match in the image's path below the "
    "data, written with /; of several, what they match joined by /",
    f"{EXIF}TAG": "what the camera recorded under this tag, such as Model, BodySerialNumber, "
    "Artist or DateTimeOriginal",
    "COLUMN": "this column of the table; for a folder, of the table that lies in it, with the "
    "column path or file_name",
}
"""What `group_by` may be, and what the group of an image is then: for documents."""

_WORDS = f"{PARENT}, a regular expression with parentheses, {EXIF}TAG or a column"


@dataclass(frozen=True)
class GroupRule:
    """A rule that was read: what it goes by, and the tag, the column or the expression."""

    kind: Literal["parent", "exif", "column", "regex"]
    text: str

    @property
    def setting(self) -> str:
        """The rule as it is written as `group_by`."""
        return f"{EXIF}{self.text}" if self.kind == "exif" else self.text


def group_rule(given: object) -> GroupRule:
    """The rule that a text such as `parent`, `(p\\d+)_`, `EXIF:Model` or `sender` means.

    Parentheses make it a regular expression. Raises `SettingError` for an expression that cannot be
    compiled or names no group, for a tag that EXIF does not have, and for an empty text.
    """
    text = str(given).strip()
    if not text:
        raise SettingError(f"`group_by` to be {_WORDS}", repr(given), "give one, or leave it out")
    if text.casefold() == PARENT:
        return GroupRule("parent", PARENT)
    if text[: len(EXIF)].upper() == EXIF:
        return GroupRule("exif", _tag(text[len(EXIF) :].strip()))
    if "(" in text or ")" in text:
        return GroupRule("regex", _pattern(text))
    return GroupRule("column", text)


def exif_tags() -> dict[str, int]:
    """The names of the tags that an image and its camera may have, with their numbers."""
    from PIL.ExifTags import Base

    return {tag.name: int(tag.value) for tag in Base}


def _tag(name: str) -> str:
    known = {tag.casefold(): tag for tag in exif_tags()}
    if name.casefold() in known:
        return known[name.casefold()]
    near = get_close_matches(name.casefold(), known, n=1)
    raise SettingError(
        f"the name of an EXIF tag behind {EXIF}", repr(name),
        f"did you mean {EXIF}{known[near[0]]}?" if near else f"give one, such as {EXIF}Model",
    )  # fmt: skip


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    # Very long or deep expressions fail in other ways than wrong ones.
    except (re.error, RecursionError, OverflowError) as error:
        raise SettingError(
            "a regular expression as `group_by`", f"{text!r} ({error})",
            "correct it; a bracket that is meant as such is written \\( or \\)",
        ) from error  # fmt: skip
    if not groups:
        raise SettingError(
            "parentheses around what names the group in `group_by`", repr(text),
            f"put some around it, such as ({text})" if "(" not in text else "write (…), not (?:…)",
        )  # fmt: skip
    return text
