"""Text: the one place that knows singular and plural, sizes of files, and words of a command."""

from __future__ import annotations

from collections.abc import Callable


def counted(number: int, noun: str, ending: str | None = None) -> str:
    """A number of things, such as `1 head`, `2,000 heads` or `3 classes`.

    `ending` is what the plural adds; None: "es" after s, x and sh, "ies" for a y after a
    consonant, else "s".
    """
    if number == 1:
        return f"1 {noun}"
    if ending is None and noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    if ending is None:
        ending = "es" if noun.endswith(("s", "x", "sh")) else "s"
    return f"{number:,} {noun}{ending}"


def option(name: str, *values: object) -> list[str]:
    """A setting as the words of a command, for one that is there to be copied."""
    return [f"--{name.replace('_', '-')}", *map(str, values)]


def size_words(size: float, whole: Callable[[float], int] = round) -> str:
    """Bytes as 84.8 MB or 12.3 kB; `whole` makes whole tenths of them, such as `math.ceil`."""
    unit, name = (1e6, "MB") if size >= 1e5 else (1e3, "kB")
    return f"{whole(10 * size / unit) / 10:,.1f} {name}"
