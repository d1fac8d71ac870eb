"""Several studies that follow one another as one page, such as the stages of the lesson."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from manyheads.core.places import write_text
from manyheads.core.table import Table
from manyheads.findings.settling import SettlingStudy
from manyheads.report.content import Fact, Section
from manyheads.report.templating import drawn_sections, rendered


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a page says of several studies.

    The first sentence of `answer` is the headline, `overview` has a row for each study, and
    `chapters` are sections on each and on what is learnt from all. `repeat` are pairs of a title
    and the command that repeats a study; `run` is the folder that all of them lie in. `settling` is
    the study that would make the answer surer.
    """

    title: str
    kind: str
    run: str
    answer: tuple[str, ...]
    facts: tuple[Fact, ...]
    overview: Table
    chapters: tuple[Section, ...]
    repeat: tuple[tuple[str, str], ...]
    settling: SettlingStudy | None = None


def write_story(path: Path, story: Story) -> None:
    """Write the page to `path`, whole or not at all; raises `DiskError` if that fails."""
    write_text(path, render_story(story))


def render_story(story: Story) -> str:
    """The page as HTML."""
    chapters = drawn_sections(story.chapters)
    titles = [(each["id"], each["section"].title) for each in chapters]
    return rendered(
        "story.html.jinja",
        {
            "story": story,
            "contents": [("answer", "Answer"), *titles, ("repeat", "Repeat it")],
            "chapters": chapters,
        },
    )
