"""A finished model whose feature map has several cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.models.classifier import Classifier, load
from manyheads.study.folder import RunFolder
from tests.small_study import finished_study


@pytest.fixture(scope="session")
def grid_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A small study at 96 pixels: MobileNet's feature map has 3 × 3 cells there."""
    return finished_study(tmp_path_factory.mktemp("grids"), image=ImageSettings(size=96)).folder


@pytest.fixture(scope="session")
def grid_model(grid_run: RunFolder) -> Classifier:
    """Its best model."""
    return load(grid_run.path)


@pytest.fixture(scope="session")
def grid_files(grid_run: RunFolder) -> list[Path]:
    """More images than a batch takes."""
    return sorted((grid_run.path.parent / "images").glob("*/*/*.png"))
