"""The models of a studio's runs, which answer as `manyheads serve` does once they are tried."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from manyheads.errors import ModelError
from manyheads.run.run_folders import last_change
from manyheads.study.folder import RunFolder

if TYPE_CHECKING:
    from manyheads.web.service.served_models import ServedModel

_OPEN = 2  # models that are kept open
_IMAGES = 256  # of one request, and in a model's queue
_SECONDS = 30.0  # for an answer


@dataclass
class _TriedModel:
    """An open model: of which file, what is told of it, and by which state of its run."""

    stamp: object
    model: ServedModel
    facts: str = ""
    changed: object = None


class TriedModels:
    """The models that were tried last; safe to use from several threads.

    What serves them is imported with the first of them: most studios are opened to look at runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: OrderedDict[Path, _TriedModel] = OrderedDict()

    def facts(self, name: str, path: Path) -> str:
        """What a page tells of the model of the run `name` in `path`: `{"models": [...]}`, JSON.

        Raises `ModelError` for a run without a model, and what opening one raises.
        """
        from manyheads.web.service.model_facts import ModelFacts
        from manyheads.web.service.served_models import ServedModels

        known, log = self._of(name, path), RunFolder(path).test_log
        # Its test images may have been opened since.
        changed = last_change(path), log.stat().st_mtime if log.is_file() else 0.0
        if known.changed != changed:
            known.facts = ModelFacts(ServedModels([known.model])).text()
            known.changed = changed
        return known.facts

    async def answer(self, name: str, path: Path, request: Request, **asked: Any) -> Response:
        """The answer to the images of a request, as a service gives it; raises as `facts` does.

        What is `asked` are fields of `answering.Question`.
        """
        from manyheads.web.service.answering import Question
        from manyheads.web.service.service_app import RequestLimits, answerer

        known = await run_in_threadpool(self._of, name, path)
        limits = RequestLimits(images=_IMAGES, seconds=_SECONDS)
        return await answerer(limits, lambda *_: None)(known.model, request, Question(**asked))

    def close(self) -> None:
        """Answer what is held, and close all."""
        with self._lock:
            known = list(self._models.values())
            self._models.clear()
        for each in known:
            each.model.close()

    def _of(self, name: str, path: Path) -> _TriedModel:
        from manyheads.web.service.served_models import ServedModel, ServingOptions

        file = RunFolder(path).best
        if not file.is_file():
            raise ModelError("a model in the run folder", "none", "finish the run first")
        state = file.stat()
        stamp = file, state.st_ino, state.st_size, state.st_mtime_ns
        former: list[_TriedModel] = []
        with self._lock:
            known = self._models.pop(path, None)
            if known is None or known.stamp != stamp:
                former += [] if known is None else [known]
                known = _TriedModel(stamp, ServedModel(name, path, ServingOptions(queue=_IMAGES)))
                known.model.open()
            self._models[path] = known
            while len(self._models) > _OPEN:
                former.append(self._models.popitem(last=False)[1])
        for each in former:  # what they hold is answered first
            each.model.close()
        return known
