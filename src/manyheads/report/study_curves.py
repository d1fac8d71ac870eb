"""The learning curves of a study's candidates: read from its store, and drawn as `curves.png`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manyheads.report.bounds import PICTURED
from manyheads.report.figures import drawing, panels_figure, save_figure
from manyheads.report.fonts import drawable, shortened
from manyheads.report.parts import Candidate, Curve
from manyheads.report.plots import curve_panels
from manyheads.study.history import METRICS
from manyheads.study.results import StudyResult
from manyheads.study.space import setting_words
from manyheads.study.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLE = 80  # letters


def draw_curves(path: Path, store: Store, result: StudyResult, title: str) -> None:
    """Write the learning curves of a study to the PNG `path`, as its report will draw them.

    Of many candidates the best `PICTURED` are drawn. `title` is shortened. Raises `DiskError`.
    """
    with drawing([title]):
        save_figure(curves_figure(store, result, title), path)


def curves_figure(store: Store, result: StudyResult, title: str) -> Figure:
    """The same as a figure, of a result with one ranked candidate at least."""
    candidates = [*islice(ranked_candidates(store, result, PICTURED), PICTURED)]
    panels = list(curve_panels(candidates).values())
    name = drawable(shortened([title], _TITLE)[0])
    return panels_figure(panels, f"{name}\n{_drawn_words(result, len(candidates))}")


def _drawn_words(result: StudyResult, drawn: int) -> str:
    trials = max(entry.trials - entry.failed for entry in result.ranking)
    over = (
        f"mean over {trials:,} trials, band from lowest to highest"
        if trials > 1
        else "one trial each"
    )
    every = len(result.ranking) + len(result.pruned)
    return f"{over}; the best {drawn} of {every:,} candidates" if every > drawn else over


def ranked_candidates(store: Store, result: StudyResult, drawn: int) -> Iterator[Candidate]:
    """The candidates with a result, best first; the `drawn` best have their curves."""
    for place, entry in enumerate(result.ranking):
        yield Candidate(
            number=entry.candidate,
            name=setting_words(result.hyperparameters(entry.candidate), result.grid.varying),
            trials=entry.trials,
            curves=candidate_curves(store, entry.candidate) if place < drawn else {},
            chosen=entry.measures["best_epoch"].mean,
            selected=place == 0,
        )


def candidate_curves(
    store: Store, candidate: int, metrics: Sequence[str] = METRICS
) -> dict[str, Curve]:
    """The curves of a candidate in `metrics`, as `metrics_told`, over all trials but the failed.

    Trials may end at different epochs: the curves go as far as all of them do. Each trial is read
    from the store once.
    """
    records = store.trials("done", "pruned", candidate=candidate)
    shared = min((record.epochs for record in records), default=0)
    if not shared:
        return {}
    trials = np.stack([np.array(store.curve(each.trial.number)[:shared]) for each in records])
    mean, low, high = trials.mean(axis=0), trials.min(axis=0), trials.max(axis=0)
    return {
        metric: Curve(mean=mean[:, place], low=low[:, place], high=high[:, place])
        for place, metric in enumerate(metrics)
    }
