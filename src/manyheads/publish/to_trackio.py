"""Trackio: a run for the study with a table of its candidates, and runs of the best."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manyheads.core.destinations import folder_for
from manyheads.core.job import Job
from manyheads.core.places import disk_errors, make_folder
from manyheads.core.settings import digest
from manyheads.core.text import option
from manyheads.errors import SettingError
from manyheads.publish.publication import Publication, PublishedRow
from manyheads.publish.study_table import RUNS, curve_points, only_the_table, table_of
from manyheads.publish.trackers import RowCounts, library, no_rows, silenced

_SWITCHES = {
    "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
}  # fmt: skip
_FOLDER = "TRACKIO_DIR"
_CONTENT, _NAME = "manyheads_content", "manyheads_name"


def tracker(address: str | None, project: str | None) -> TrackioTracker:
    """The folder `address`; None: the one that Trackio uses."""
    if address is None:
        return TrackioTracker(None, project)
    folder = folder_for(Path(address).expanduser(), "to_address").absolute()
    loaded = getattr(sys.modules.get("trackio.utils"), "TRACKIO_DIR", folder)
    if Path(loaded).absolute() != folder:
        raise SettingError(
            f"Trackio's folder {loaded}, with which this program has imported it", str(folder),
            f"set {_FOLDER} to that folder before the import",
        )  # fmt: skip
    return TrackioTracker(folder, project)


class TrackioTracker:
    """A folder of Trackio's projects."""

    def __init__(self, folder: Path | None, project: str | None) -> None:
        self._folder, self._project = folder, project

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder or os.environ.get(_FOLDER) or "Trackio's folder")

    def publish(self, publication: Publication, job: Job) -> RowCounts:
        """Publish a study: a run of the whole, and one for each of the best rows."""
        folder = {} if self._folder is None else {_FOLDER: str(make_folder(self._folder))}
        counts = no_rows()
        rows = publication.rows[:RUNS]
        with silenced({**_SWITCHES, **folder}):
            runs = _ProjectRuns(_plain(self._project or publication.data), publication)
            for place, row in enumerate(rows):
                job.check("publishing")
                job.progress("publishing", place, len(rows), "runs")
                counts[runs.of_row(row)] += 1
            found = runs.of_study()
            runs.remove_others()
            runs.copy_files()
        job.progress("publishing", len(rows), len(rows), "runs")
        counts[found] += len(publication.rows) - len(rows)
        place = f"{_FOLDER}={shlex.quote(str(self._folder))} " if self._folder else ""
        return RowCounts.of(
            counts,
            place + shlex.join(["trackio", "show", *option("project", runs.project)]),
            len(publication.files),
            only_the_table(publication, "Trackio"),
        )


class _ProjectRuns:
    """The runs of one study in a project of Trackio's."""

    def __init__(self, project: str, publication: Publication) -> None:
        self.project, self._publication = project, publication
        self._storage = library("trackio.sqlite_storage").SQLiteStorage
        self._storage.validate_project_name(project)
        self._written_ids = set[str]()
        self._known = self._storage.get_all_run_configs(project)
        self._moment = datetime.fromtimestamp(publication.ended, UTC).isoformat()

    def of_row(self, row: PublishedRow) -> str:
        """Write the run of a candidate; says how it was found."""
        points: list[dict[str, Any]] = [{**row.metrics}, *curve_points(row)]
        config = {**self._publication.tags, **row.parameters, "candidate": row.number}
        return self._written(f"{row.name} · {row.key}", row.key, row.content, points, config)

    def of_study(self) -> str:
        """Write the run of the whole study, with its table."""
        publication = self._publication
        columns, lines = table_of(publication)
        table = library("trackio").Table(columns=columns, data=lines)
        name = f"{publication.name} · study"
        first = {**publication.metrics, "candidates_table": table._to_dict(self.project, name)}
        config = {**publication.tags, **publication.parameters, "text": publication.text}
        return self._written(name, "study", publication.content, [first], config)

    def remove_others(self) -> None:
        """Take away the runs of rows that are no longer among the best."""
        for run_id, config in self._known.items():
            if config.get("_Group") == self._publication.label and run_id not in self._written_ids:
                self._storage.delete_run(self.project, config.get(_NAME, ""), run_id)

    def copy_files(self) -> None:
        """Copy the files to the project's."""
        if not self._publication.files:
            return
        place = library("trackio.media.utils").get_project_media_path
        folder = Path(place(self.project, relative_path=_plain(self._publication.label)))
        for file in self._publication.files:
            with disk_errors(folder / file.name):
                shutil.copyfile(file, folder / file.name)

    def _written(
        self,
        name: str,
        key: str,
        content: str,
        points: list[dict[str, Any]],
        config: Mapping[str, Any],
    ) -> str:
        label = self._publication.label
        name = f"{name} · {self._publication.key[:8]}"
        run_id = digest([self._publication.key, self.project, key])[:32]
        self._written_ids.add(run_id)
        former = self._known.get(run_id)
        if former is not None and former.get(_CONTENT) == content:
            return "unchanged"
        if former is not None:
            self._storage.delete_run(self.project, name, run_id)
        self._storage.bulk_log(
            self.project, name, points, [*range(len(points))], [self._moment] * len(points),
            config={
                **config, _CONTENT: content, _NAME: name, "_Group": label,
                "_Created": self._moment,
            },
            log_ids=[f"{run_id}-{content}-{step}" for step in range(len(points))],
            run_id=run_id,
        )  # fmt: skip
        return "new" if former is None else "changed"


def _plain(name: str) -> str:
    """A name with the letters that Trackio takes in a project's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:100] or "study"
