"""All that a report says, as plain values: from a run folder, for `page` and `figure_files`.

A part that is None has not been measured; the report then says why, and which command gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from manyheads.core.table import Table
from manyheads.findings.scores_by_setting import ScoresBySetting
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
    """Anything else that a study has to say."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Panel | Picture, ...] = ()


class Missing(NamedTuple):
    """Why a part is not there, as a sentence, and the command that would give it."""

    why: str
    command: str


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """A whole report. `candidates` are best first by the study's rule, and at most one is selected.

    The first sentence of `verdict` is the headline, below it scores `by_setting`, `best` and
    `expected`, each of which a study of one candidate lacks or may lack; `ends`
    are comparisons at the end of training. `run` is the run folder as the user wrote it.
    `missing` gives a reason of its own, by the part's name, where a general one would be wrong.
    """

    title: str
    run: str
    verdict: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    settings: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    weights: str
    command: str
    best: Table | None = None
    expected: Expectation | None = None
    by_setting: ScoresBySetting | None = None
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
