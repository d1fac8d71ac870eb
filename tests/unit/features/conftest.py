from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for each test alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MANYHEADS_CACHE", str(folder))
    return folder
