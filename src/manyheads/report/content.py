"""All that a report says, as plain values: from a run folder, for `page` and `figure_files`.

A part that is None has not been measured; the report then says why, and which command gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from manyheads.core.table import Table
from manyheads.findings.parallel_scores import ParallelScores
from manyheads.findings.scores_by_setting import ScoresBySetting
from manyheads.findings.settling import SettlingStudy
from manyheads.report.heat_map import HeatMap
from manyheads.report.panel import Panel
from manyheads.report.parts import (
    Candidate,
    Classes,
    Compared,
    Confidence,
    Expectation,
    Selection,
    TestRecord,
    WrongImages,
)


@dataclass(frozen=True, kw_only=True)
class DataWarning:
    """Something about the data that a reader must know, with examples such as file names."""

    text: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image in a file's bytes, `media` being its type, such as `image/png`."""

    data: bytes
    media: str
    alt: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """Anything else that a study has to say; `commands` are there to be copied.

    `caption` says what is seen in the figures; `links` are words and where they lead, an address
    relative to the page.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Panel | HeatMap | Picture, ...] = ()
    caption: str = ""
    commands: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class Fact(NamedTuple):
    """A number on the first screen with its title, and what it means."""

    title: str
    value: str
    meaning: str = ""


class Missing(NamedTuple):
    """Why a part is not there, as a sentence, and the command that would give it."""

    why: str
    command: str


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """A whole report. `candidates` are best first by the study's rule, and at most one is selected.

    The first sentence of `answer` is the headline; `verdict` says in words what the comparisons
    show. A study of one candidate may lack `by_setting`, `parallel`, `best` and `expected`.
    `ends` are comparisons at the end of training. Of all settings those in `changed` differ from
    the defaults, and those in `usual` do not. `run` is the run folder as the user wrote it.
    `missing` gives a reason of its own, by the part's name, where a general one would be wrong.
    """

    title: str
    run: str
    answer: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    changed: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    weights: str
    command: str
    settling: SettlingStudy | None = None
    verdict: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    usual: tuple[tuple[str, str], ...] = ()
    baselines: Table | None = None
    best: Table | None = None
    expected: Expectation | None = None
    by_setting: ScoresBySetting | None = None
    parallel: ParallelScores | None = None
    importance: tuple[str, ...] = ()
    comparisons: Compared | None = None
    ends: Compared | None = None
    selection: Selection | None = None
    calibration: Confidence | None = None
    classes: Classes | None = None
    wrong: WrongImages | None = None
    test: TestRecord | None = None
    warnings: tuple[DataWarning, ...] | None = None
    sections: tuple[Section, ...] = ()
    missing: Mapping[str, Missing] = field(default_factory=dict)

    @property
    def selected(self) -> Candidate | None:
        """The selected candidate, if there is one."""
        return next((candidate for candidate in self.candidates if candidate.selected), None)
