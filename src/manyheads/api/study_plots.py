"""The plots of a study, as figures for a notebook or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.api.study_base import StudyBase
from manyheads.errors import RunError
from manyheads.findings.scores_by_setting import scores_by_setting
from manyheads.report.figures import drawing
from manyheads.report.setting_plots import scores_figure
from manyheads.report.study_curves import curves_figure
from manyheads.study.results import read_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class StudyPlots(StudyBase):
    """The plots of a study, as Matplotlib figures."""

    def plot(self) -> Figure:
        """Plot the validation scores of the finished study by setting, as its report does.

        Of one varying hyperparameter: accuracy and log loss by its values, with a dot for each
        seed. Of several: main effects on accuracy, and a heat map of the two largest.
        Bars are 95 % intervals of the difference from the mean of all values, paired by seed and
        image; the selected setting is ringed. The figure shows itself in a notebook; elsewhere
        `.savefig("scores.png")`. Raises `RunError` for an unfinished study, and for one without two
        values to compare.
        """
        found = scores_by_setting(self._findings())
        if found is None:
            raise RunError(
                "two values of a hyperparameter that trained to their end", "fewer",
                "list several, such as droprate=[0.0, 0.5]",
            )  # fmt: skip
        with drawing([]):
            return scores_figure(found)

    def plot_curves(self) -> Figure:
        """Plot the learning curves of the best candidates, as `curves.png` has them.

        Means over trials by epoch, with a band from the lowest to the highest; while the study
        runs, of the trials that have ended. Raises `RunError` where none has.
        """
        with self._store() as store:
            result = read_result(store, self._settings)
            if not result.ranking:
                raise RunError(
                    f"trained heads in {self.path}", "none that trained to its end",
                    "wait for the first, or call run()",
                )  # fmt: skip
            title = Path(self._settings.data).name
            with drawing([title]):
                return curves_figure(store, result, title)
