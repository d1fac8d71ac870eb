"""Handing a model over, as a function with the command line's defaults."""

from __future__ import annotations

from pathlib import Path

from manyheads.api.progress_bars import ShowProgress, reported
from manyheads.run.hand_over.hub_folder import HubFolder
from manyheads.run.hand_over.hub_folder import write_hub_folder as write_folder


def write_hub_folder(
    run: str | Path,
    out: str | Path | None = None,
    *,
    licence: str | None = None,
    data_licence: str | None = None,
    progress: ShowProgress = True,
) -> HubFolder:
    """Write the model of a finished run for the Hugging Face hub, as the format hub of `export`.

    `licence` is that of the model and `data_licence` that of its images, by the hub's names; what
    is not given is said to be unknown. Without `out` the folder is `export/hub` in the run folder.
    Nothing is sent. Raises `SettingError` for a folder of other files, `RunError` for a run that is
    not finished.
    """
    with reported(progress) as job:
        return write_folder(
            Path(run).expanduser(), out, licence=licence, data_licence=data_licence, job=job
        )
