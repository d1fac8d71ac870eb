"""Texts for a page, without what they may tell of the machine: where its folders lie."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from manyheads.core.places import cache_dir

_OTHER = re.compile(r"(?<![\w.~/:…-])/(?:[\w.@+~-]+/)+(?=[\w.@+~-])")


class PlaceWords:
    """Says paths as they are seen from a place: below it as they are named there.

    Of others only the last part is left.
    """

    def __init__(self, place: Path) -> None:
        self._place = place.name or "the place"
        self._known: list[tuple[str, str]] = []
        for folder in dict.fromkeys((place, place.resolve())):
            if str(folder) != folder.anchor:
                self._known.append((str(folder), self._place))
        with suppress(RuntimeError, OSError):
            self._known.append((str(cache_dir()), "CACHE"))
        self._known.sort(key=lambda pair: -len(pair[0]))

    def told(self, text: str) -> str:
        """`text` for a page."""
        for path, name in self._known:
            if name == self._place:
                text = text.replace(path + os.sep, "")
            text = re.sub(rf"{re.escape(path)}(?![\w-])", name, text)
        return _OTHER.sub("…/", text)

    def told_all(self, value: Any) -> Any:
        """The same for every text in lists and dictionaries."""
        if isinstance(value, str):
            return self.told(value)
        if isinstance(value, dict):
            return {key: self.told_all(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.told_all(each) for each in value]
        return value
