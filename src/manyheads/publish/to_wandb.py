"""Weights & Biases: a run for the study with a table of its candidates, and runs of the best.

Offline unless the address is a server's: what is written in the folder `wandb` goes nowhere until
its owner calls `wandb sync`.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.core.addresses import is_web, without_secrets
from manyheads.core.destinations import folder_for
from manyheads.core.job import Job
from manyheads.core.places import disk_errors, make_folder, write_text
from manyheads.publish.publication import Publication, PublishedRow
from manyheads.publish.study_table import RUNS, curve_points, only_the_table, table_of
from manyheads.publish.trackers import RowCounts, library, no_rows, silenced

_SWITCHES = {
    "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false", "WANDB_DISABLE_GIT": "true",
    "WANDB_DISABLE_CODE": "true", "WANDB_CONSOLE": "off",
}  # fmt: skip
_TITLE = "Weights & Biases"
_KNOWN = "manyheads.json"
"""Beside the offline runs: what each was published with."""


def tracker(address: str | None, project: str | None) -> WandbTracker:
    """A folder for offline runs (None: this one), or the https address of a server."""
    if address is not None and is_web(address):
        return WandbTracker(Path(), address, project)
    return WandbTracker(folder_for(Path(address or ".").expanduser(), "to_address"), None, project)


class WandbTracker:
    """Offline runs in `folder`, or a `server`."""

    def __init__(self, folder: Path, server: str | None, project: str | None) -> None:
        self._folder, self._server, self._project = folder, server, project

    @property
    def place(self) -> str:
        """The server, or the folder of the offline runs."""
        return without_secrets(self._server) if self._server else str(self._runs)

    def publish(self, publication: Publication, job: Job) -> RowCounts:
        """Publish a study: a run of the whole, and one for each of the best rows."""
        folder = make_folder(self._runs if self._server is None else self._folder / "wandb")
        switches = {
            **_SWITCHES, "WANDB_DATA_DIR": str(folder), "WANDB_CACHE_DIR": str(folder / "cache"),
            "WANDB_MODE": "online" if self._server else "offline",
            **({"WANDB_BASE_URL": self._server} if self._server else {}),
        }  # fmt: skip
        counts = no_rows()
        known = self._known()
        rows = publication.rows[:RUNS]
        with silenced(switches):
            wandb = library("wandb")
            for place, row in enumerate(rows):
                job.check("publishing")
                job.progress("publishing", place, len(rows), "runs")
                counts[self._row(wandb, known, publication, row)] += 1
            whole = self._whole(wandb, known, publication)
        self._remove_others(known, publication)
        job.progress("publishing", len(rows), len(rows), "runs")
        rest = len(publication.rows) - len(rows)
        counts[whole] += rest
        return RowCounts.of(
            counts, self._opened_by, len(publication.files), only_the_table(publication, _TITLE)
        )

    @property
    def _opened_by(self) -> str:
        if self._server is not None:
            return self.place
        return f"wandb sync {shlex.quote(str(self._runs))}/offline-run-*"

    @property
    def _runs(self) -> Path:
        return self._folder / "wandb"

    def _row(
        self, wandb: Any, known: dict[str, str], publication: Publication, row: PublishedRow
    ) -> str:
        run_id = f"{publication.key[:16]}-{row.key}"
        found = self._found(known, run_id, row.content)
        if found == "unchanged":
            return found
        run = self._begun(
            wandb, publication, run_id, row.name, {**publication.tags, **row.parameters},
            job_type=row.key.partition("-")[0],
        )  # fmt: skip
        if not run.resumed:  # a server keeps the curves that it has
            for epoch, point in enumerate(curve_points(row), start=1):
                run.log(point, step=epoch)
        run.summary.update({**row.metrics, "candidate": row.number})
        run.finish(exit_code=1 if row.state == "failed" else 0)
        self._keep(known, run_id, row.content)
        return found

    def _whole(self, wandb: Any, known: dict[str, str], publication: Publication) -> str:
        run_id = f"{publication.key[:16]}-study"
        content = f"{publication.content}-{len(publication.files)}"
        found = self._found(known, run_id, content)
        if found == "unchanged":
            return found
        run = self._begun(
            wandb, publication, run_id, publication.name,
            {**publication.tags, **publication.parameters}, job_type="study",
            notes=publication.text,
        )  # fmt: skip
        columns, lines = table_of(publication)
        run.log({"candidates": wandb.Table(columns=columns, data=lines)})
        run.summary.update(dict(publication.metrics))
        if publication.files:
            artifact = wandb.Artifact(_plain(publication.label), type=publication.kind)
            for file in publication.files:
                artifact.add_file(str(file))
            run.log_artifact(artifact)
        run.finish()
        self._keep(known, run_id, content)
        return found

    def _begun(
        self,
        wandb: Any,
        publication: Publication,
        run_id: str,
        name: str,
        config: Mapping[str, Any],
        **given: Any,
    ) -> Any:
        self._remove_former(run_id)
        settings = wandb.Settings(
            console="off", silent=True, save_code=False, disable_git=True, disable_code=True,
            x_disable_stats=True, x_disable_meta=True,
        )  # fmt: skip
        return wandb.init(
            project=_plain(self._project or publication.data), id=run_id, name=name,
            group=publication.label, config=dict(config), dir=str(self._folder),
            settings=settings, reinit="create_new", resume="allow" if self._server else None,
            **given,
        )  # fmt: skip

    def _found(self, known: Mapping[str, str], run_id: str, content: str) -> str:
        if self._server is not None or not self._former(run_id):
            return "new"
        return "unchanged" if known.get(run_id) == content else "changed"

    def _former(self, run_id: str) -> list[Path]:
        return [*self._runs.glob(f"offline-run-*-{run_id}")]

    def _remove_former(self, run_id: str) -> None:
        """Take away an offline run that is published anew: two of one id would be joined."""
        if self._server is None:
            for folder in self._former(run_id):
                with disk_errors(folder):
                    shutil.rmtree(folder)

    def _remove_others(self, known: dict[str, str], publication: Publication) -> None:
        """Take away the offline runs of rows that are no longer among the best."""
        kept = {f"{publication.key[:16]}-{row.key}" for row in publication.rows[:RUNS]}
        kept.add(f"{publication.key[:16]}-study")
        others = [each for each in known if each.startswith(publication.key[:16])]
        for run_id in set(others) - kept:
            self._remove_former(run_id)
            del known[run_id]
        self._write(known)

    def _known(self) -> dict[str, str]:
        file = self._runs / _KNOWN
        try:
            found = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):  # none, or damaged: then all is published anew
            return {}
        return found if isinstance(found, dict) else {}

    def _keep(self, known: dict[str, str], run_id: str, content: str) -> None:
        known[run_id] = content
        self._write(known)

    def _write(self, known: Mapping[str, str]) -> None:
        if self._server is None:
            write_text(self._runs / _KNOWN, json.dumps(known, indent=1) + "\n")


def _plain(name: str) -> str:
    """A name with the letters that W&B takes in those of projects and artifacts."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:100] or "study"
