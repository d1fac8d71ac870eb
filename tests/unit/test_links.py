"""Links between documents lead to a file, and to a heading that is there."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for place in (ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"))
    for path in place
)  # fmt: skip
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
_OTHER = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
_ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def slug(heading: str) -> str:
    """A heading as GitHub and the site's MkDocs make it an anchor."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    words = unicodedata.normalize("NFC", words).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page; headings of one text are numbered."""
    if not page.is_file():
        return frozenset()
    text, found = text_of(page), set()
    for heading in _HEADING.findall(text):
        name, number = slug(heading), 0
        while (name if not number else f"{name}-{number}") in found:
            number += 1
        found.add(name if not number else f"{name}-{number}")
    return frozenset(found | set(_ANCHOR.findall(text)))


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for link in _LINK.findall(re.sub(r"`[^`\n]*`", "", text_of(page))):
        if _OTHER.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page.resolve()
        lacks = anchor and target.suffix == ".md" and anchor not in anchors(target)
        if lacks or not target.exists():
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_links_lead_to_a_page_and_a_heading(page: Path) -> None:
    assert broken(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("# One\n\n## Two words, and `code`\n\n## One\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#one) [c](other.md#two-words-and-code) [d](#here) [e](no.md)\n"
        "[f](other.md#three) [g](other.md#one-1) [h](other.md#one-2) `[i](no.md)` <x> [j](x:y)\n"
        "# Here\n```\n[k](no.md)\n# Not here\n```\n[l](#not-here)\n",
        encoding="utf-8",
    )
    assert broken(page) == ["no.md", "other.md#three", "other.md#one-2", "#not-here"]
