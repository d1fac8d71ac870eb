"""What a runtime answers is taken batch by batch, and how many images it takes is found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.errors import ModelError
from manyheads.models.export import runtimes
from manyheads.models.export.formats import FORMATS

PIXELS = np.arange(11 * 2 * 2 * 3, dtype=np.uint8).reshape(11, 2, 2, 3)
Run = Callable[[np.ndarray], np.ndarray]


def sums(batch: np.ndarray) -> np.ndarray:
    """An answer that tells the images apart."""
    return batch.reshape(len(batch), -1).sum(axis=1, dtype=np.float32, keepdims=True)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], dict[str, Any]]:
    """Ask a runtime that computes with a function, and see that the answers are of the images."""
    np.save(tmp_path / "pixels.npy", PIXELS)

    def asked(run: Run) -> dict[str, Any]:
        monkeypatch.setitem(runtimes._OPENERS, "onnx", lambda _: ("Abacus 1.0", run))
        pixels, target = str(tmp_path / "pixels.npy"), tmp_path / "answers.npy"
        answer = runtimes.answer("onnx", "best.onnx", pixels, str(target))
        np.testing.assert_array_equal(np.load(target), sums(PIXELS))
        return answer

    return asked


def test_any_number_of_images(ask: Callable[[Run], dict[str, Any]]) -> None:
    batches = []

    def run(batch: np.ndarray) -> np.ndarray:
        batches.append(len(batch))
        return sums(batch)

    assert ask(run) == {"runtime": "Abacus 1.0", "any_batch": True}
    assert batches == [1, 8, 2]


def test_one_image_at_a_time(ask: Callable[[Run], dict[str, Any]]) -> None:
    def run(batch: np.ndarray) -> np.ndarray:
        if len(batch) > 1:
            raise RuntimeError("a batch of 1 is what I take")
        return sums(batch)

    assert ask(run) == {"runtime": "Abacus 1.0", "any_batch": False}


def test_a_runtime_that_fails(ask: Callable[[Run], dict[str, Any]]) -> None:
    def run(batch: np.ndarray) -> np.ndarray:
        raise RuntimeError(f"no kernel for {batch.dtype}\nand more")

    with pytest.raises(ModelError, match=r"can open and run, found no kernel for uint8;"):
        ask(run)


def test_every_format_has_its_runtime() -> None:
    assert list(runtimes._OPENERS) == list(FORMATS)
