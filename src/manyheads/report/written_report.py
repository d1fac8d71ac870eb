"""A finished study's report, from its run folder to the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from manyheads.core.destinations import file_for
from manyheads.core.job import SILENT, Job
from manyheads.errors import Interrupted, ManyheadsError
from manyheads.findings.study_findings import Findings, read_findings
from manyheads.report.figure_files import write_figures
from manyheads.report.from_study import report_content
from manyheads.report.page import write_report
from manyheads.stats.comparisons import Margins
from manyheads.study.folder import RunFolder
from manyheads.study.study_settings import lasting


class Written(NamedTuple):
    """The findings that a report is of, its file, and the files of its figures."""

    findings: Findings
    page: Path
    figures: list[Path]


def write_or_note(write: Callable[[], object], job: Job) -> None:
    """Write a report at the end of work that is done, so that what keeps it from that is a note.

    Raises `Interrupted` when `job` is stopped.
    """
    try:
        write()
    except Interrupted:
        raise
    except Exception as error:
        known = isinstance(error, ManyheadsError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        job.note(f"The report was not written: {why}; `manyheads report` writes it.")


def written_report(
    folder: RunFolder,
    out: str | Path | None = None,
    *,
    figures: bool,
    baseline: object,
    margins: Margins,
    data: str | Path | None = None,
    job: Job = SILENT,
) -> Written:
    """Write the report of the study in `folder` to `out`, and `figures` beside it.

    None: `report.html` in the run folder, or, where that is read-only, `NAME-report.html` in the
    working folder. `data` is where the data set lies, if it was moved. Raises what `read_findings`
    and `report_content` raise, `SettingError` for a name that does not end as a page's, and
    `DiskError`.
    """
    folder.document()  # says so if this is no run folder at all
    target = folder.report
    if out is not None:
        target = Path(out).expanduser()
    elif folder.is_read_only:
        target = Path(f"{folder.path.absolute().name}-report.html")
    target = file_for(target, suffixes=(".html", ".htm"))
    findings = read_findings(folder, baseline=baseline, margins=margins)
    if data is not None:
        findings = replace(findings, settings=replace(findings.settings, data=lasting(data)))
    content = report_content(findings, job=job)
    with folder.held():
        write_report(target, content)
        drawn = write_figures(target.parent / "figures", content) if figures else []
    return Written(findings, target, drawn)
