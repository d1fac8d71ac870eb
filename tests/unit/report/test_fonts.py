"""Names in figures: a font that has their letters, or words that keep them apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from manyheads.report import fonts

NAMES = ["猫", "犬", "鳥"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A font on this machine that has the letters of `NAMES`, and no others."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def square(side: int) -> object:
        pen = TTGlyphPen(None)
        pen.moveTo((100, 0))
        for corner in ((100, side), (side, side), (side, 0)):
            pen.lineTo(corner)
        pen.closePath()
        return pen.glyph()

    names = [".notdef", "cat", "dog", "bird"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    letters = zip("猫犬鳥", names[1:], strict=True)
    builder.setupCharacterMap({ord(letter): name for letter, name in letters})
    builder.setupGlyf({name: square(300 + 200 * place) for place, name in enumerate(names)})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Test Script", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWeightClass=400)
    builder.setupPost()
    builder.save(tmp_path / "script.ttf")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    font_manager.fontManager.addfont(tmp_path / "script.ttf")
    _forget()
    yield "Test Script"
    _forget()


def _forget() -> None:
    fonts._found.cache_clear()
    fonts._has.cache_clear()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with Matplotlib's own font alone."""
    own = [each for each in font_manager.fontManager.ttflist if each.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    _forget()


def test_a_font_of_the_machine_draws_what_the_usual_one_lacks(installed: str) -> None:
    assert fonts.drawable("猫") == "[U+732B]"
    with fonts.fonts_for([*NAMES, "cat"]):
        assert [fonts.drawable(name) for name in NAMES] == NAMES
        drawn = [_drawn(name) for name in NAMES]
    assert len({picture.tobytes() for picture in drawn}) == 3
    font, line = fonts.picture_font("猫", 11)
    assert (font.getname()[0], line) == (installed, "猫")
    assert fonts.picture_font("cat 0.9", 11)[0].getname()[0] == "DejaVu Sans"


def _drawn(text: str) -> np.ndarray:
    figure = Figure(figsize=(1, 1))
    figure.text(0.1, 0.5, text, parse_math=False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("猫", "[U+732B]"),
        ("red 猫", "red [U+732B]"),
        ("🦊", "[fox face]"),
        ("👩\u200d🔬", "[woman][microscope]"),
        ("बिल्ली", "[U+092C][U+093F][U+0932][U+094D][U+0932][U+0940]"),
        ("t-shirt é ☂", "t-shirt é ☂"),
    ],
)
def test_what_no_font_has_is_written_out(name: str, written: str) -> None:
    with fonts.fonts_for([name]):
        assert fonts.drawable(name) == written
    assert fonts.picture_font(name, 11)[1] == written


def test_arabic_is_shaped_or_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual font has its letters, but without shaping they would stand alone and backwards."""
    assert fonts.drawable("قطة") in ("قطة", "[U+0642][U+0637][U+0629]")
    monkeypatch.setattr(fonts, "_shapes", lambda: False)
    assert fonts.drawable("قطة") == "[U+0642][U+0637][U+0629]"


def test_long_names_are_cut_in_the_middle_and_stay_apart() -> None:
    long = "a very long name of a class that nobody can read " * 3
    names = [f"{long}one", f"{long}two", "short", f"{long}1 end of it", f"{long}2 end of it"]
    cut = fonts.shortened(names, 20)
    assert cut[2] == "short"
    assert len(set(cut)) == 5
    assert all(len(name) <= 20 for name in cut)
    assert cut[0].startswith("a very")
    assert cut[0].endswith("one")
