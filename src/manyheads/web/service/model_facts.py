"""What the page tells of each model, found out once for each time that a model is opened."""

from __future__ import annotations

import json
import math
import threading
from typing import Any

from manyheads.web.service.served_models import ModelEdition, ServedModels

_RATE = 0.05


class ModelFacts:
    """The facts of all models; from several threads."""

    def __init__(self, models: ServedModels) -> None:
        self._models = models
        self._known: dict[str, tuple[ModelEdition, dict[str, Any]]] = {}
        self._one = threading.Lock()

    def text(self) -> str:
        """`{"models": [...]}` as JSON, in the order in which the models were given."""
        with self._one:
            return json.dumps({"models": [self._of(name) for name in self._models]})

    def _of(self, name: str) -> dict[str, Any]:
        edition = self._models[name].edition
        known = self._known.get(name)
        if known is None or known[0] is not edition:
            # Late: it imports what reads a study's findings, which no request but this one needs.
            from manyheads.web.service.about_model import about

            found = about(name, self._models[name].path, edition.classifier)
            known = edition, found | _of_unknown(edition)
            self._known[name] = known
        return known[1]


def _of_unknown(edition: ModelEdition) -> dict[str, Any]:
    """The rate of false alarms at which the page calls photographs unknown, if it can."""
    known = edition.unlikeness
    if known is None:
        return {}
    rate = max(_RATE, math.ceil(100 * known.least_rate) / 100)
    return {"unknown": {"rate": rate, "held_out": len(known.held_out)}} if rate <= 0.5 else {}
