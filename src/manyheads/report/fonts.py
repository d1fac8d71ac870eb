"""Words of any script in figures: a font of this machine that has the letters, or words that tell.

Matplotlib's own font lacks most of Asia's scripts and all emoji. Of the fonts that are installed
those are added that have what is lacking; nothing is downloaded. What no font has is written as
what it is, an emoji by its name and a letter by its number, so that two names stay two.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

LONGEST = 28  # letters of a name beside a plot
_MOST = 4  # further fonts in one figure
# Hebrew and Arabic are written from the right, and Indic letters change with their neighbours.
_SHAPED = ((0x0590, 0x08FF), (0x0900, 0x0DFF), (0x0E80, 0x109F), (0x1780, 0x17FF), (0xFB1D, 0xFEFC))
_BOXES = ("Last Resort", "LastResort")  # fonts of boxes for all letters there are
_JOINING = {0x200C, 0x200D, 0xFE0E, 0xFE0F}  # they have no shape of their own


@contextmanager
def fonts_for(texts: Iterable[str]) -> Iterator[None]:
    """Let figures that are made and saved inside have fonts with the letters of `texts`."""
    import matplotlib as mpl

    with mpl.rc_context():
        lacking = {letter for text in texts for letter in _lacking(text, _families())}
        mpl.rcParams["font.family"] = [*_families(), *_found(frozenset(lacking))]
        yield


def drawable(text: str) -> str:
    """`text` with what the fonts in use lack written out: `[cat face]`, `[U+732B]`."""
    return _written(text, set(_lacking(text, _families())))


def has_letters(text: str) -> bool:
    """Whether the fonts in use have all letters of `text`."""
    return not _lacking(text, _families())


def shortened(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Names of at most `longest` letters, cut in the middle; those that differ stay different."""
    cut = [_cut(name, longest) for name in names]
    same = Counter(cut)
    found: list[str] = []
    for place, (name, short) in enumerate(zip(names, cut, strict=True), 1):
        if name != short and (same[short] > 1 or short in found):
            short = _cut(name, longest - len(f" ({place})")) + f" ({place})"
        found.append(short)
    return found


def picture_font(text: str, size: int) -> tuple[FreeTypeFont, str]:
    """A font for one line in a picture, and the line as that font can draw it."""
    from matplotlib import font_manager
    from PIL import ImageFont, features

    own = _families()
    shapes = features.check("raqm")
    families = [*own, *_found(frozenset(_lacking(text, own)))]
    lacking = {family: _lacking(text, [family], shapes) for family in families}
    best = min(families, key=lambda family: len(lacking[family]))
    best = own[0] if len(lacking[best]) == len(lacking[own[0]]) else best
    file = font_manager.findfont(font_manager.FontProperties(family=[best]))
    return ImageFont.truetype(file, size), _written(text, set(lacking[best]))


def _families() -> list[str]:
    """The fonts in use, the first of each generic family that is named."""
    import matplotlib as mpl
    from matplotlib import font_manager

    named = mpl.rcParams["font.family"]
    generic = font_manager.font_family_aliases
    families = [name for name in named if name not in generic]
    first = font_manager.FontProperties(family=[name for name in named if name in generic] or None)
    if len(families) < len(named):
        found = font_manager.findfont(first)
        families = [font_manager.get_font(found).family_name, *families]
    return families


def _lacking(text: str, families: Sequence[str], shapes: bool | None = None) -> list[str]:
    """The letters of `text` that none of `families` can draw."""
    shapes = _shapes() if shapes is None else shapes
    return [
        letter for letter in text
        if ord(letter) not in _JOINING
        and ((not shapes and _is_shaped(letter)) or not any(_has(f, letter) for f in families))
    ]  # fmt: skip


@functools.cache
def _has(family: str, letter: str) -> bool:
    from matplotlib import font_manager

    file = font_manager.findfont(font_manager.FontProperties(family=[family]))
    return bool(font_manager.get_font(file).get_char_index(ord(letter)))


def _is_shaped(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _SHAPED)


@functools.cache
def _shapes() -> bool:
    """Whether Matplotlib joins and orders letters, as it does from 3.11 on."""
    from matplotlib import ft2font

    return hasattr(ft2font, "__libraqm_version__")


@functools.cache
def _found(lacking: frozenset[str]) -> tuple[str, ...]:
    """Families on this machine that have `lacking` letters, those with the most first."""
    wanted, chosen = set(lacking), []
    if not wanted:
        return ()
    held = {family: wanted & letters for family, letters in _installed(lacking).items()}
    while wanted and len(chosen) < _MOST:
        best = max(sorted(held), key=lambda family: len(held[family] & wanted), default=None)
        if best is None or not held[best] & wanted:
            break
        chosen.append(best)
        wanted -= held[best]
    return tuple(chosen)


def _installed(lacking: frozenset[str]) -> dict[str, set[str]]:
    """Which of the letters each plain, scalable font of this machine has."""
    from matplotlib import font_manager

    found: dict[str, set[str]] = {}
    for entry in font_manager.fontManager.ttflist:
        usual = entry.style == "normal" and entry.weight in (400, "normal", "regular", "book")
        if not usual or entry.name in found or entry.name.startswith(_BOXES):
            continue
        try:
            font = font_manager.get_font(entry.fname)
            if font.scalable:  # emoji in colour are pictures of one size, which cannot be drawn
                held = {letter for letter in lacking if font.get_char_index(ord(letter))}
                found[entry.name] = held
        except (OSError, RuntimeError, ValueError):  # a font file that is damaged or gone
            continue
    return found


def _written(text: str, lacking: set[str]) -> str:
    if not lacking:
        return text
    kept = (letter for letter in text if ord(letter) not in _JOINING)
    return "".join(_word(letter) if letter in lacking else letter for letter in kept)


def _word(letter: str) -> str:
    name = unicodedata.name(letter, "")
    code = f"U+{ord(letter):04X}"
    telling = unicodedata.category(letter) == "So" and name
    return f"[{name.lower() if telling else code}]"


def _cut(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    behind = (longest - 1) // 2
    return f"{name[: longest - 1 - behind]}…{name[len(name) - behind :]}"


def write_key(path: Path, names: Sequence[str]) -> None:
    """Write which class has which number, beside a figure that has room for the numbers only."""
    from manyheads.core.places import write_text

    lines = (f"{number} {' '.join(name.split())}\n" for number, name in enumerate(names, 1))
    write_text(path, "".join(lines))
