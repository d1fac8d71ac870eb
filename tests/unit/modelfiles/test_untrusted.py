"""A child that a file ends is an error with a clear word, and nothing worse."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import ModelError, SettingError
from manyheads.modelfiles import untrusted
from tests.unit.backbones import child_tasks


def refusal(found: str) -> ModelError:
    return ModelError("a model", found, "give another")


@pytest.mark.parametrize("task", [child_tasks.vanish_at, child_tasks.spin, child_tasks.fill])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bounds")
def test_what_ends_the_child_is_refused(
    tmp_path: Path, task: Callable[..., dict[str, Any]]
) -> None:
    file = tmp_path / "model.h5"
    file.write_bytes(b"small")
    with pytest.raises(ModelError, match="one that cannot be read to its end"):
        untrusted.call(task, {"file": str(file)}, refusal)


def test_what_the_child_raises_on_purpose_is_raised() -> None:
    arguments = {"kind": "SettingError", "details": ["a", "b", "c"]}
    with pytest.raises(SettingError, match="expected a, found b; c"):
        untrusted.call(child_tasks.refuse, arguments, refusal)
