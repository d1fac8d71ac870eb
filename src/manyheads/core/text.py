"""Numbers and lists in words: the one notation of every screen, page and sentence.

Files for programs (CSV, JSON) hold plain numbers instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

NOTHING = "–"  # where there is no number


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


def clock(seconds: float) -> str:
    """Seconds as 0:07, 12:30 or 1:05:00."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number such as `0.846`, `−0.020` or `1,200`; None and NaN are a dash, infinity is `∞`."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    return minus(f"{value:,.{digits}f}")


def percent(share: float | None, digits: int = 1) -> str:
    """A share in [0, 1] in percent, such as `84.6 %`; None and NaN are a dash."""
    text = decimal(None if share is None else 100 * share, digits)
    return text if text == NOTHING else f"{text} %"


def interval(
    value: float,
    low: float | None,
    high: float | None,
    write: Callable[[float], str] = decimal,
) -> str:
    """A value with its interval: `0.846 [0.803, 0.881]`; without one, the value alone.

    One end that is None is not bounded: `41 [36, ∞]`.
    """
    if low is None and high is None:
        return write(value)
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return f"{write(value)} [{write(low)}, {write(high)}]"


def mean_std(mean: float, deviation: float | None, digits: int = 3) -> str:
    """A mean and its standard deviation: `0.846 ± 0.008`; of a single value that alone."""
    shown = decimal(mean, digits)
    return shown if deviation is None else f"{shown} ± {decimal(deviation, digits)}"


def p_value(p: float | None) -> str:
    """A p-value to three decimals; below that `<0.001`."""
    return "<0.001" if p is not None and p < 0.001 else decimal(p)


def minus(text: str) -> str:
    """`text` of numbers with the minus sign U+2212, and with none before a zero."""
    if text.startswith("-") and not text.strip("-0."):
        return text[1:]
    return text.replace("-", "−")


def joined(parts: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, or `a, b and c`."""
    return f" {word} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def capital(text: str) -> str:
    """`text` as the beginning of a sentence."""
    return text[:1].upper() + text[1:]
