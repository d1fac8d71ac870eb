"""Whole studies, made small: generated images, a small backbone with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyheads.data.data_settings import ImageSettings
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import RunOptions
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.strategies import distinct_image
from tests.studies import in_grid

CLASSES = ("cat", "dog", "red panda")


def small_images(root: Path, train: int = 7, validation: int = 4, test: int = 0) -> Path:
    """Class folders of 40-pixel images below `root`, so many for each class of each split."""
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        for name in CLASSES if count else ():
            folder = root / split / name
            if folder.is_dir():
                continue
            folder.mkdir(parents=True)
            for number in range(count):
                image = distinct_image(f"{split} {name} {number}", 40)
                image.save(folder / f"{number}.png")
    return root


def small_settings(data: Path, **changes: Any) -> StudySettings:
    """Two dropout rates on MobileNet at 32 pixels with random weights, but for `changes`."""
    given: dict[str, Any] = {
        "backbone": "mobilenet",
        "weights": "random:0",
        "grid": Grid((0.001,), (8,), (0.0, 0.5)),
        "image": ImageSettings(size=32),
        "epochs": 3,
    }
    return StudySettings(data=str(data), **in_grid(given | changes))


def finished_study(root: Path, options: RunOptions | None = None, **changes: Any) -> Finished:
    """A study of its own images below `root`, run to its end in `root / "run"`."""
    settings = small_settings(small_images(root / "images"), **changes)
    return run_study(settings, root / "run", options=options)
