"""What views cost a study, beside augmenting live; said in its report."""

from __future__ import annotations

from manyheads.core.table import Table, names, numbers
from manyheads.data.dataset import Dataset
from manyheads.report.content import Section
from manyheads.study.feature_variants import training_images, versions_needed
from manyheads.study.space import counted
from manyheads.study.study_settings import StudySettings


def views_section(settings: StudySettings, dataset: Dataset) -> Section | None:
    """The section of a study with views; None for one that shows heads plain images alone."""
    if settings.augmentation is None:
        return None
    images, views = len(training_images(settings, dataset)), max(settings.grid.views)
    seen = [setting.epochs for setting in settings.grid if setting.views > 1]
    rounds = len(settings.trials()) // len(settings.grid)
    made = images * sum(version.view > 0 for version in versions_needed(settings))
    live = images * max(seen)
    rows = (
        ("views, computed once for all heads", made),
        ("augmenting anew in every epoch, one head", live),
        ("augmenting anew in every epoch, each head by itself", images * sum(seen) * rounds),
    )
    return Section(
        title="Views",
        paragraphs=(
            f"Heads drew one of up to {views} views of each of {counted(images, 'training image')} "
            f"in every epoch: the plain image, and copies with {settings.augmentation.words}. No "
            "other image was altered: what validates and what tests has the plain view alone.",
            "The copies were drawn once, for all seeds and folds. What other copies would have "
            "given is in no interval of this report.",
        ),
        tables=(
            Table(
                caption="Backbone passes",
                columns=[*names("way"), *numbers("passes", "times")],
                rows=[(way, f"{n:,}", f"{n / made:.1f}") for way, n in rows],
            ),
        ),
    )
