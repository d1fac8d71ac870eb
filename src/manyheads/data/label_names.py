"""Names of classes: which are one, which look like one, and in which order they stand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_WHOLE = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"([+-]?)0*(\d+?)(?:[.,]0*)?")
_SOME = 5


def composed(name: str) -> str:
    """The composed form of a name (NFC): what looks the same is the same."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def whole_numbers(names: Sequence[str]) -> bool:
    """Whether all names are whole numbers."""
    return bool(names) and all(_WHOLE.fullmatch(name) is not None for name in names)


def outputs_words(classes: Sequence[str]) -> str | None:
    """Which output is which class, where all are whole numbers and so may be taken for outputs.

    Such as "output 0 is class 0, 1 is 1, 2 is 10, 3 is 2"; None for names that are no numbers.
    """
    if not whole_numbers(classes):
        return None
    same = all(name == str(number) for number, name in enumerate(classes))
    if same:
        return f"output N is class N, from 0 to {len(classes) - 1}"
    # The first that differs may come late: ten outputs of 0 to 9 say nothing of 10 and 2.
    shown = [number for number, name in enumerate(classes) if name != str(number)]
    pairs = [f"output {number} is class {classes[number]}" for number in shown[:_SOME]]
    more = f" and {len(shown) - _SOME} more" if len(shown) > _SOME else ""
    why = "" if _is_numeric(classes) else "; names are sorted as text, 10 before 2"
    return f"{', '.join(pairs)}{more}{why}"


def strangers_words(
    labels: Iterable[str], classes: Sequence[str], of: str = "the model"
) -> str | None:
    """Why labels of another source are no classes `of` something, and what to do; None if all are.

    Looks for zeros that a spreadsheet dropped, numbers with a decimal point, other case, spaces,
    and numbers where the classes have names.
    """
    known = {composed(name) for name in classes}
    strangers = sorted({label for label in labels if composed(label) not in known})
    if not strangers:
        return None
    words = f"no class of {of}: {_listed(strangers)}; its classes: {_listed(classes)}"
    if (near := near_words(strangers, classes)) is not None:
        return f"{words}; {near}"
    if whole_numbers(strangers) and not whole_numbers(classes):
        return f"{words}; the labels are numbers: write the classes' names in their place"
    return words


def near_words(labels: Sequence[str], classes: Sequence[str]) -> str | None:
    """Which labels are classes written in another way, and in which; None if there are none."""
    for alike, reason in (
        (_as_number, "did a spreadsheet drop zeros, or make numbers of them?"),
        (_folded, "they differ in upper and lower case, spaces or signs between words"),
    ):
        near: dict[str, str] = {}
        for name in classes:
            near.setdefault(alike(name), name)
        pairs = [(label, near[alike(label)]) for label in labels if alike(label) in near]
        if pairs:
            shown = ", ".join(f"{a!r} for {b!r}" for a, b in pairs[:_SOME])
            return f"{reason} (write the labels as the classes are: not {shown})"
    return None


def alike_numbers(classes: Sequence[str]) -> list[tuple[str, ...]]:
    """Classes that are one number, written in several ways, such as 1, 01 and 1.0."""
    found: dict[str, list[str]] = {}
    for name in classes:
        if _NUMBER.fullmatch(name):
            found.setdefault(_as_number(name), []).append(name)
    return [tuple(names) for names in found.values() if len(names) > 1]


def _is_numeric(classes: Sequence[str]) -> bool:
    numbers = [int(name) for name in classes]
    return numbers == sorted(numbers)


def _as_number(name: str) -> str:
    """A whole number without the zeros that may be lost or added; another name as it is."""
    found = _NUMBER.fullmatch(name.strip())
    if found is None:
        return name
    return f"number {'-' * (found[1] == '-')}{int(found[2])}"


def _folded(name: str) -> str:
    """A name without case, white space, invisible signs and signs between words."""
    text = unicodedata.normalize("NFKC", name).casefold()
    kept = (letter for letter in text if unicodedata.category(letter) not in ("Cf", "Cc", "Zs"))
    return "".join(letter for letter in kept if letter not in " _-.")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SOME} more" if len(names) > _SOME else ""
    return ", ".join(map(repr, names[:_SOME])) + more
