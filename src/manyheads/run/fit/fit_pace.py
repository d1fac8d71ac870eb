"""How long the parts of a fit take on this machine, with whatever else it is busy with now.

At first as earlier runs have shown, or else as is assumed; then as this run shows. Times of passes
are taken to grow with the pixels of an image.
"""

from __future__ import annotations

from manyheads.run.estimate import (
    estimate_extraction,
    estimate_preparation,
    estimate_training,
)
from manyheads.study.study_settings import StudySettings

_LOADING = 1.0  # seconds in which OpenVINO makes a program ready, and the first batches come
_STUDY = 2.0  # seconds of a study beside its training: its folder, its tables
_COMPILING = 5.0  # seconds in which the engine's loops are compiled, once on a machine
_LITTLE = 0.05  # seconds, below which a rate means nothing


class FitPace:
    """Seconds for each part of a fit: expected until this run has shown better.

    `study` is one of its studies: all have the backbone and the engine in common. `measured` tells
    whether this machine has shown anything of that, in this run or an earlier one.
    """

    def __init__(self, study: StudySettings) -> None:
        self._study = study
        self.keras, self.measured = estimate_preparation(study.backbone)
        self._image: tuple[int, float] | None = None  # a size, and seconds for an image of it
        self._product, trained = estimate_training(study, 1.0)
        self.loading = _LOADING
        self.study = _STUDY if trained else _STUDY + _COMPILING

    def extraction(self, study: StudySettings, passes: int) -> float:
        """Seconds for so many passes of images as `study` has them."""
        if self._image is None:
            return estimate_extraction(study, passes)[0]
        size, seconds = self._image
        return passes * seconds * (study.image.size / size) ** 2

    def training(self, products: float) -> float:
        """Seconds to train so much: samples × units × epochs."""
        return products * self._product

    def keras_took(self, seconds: float) -> None:
        """Keras has built a network, or a model file, in so long; programs load accordingly."""
        self.loading = max(_LOADING, _LOADING * seconds / self.keras)
        self.keras, self.measured = seconds, True

    def extraction_took(self, size: int, passes: int, seconds: float) -> None:
        """So many passes of images of `size` pixels took so long."""
        if passes > 0 and seconds > _LITTLE:
            self._image, self.measured = (size, seconds / passes), True

    def training_took(self, products: float, seconds: float) -> None:
        """To train so much took so long."""
        if products > 0 and seconds > _LITTLE:
            self._product = seconds / products

    def study_took(self, seconds: float) -> None:
        """A study took so long beside its training."""
        self.study = max(_LITTLE, seconds)
