"""What a fit tells of itself while it is at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads.run.pipeline import PlanListener

if TYPE_CHECKING:
    from manyheads.run.fit.fit_plan import FitPlan
    from manyheads.run.fit.image_options import Arm


class FitListener(PlanListener):
    """A `PlanListener` that also hears the plan of a fit, and which part of it begins."""

    def planned_fit(self, plan: FitPlan, /) -> None:
        """The fit is about to begin."""

    def arm(self, number: int, arms: int, arm: Arm, /) -> None:
        """The search at a size begins, the `number`th of so many."""

    def averaging(self, done: int, total: int, /) -> None:
        """`done` of `total` epochs of the heads that are averaged are trained."""
