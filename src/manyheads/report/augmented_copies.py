"""What augmented copies cost a study, beside augmenting live; said in its report."""

from __future__ import annotations

from manyheads.core.table import Table, names, numbers
from manyheads.data.dataset import Dataset
from manyheads.report.content import Section
from manyheads.study.feature_variants import training_images, variants_needed
from manyheads.study.space import counted
from manyheads.study.study_settings import StudySettings


def copies_section(settings: StudySettings, dataset: Dataset) -> Section | None:
    """The section of a study with augmented copies; None for one without."""
    if settings.augmentation is None:
        return None
    images = len(training_images(settings.folds, dataset))
    copies = max(settings.grid.augmented_copies)
    seen = [setting.epochs for setting in settings.grid if setting.augmented_copies]
    rounds = len(settings.trials()) // len(settings.grid)
    made = images * sum(version.view > 0 for version in variants_needed(settings.grid))
    live = images * max(seen)
    rows = (
        ("augmented copies, computed once for all heads", made),
        ("augmenting anew in every epoch, one head", live),
        ("augmenting anew in every epoch, each head by itself", images * sum(seen) * rounds),
    )
    return Section(
        title="Augmented copies",
        paragraphs=(
            f"For each of {counted(images, 'training image')}, heads drew in every epoch the image "
            f"itself or one of up to {counted(copies, 'augmented copy')} "
            f"({settings.augmentation.words}). Images that validate or test were never altered.",
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
