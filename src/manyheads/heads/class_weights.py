"""Weights of classes: how much each sample's loss counts, by its label."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.core.settings import number
from manyheads.errors import SettingError

NO_WEIGHTS, BALANCED = "none", "balanced"
MOST = 1e6
_LONGEST = 24  # characters of given weights that a table shows in full


def check_class_weight(name: str, value: Any) -> str:
    """`value` as settings keep it: `none`, `balanced`, or weights by class as JSON, sorted.

    Weights by class are a mapping, or JSON of one: `{"hat": 2, "shirt": 0.5}`. Raises
    `SettingError` for anything else, and for a weight that is not above 0 and at most a million.
    """
    if value is None:
        return NO_WEIGHTS
    if isinstance(value, str):
        if value in (NO_WEIGHTS, BALANCED):
            return value
        value = _mapping_in(name, value)
    if not isinstance(value, Mapping) or not value:
        raise _refused(name, repr(value))
    weights: dict[str, float] = {}
    for key, given in value.items():
        if str(key) in weights:
            raise SettingError(f"each class once in {name}", f"{key!s} twice", "leave one out")
        weights[str(key)] = number(f"the weight of class {key}", given, 0, MOST, open_low=True)
    plain = {key: int(each) if each.is_integer() else each for key, each in weights.items()}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def _mapping_in(name: str, text: str) -> Any:
    if not text.lstrip().startswith("{"):
        raise _refused(name, repr(text))
    try:
        return json.loads(text, object_pairs_hook=_once_each)
    except ValueError as error:
        raise _refused(name, f"{text!r} ({error})") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a class twice")
    return found


def _refused(name: str, found: str) -> SettingError:
    return SettingError(
        f"`{name}` to be none, balanced, or weights by class", found,
        'choose none or balanced, name a file with a line class,weight for each class, or write '
        '{"class": 2}',
    )  # fmt: skip


def given_weights(value: str) -> dict[str, float] | None:
    """The weights that a `class_weight`, as settings keep it, has by class; None of a rule."""
    return json.loads(value) if value.startswith("{") else None


def weight_words(value: str) -> str:
    """A `class_weight` for tables: `balanced`, `hat=2+shirt=0.5`, or `10-weights#3f2a1c`.

    The last is of many classes: their number, and digits of the weights' digest.
    """
    weights = given_weights(value)
    if weights is None:
        return value
    words = "+".join(f"{name}={weight:g}" for name, weight in weights.items())
    if len(words) <= _LONGEST and not set(words) & set(" ,"):
        return words
    digest = hashlib.sha256(value.encode()).hexdigest()
    return f"{len(weights)}-weights#{digest[:6]}"


def require_known_classes(values: Sequence[str], classes: Sequence[str]) -> None:
    """Raise `SettingError` where one of the `class_weight` `values` names no class of the data.

    A class without a weight has the weight 1, as in Keras.
    """
    from difflib import get_close_matches

    for value in values:
        for name in given_weights(value) or ():
            if name not in classes:
                near = get_close_matches(name, classes, 1)
                remedy = f"did you mean {near[0]}?" if near else f"classes are {_some(classes)}"
                raise SettingError("`class_weight` of classes of the data", repr(name), remedy)


def _some(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - 5:,} more" if len(classes) > 5 else ""
    return ", ".join(classes[:5]) + more
