"""What every method of a study in its run folder begins with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyheads.errors import RunError
from manyheads.findings.study_findings import Findings, read_findings
from manyheads.models.classifier import Classifier
from manyheads.run.pipeline import Finished
from manyheads.stats.comparisons import Margins
from manyheads.study.folder import RunFolder
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings


class StudyBase:
    """A study's settings, its run folder, and what may be read from it."""

    def __init__(self, settings: StudySettings, folder: RunFolder, *, opened: bool = True) -> None:
        self._settings, self._folder, self._opened = settings, folder, opened
        self._finished: Finished | None = None
        self._best: tuple[object, Classifier] | None = None

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._folder.path

    @property
    def settings(self) -> StudySettings:
        """What the study asks, all of it, as `study.toml` keeps it."""
        return self._settings

    def _findings(
        self, baseline: int | None = None, points: float = 1.0, nats: float = 0.02
    ) -> Findings:
        margins = Margins.in_points(points, nats)
        return read_findings(self._answering, baseline=baseline, margins=margins)

    @property
    def _answering(self) -> RunFolder:
        """The run folder; raises `RunError` if it may hold another study, or none."""
        if self._finished is None and not self._opened:
            raise RunError(
                "a study that has been run", "one that has not",
                "call run() first, or open_study() on the run folder of another",
            )  # fmt: skip
        return self._folder

    @contextmanager
    def _store(self) -> Iterator[Store]:
        if not self._answering.store.is_file():
            raise RunError(
                f"trained heads in {self.path}", "a study that has not trained any yet",
                "call run(), or wait for its other run",
            )  # fmt: skip
        with Store(self._folder.store) as store:
            yield store
