"""A fit from Python, by one call."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.run.fit.fit_record import Fitted
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import (
    USUAL_BUDGET,
    USUAL_FOLDS,
    USUAL_HEADS,
    FitSettings,
    seconds_of,
)
from manyheads.study.folder import RunFolder
from manyheads.study.study_settings import lasting


def fit(
    data: str | Path,
    *,
    budget: float | str = USUAL_BUDGET,
    heads: int = USUAL_HEADS,
    folds: int = USUAL_FOLDS,
    image_size: int | None = None,
    depth: int | None = None,
    backbone: str = "xception",
    preprocessing: str | None = None,
    weights: str | None = None,
    test_share: float = 0.0,
    table: TableSettings | None = None,
    out: str | Path | None = None,
) -> Fitted:
    """Find the best classifier for these images within a budget, as `manyheads fit`.

    `budget` is in seconds, or such as "30m"; the model averages so many `heads`; images for
    training and validation are divided into `folds`. Test images are not opened; of images
    without splits, `test_share` are kept for a test. `table` says how data in a table are read. A
    `backbone` in a file needs its `preprocessing`; `depth` is of images with more than 8 bits a
    channel. `.classifier()` is the model, `.expected` what to expect of it on new images, `.tried`
    what else was tried. Raises what `run_fit` raises.
    """
    settings = FitSettings(
        data=lasting(data),
        backbone=backbone,
        preprocessing=preprocessing,
        weights=weights,
        budget=seconds_of(budget),
        heads=heads,
        folds=folds,
        size=image_size,
        depth=depth,
        split=SplitSettings(test=test_share),
        table=table or TableSettings(),
    )
    return run_fit(settings, fit_folder(data) if out is None else out)


def fit_folder(data: str | Path) -> Path:
    """The usual run folder of a fit to `data`: that of a study, with `-fit` behind its name."""
    named = RunFolder.named_after(data).path
    return named.with_name(f"{named.name}-fit")
