"""Where a model looked, as pictures that an answer can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from manyheads.errors import ImageError
from manyheads.models.classifier import ImageClassifier
from manyheads.models.explain.explainer import Explainer
from manyheads.models.explain.explanation import Explanation
from manyheads.web.service.batching import ClosedError, QueueFullError

_SIDE = 512  # pixels, of the longer side
_QUALITY = 85
_MOST = 64  # images that wait


class MapDrawing:
    """Explains a model's answers, one image at a time, in a thread of its own."""

    def __init__(self, classifier: ImageClassifier) -> None:
        # Its own, as the classifier's explains only one class of an image in a pass.
        self._explainer = Explainer(classifier)
        self._classifier = classifier  # an explainer alone does not keep it
        self._thread = ThreadPoolExecutor(1, "maps")
        self._asked: set[Future[list[dict[str, Any]]]] = set()

    def submit(self, image: bytes, labels: Sequence[str] = ()) -> Future[list[dict[str, Any]]]:
        """What `explanation` of an answer holds, to come; of the server's loop alone.

        There is one for each of `labels`; without any it is of the model's most probable class.
        `map` is the overlay as a data address, `class` the class that it is of, and `words` one
        sentence on it. Raises `ImageError`, and `BackboneError` for a model without a feature map.
        At once it raises `QueueFullError`, and `ClosedError`.
        """
        self._asked = {each for each in self._asked if not each.done()}
        if len(self._asked) >= _MOST:
            raise QueueFullError
        try:
            asked = self._thread.submit(self._explained, image, tuple(labels))
        except RuntimeError as error:  # it is shut down
            raise ClosedError from error
        self._asked.add(asked)
        return asked

    def close(self) -> None:
        """Finish what has begun."""
        self._thread.shutdown(wait=True)

    def _explained(self, image: bytes, labels: tuple[str, ...]) -> list[dict[str, Any]]:
        found = self._explainer.explain_labels(image, labels)
        if found[0].error is not None:
            raise ImageError("an image that can be read", found[0].error, "send another")
        return [_drawn(each) for each in found]


def _drawn(found: Explanation) -> dict[str, Any]:
    content = io.BytesIO()
    found.overlay(side=_SIDE).save(content, "JPEG", quality=_QUALITY)
    address = base64.b64encode(content.getvalue()).decode()
    return {
        "map": f"data:image/jpeg;base64,{address}", "class": found.target, "words": found.words
    }  # fmt: skip
