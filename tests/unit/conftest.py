"""Fixtures of the unit tests of several packages."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.core import keras_process
from tests.unit.backbones import child_tasks


@pytest.fixture(scope="session")
def offered() -> dict[str, Any]:
    """What Keras says that it offers."""
    return keras_process.call(child_tasks.offered, {})
