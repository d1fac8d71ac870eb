"""Where a fit lies unless told otherwise."""

from __future__ import annotations

from pathlib import Path

from manyheads.study.folder import RunFolder


def fit_folder(data: str | Path) -> Path:
    """The usual run folder of a fit to `data`: that of a study, with `-fit` behind its name."""
    named = RunFolder.named_after(data).path
    return named.with_name(f"{named.name}-fit")
