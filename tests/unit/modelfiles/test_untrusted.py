"""A child that a file ends is an error with a clear word, and nothing worse."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from manyheads.errors import ModelError, SettingError
from manyheads.modelfiles import untrusted

TASKS = "tests.unit.backbones.child_tasks"


def refusal(found: str) -> ModelError:
    return ModelError("a model", found, "give another")


@pytest.mark.parametrize("task", ["vanish_at", "spin", "fill"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bounds")
def test_what_ends_the_child_is_refused(tmp_path: Path, task: str) -> None:
    file = tmp_path / "model.h5"
    file.write_bytes(b"small")
    with pytest.raises(ModelError, match="one that cannot be read to its end"):
        untrusted.call(f"{TASKS}:{task}", {"file": str(file)}, refusal)


def test_what_the_child_raises_on_purpose_is_raised() -> None:
    arguments = {"kind": "SettingError", "details": ["a", "b", "c"]}
    with pytest.raises(SettingError, match="expected a, found b; c"):
        untrusted.call(f"{TASKS}:refuse", arguments, refusal)
