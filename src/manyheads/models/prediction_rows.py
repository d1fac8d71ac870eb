"""Predictions as rows: the columns of a table, and the documents of JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from manyheads.models.prediction import Prediction

_FIRST = ("image", "label", "confidence")
_UNCERTAINTY = ("low", "high", "others")
_UNKNOWN = ("unlike", "unknown")
_OWN = (*_FIRST, "abstained", *_UNKNOWN, *_UNCERTAINTY, "given", "error")


@dataclass(frozen=True, kw_only=True)
class RowForm:
    """What a row holds of a prediction, for a model of these classes.

    Probabilities of all classes, or of the `top` most probable. If the model was asked to,
    whether it abstained (`abstaining`), how unlike the training images the image is and if that
    makes it unknown (`unlike`), and what its subnetworks say (`uncertain`); and the label that the
    image was `given`, where a manifest gives one. Of a model of several labels, `label` is these
    joined, and documents list them as well.
    """

    classes: tuple[str, ...]
    top: int | None = None
    abstaining: bool = False
    unlike: bool = False
    uncertain: bool = False
    given: bool = False
    several: bool = False

    @property
    def columns(self) -> list[str]:
        """The names of the columns, all different."""
        optional = [
            *(["abstained"] if self.abstaining else []),
            *(_UNKNOWN if self.unlike else []),
            *(_UNCERTAINTY if self.uncertain else []),
            *(["given"] if self.given else []),
        ]
        return [*_FIRST, *self._of_classes, *optional, "error"]

    def cells(self, entry: Prediction, given: str | None = None) -> list[Any]:
        """The values of the columns; None where there is none."""
        found: list[Any] = [entry.image, entry.label, _number(entry.confidence)]
        if self.top is None:
            found += [entry.probabilities.get(name) for name in self.classes]
        else:
            ranked = [cell for pair in entry.most_probable(self.top) for cell in pair]
            found += ranked + [None] * (len(self._of_classes) - len(ranked))
        if self.abstaining:
            found.append(entry.abstained)
        if self.unlike:
            found += [entry.unlike, entry.unknown]
        if self.uncertain:
            sure = entry.uncertainty
            found += [None] * 3 if sure is None else [sure.low, sure.high, sure.others]
        return [*found, *([given] if self.given else []), entry.error]

    def document(self, entry: Prediction, given: str | None = None) -> dict[str, Any]:
        """The same as a plain structure, probabilities by class."""
        found: dict[str, Any] = {
            "image": entry.image,
            "label": entry.label,
            "confidence": _number(entry.confidence),
            "probabilities": entry.probabilities
            if self.top is None
            else dict(entry.most_probable(self.top)),
        }
        if self.several and entry.labels is not None:
            found["labels"] = list(entry.labels)
        if self.abstaining:
            found["abstained"] = entry.abstained
        if self.unlike and entry.unlike is not None:
            found |= {"unlike": entry.unlike, "unknown": entry.unknown}
        if self.uncertain and entry.uncertainty is not None:
            found["uncertainty"] = dict(vars(entry.uncertainty))
        if self.given:
            found["given"] = given
        if entry.error is not None:
            found["error"] = entry.error
        return found

    @property
    def _of_classes(self) -> list[str]:
        if self.top is not None:
            ranks = range(1, min(self.top, len(self.classes)) + 1)
            return [f"{what}_{rank}" for rank in ranks for what in ("class", "probability")]
        # A class may have the name of another column.
        own = _OWN if self.unlike else [name for name in _OWN if name not in _UNKNOWN]
        return [f"probability of {name}" if name in own else name for name in self.classes]


def json_text(document: Any, indent: int | None = None) -> str:
    """JSON of a document, readable where its text can be written as UTF-8."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent)
    # Names of files that are no text in the system's encoding come as lone surrogates.
    return text if _is_text(text) else json.dumps(document, allow_nan=False, indent=indent)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
