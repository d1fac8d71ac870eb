"""A finished study that took no training, for the tests of what is published of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.parts.made_runs import made_run
from manyheads.study.folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A study of four dropout rates with three seeds."""
    return made_run(tmp_path / "photos")
