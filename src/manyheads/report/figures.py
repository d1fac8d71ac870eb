"""Figures of a study, as files."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from manyheads.core.places import atomic_path
from manyheads.report.fonts import drawable, fonts_for, shortened
from manyheads.report.palette import COLOURS
from manyheads.report.scales import loss_limits
from manyheads.study.results import StudyResult
from manyheads.study.space import setting_words
from manyheads.study.store import Store

_LINES = ("-", "--", "-.", ":")
MAX_CURVES = len(COLOURS)

Curve = Float64[np.ndarray, "trials epochs"]


def candidate_curves(store: Store, candidate: int, metric: str) -> Curve:
    """A metric of all trials of a candidate but the failed, a row a trial.

    Trials may end at different epochs: the curves go as far as all of them do.
    """
    records = store.trials("done", "pruned", candidate=candidate)
    shared = min((record.epochs for record in records), default=0)
    return np.array(
        [
            [getattr(metrics, metric) for metrics in store.curve(record.trial.number)[:shared]]
            for record in records
        ]
    )


def draw_curves(
    path: Path, store: Store, result: StudyResult, varying: Sequence[str], title: str
) -> None:
    """Write a figure of validation accuracy and loss by epoch: the mean over trials and their band.

    The band is the smallest and the largest trial. Of many candidates the best `MAX_CURVES` are
    drawn, in the grid's order.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = sorted(entry.candidate for entry in result.ranking[:MAX_CURVES])
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    for axes, metric in zip(panels, ("val_accuracy", "val_loss"), strict=True):
        for place, candidate in enumerate(shown):
            curves = candidate_curves(store, candidate, metric)
            epochs = np.arange(1, curves.shape[1] + 1)
            colour, line = COLOURS[place], _LINES[place % len(_LINES)]
            name = setting_words(result.hyperparameters(candidate), varying)
            axes.plot(epochs, curves.mean(axis=0), line, color=colour, label=name, lw=1.8)
            if len(curves) > 1:
                low, high = curves.min(axis=0), curves.max(axis=0)
                axes.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(metric)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    losses = [candidate_curves(store, candidate, "val_loss") for candidate in shown]
    panels[1].set_ylim(*loss_limits(losses))
    panels[0].legend(frameon=False)
    trials = max((entry.trials for entry in result.ranking), default=0)
    more = (
        f"; the best {len(shown)} of {len(result.grid):,} candidates"
        if len(result.grid) > len(shown) and len(result.ranking) + len(result.pruned) > len(shown)
        else ""
    )
    band = (
        f"mean of {trials} trials, band from lowest to highest" if trials > 1 else "one trial each"
    )
    with fonts_for([title]):
        words = drawable(shortened([title], 80)[0])
        figure.suptitle(f"{words} ({band}{more})", fontsize=11, parse_math=False)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130)


def prepare_figures() -> None:
    """Begin in the background to import what drawing needs: a third of a second.

    Python waits for it at its end, for it would abort amid an extension module's import.
    """

    def load() -> None:
        with suppress(ImportError):  # which drawing then shows
            for module in ("matplotlib.backends.backend_agg", "matplotlib.figure"):
                import_module(module)

    threading.Thread(target=load, name="figures").start()
