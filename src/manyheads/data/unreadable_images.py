"""How many images may be left out because they cannot be read."""

from __future__ import annotations

from collections.abc import Mapping

from manyheads.core.settings import number
from manyheads.core.text import counted
from manyheads.errors import DataError


def share_of(name: str, value: float | str | None) -> float | None:
    """A share such as 0.01 or `1%`, in [0, 1]; None stays None. Raises `SettingError`."""
    if value is None:
        return None
    text = str(value).strip()
    if not text.endswith("%"):
        return number(name, value, 0, 1)
    return number(name, text.removesuffix("%").rstrip(), 0, 100) / 100


def require_readable(
    reasons: Mapping[str, str],
    images: int,
    *,
    strict: bool = False,
    most: float | str | None = None,
) -> None:
    """Raise `DataError` if more of so many `images` are unreadable than may be.

    `reasons` say by name why they are. `strict` allows none, `most` a share of them, and without
    both any number is left out.
    """
    allowed = 0.0 if strict else share_of("max_unreadable", most)
    if not reasons or allowed is None or len(reasons) <= allowed * images:
        return
    name, reason = next(iter(reasons.items()))
    more = f" and {len(reasons) - 1:,} more" if len(reasons) > 1 else ""
    expected = "every image to be readable"
    if allowed:
        expected = f"at most {100 * allowed:.3g} % of {counted(images, 'image')} to be unreadable"
    remedy = (
        f"mend or remove them, or {'leave out `strict`' if strict else 'raise `max_unreadable`'}"
    )
    raise DataError(expected, f"{name}: {reason}{more}", remedy)
