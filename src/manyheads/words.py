"""Numbers of things in words: the one place that knows singular and plural."""

from __future__ import annotations


def counted(number: int, noun: str, ending: str | None = None) -> str:
    """A number of things, such as `1 head`, `2,000 heads` or `3 classes`.

    `ending` is what the plural adds; None: "es" after s, x and sh, else "s".
    """
    if number == 1:
        return f"1 {noun}"
    if ending is None:
        ending = "es" if noun.endswith(("s", "x", "sh")) else "s"
    return f"{number:,} {noun}{ending}"
