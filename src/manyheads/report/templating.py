"""From the templates to a page: what all pages share, such as colours, filters and sections.

Every text of a page may be hostile (file names, class names, titles): it is escaped, and what no
page can show is replaced.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from manyheads.core.text import capital, decimal
from manyheads.findings.score_tables import estimate_words
from manyheads.findings.wording import METRIC_WORDS, difference_words, margin_words
from manyheads.report import bounds, page_tables, svg
from manyheads.report.content import Picture, Section
from manyheads.report.heat_map import HeatMap
from manyheads.report.palette import COLOURS, HEAT, HEAT_MOST, OUTCOMES, SOFT
from manyheads.report.panel import Panel

_SEEN_IN_THE_DARK = {"#000000": "var(--ink)", "#59626d": "var(--quiet)"}
_DIRECTIONS = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), "�")


def rendered(template: str, view: Mapping[str, Any]) -> str:
    """The page of a template with the values of `view` and those that all pages have."""
    shared = {
        "rows": bounds.ROWS,
        "box": svg,
        "css": Markup(_colours() + _source("report.css")),
        "script": Markup(_source("report.js")),
    }
    return _environment().get_template(template).render(shared | dict(view))


def drawn_sections(sections: Sequence[Section], first: int = 1) -> list[dict[str, Any]]:
    """Sections with ids, numbered from `first`, and their figures drawn."""
    return [
        {
            "id": f"more-{number}",
            "section": section,
            "drawn": [drawn(each) for each in section.figures if not isinstance(each, Picture)],
            "pictures": [each for each in section.figures if isinstance(each, Picture)],
        }
        for number, section in enumerate(sections, start=first)
    ]


def drawn(plot: Panel | HeatMap) -> svg.DrawnPanel | svg.DrawnHeatMap:
    """A plot with everything placed."""
    return svg.draw_heat_map(plot) if isinstance(plot, HeatMap) else svg.draw_panel(plot)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("manyheads.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_shown,
    )
    environment.filters |= {
        "base64": lambda data: base64.b64encode(data).decode("ascii"),
        "capital": capital,
        "difference": lambda entry: difference_words(entry.metric, entry.estimate),
        "estimate": estimate_words,
        "margin": lambda plot: margin_words(plot.metric, plot.margins),
        "metric_words": METRIC_WORDS.__getitem__,
        "plot_table": page_tables.plot_table,
        "score": decimal,
        "times": lambda count: {1: "once", 2: "twice"}.get(count, f"{count:,} times"),
    }
    return environment


def _shown(value: Any) -> Any:
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return printable(value) if plain else value


def printable(text: str) -> str:
    """`text` with � for what no page can hold or show: broken characters, control codes, and
    marks that would turn the direction of what follows."""
    kept = (
        "�" if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" else letter
        for letter in text
    )
    return "".join(kept).translate(_DIRECTIONS)


def _colours() -> str:
    """The palette as rules of CSS."""
    root = f":root {{ --heat: {HEAT}; --soft: {SOFT}; --heat-most: {HEAT_MOST:.0%}; }}\n"
    inks = {f".c{number}": ink for number, ink in enumerate(COLOURS)}
    inks |= {f".{name} .interval": ink for name, (ink, _) in OUTCOMES.items()}
    return root + "".join(
        f"{where} {{ --c: {_SEEN_IN_THE_DARK.get(ink, ink)}; }}\n" for where, ink in inks.items()
    )


def _source(name: str) -> str:
    return Path(__file__).with_name("templates").joinpath(name).read_text(encoding="utf-8")
