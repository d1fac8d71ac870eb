"""Where the model of a run looked in an image, computed when a page asks for it."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any

from manyheads.core.places import system_problem
from manyheads.errors import ModelError
from manyheads.models.classifier import Classifier, load
from manyheads.study.folder import RunFolder
from manyheads.web.studio.pictures import as_jpeg

_SIDE = 320  # pixels


class ModelLooks:
    """Explains images by the models of runs; the model that was used last stays open.

    One image at a time, whichever thread asks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: tuple[tuple[object, ...], Classifier] | None = None

    def explanation(self, path: Path, image: Path) -> dict[str, Any]:
        """The image and the map over it as JPEGs in data addresses, and what counts in words.

        The map is of the class that the model of the run in `path` answers with. Raises what
        `classifier.load` and `explain` raise, and `ModelError` for an image that cannot be read.
        """
        with self._lock:
            (found,) = self._model(path).explain([image])
        if found.error is not None:
            raise ModelError("an image to explain", found.error, "choose another image")
        return {
            "label": found.label,
            "confidence": found.confidence,
            "words": found.words,
            "picture": _address(as_jpeg(found.picture(_SIDE))),
            "overlay": _address(as_jpeg(found.overlay(side=_SIDE))),
        }

    def _model(self, path: Path) -> Classifier:
        file = RunFolder(path).best
        try:
            known = file.stat()
        except FileNotFoundError as error:
            raise ModelError(
                f"the model of the run {path.name}", "none", "finish the run first"
            ) from error
        except OSError as error:
            raise system_problem(error) from error
        key = file, known.st_ino, known.st_size, known.st_mtime_ns
        if self._opened is None or self._opened[0] != key:
            self._opened = key, load(file)
        return self._opened[1]


def _address(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
