"""The number of inference streams: measured when that pays, then remembered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import inference_streams
from manyheads.backbones.inference_streams import WORTHWHILE, Measured, best_streams, timed

pytestmark = pytest.mark.usefixtures("own_cache")


class Machine:
    """Rates by number of streams; `odd` ones change the last bit of the features."""

    def __init__(self, rates: dict[int, float], odd: tuple[int, ...] = ()) -> None:
        self.rates, self.odd, self.measured = rates, odd, []

    def measure(self, count: int) -> Measured:
        self.measured.append(count)
        features = np.ones(3, np.float32)
        if count in self.odd:
            features[0] = np.nextafter(features[0], np.float32(2))
        return self.rates[count], features

    def best(self, guess: int = 2, images: int = WORTHWHILE) -> int:
        return best_streams("a program", guess, self.measure, images)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference_streams, "cores", lambda: 4)


def test_the_fastest_is_found_and_remembered() -> None:
    machine = Machine({1: 50.0, 2: 40.0, 4: 45.0})
    assert machine.best() == 1
    assert machine.measured == [2, 1, 4]
    assert machine.best(images=1) == 1
    assert len(machine.measured) == 3


def test_few_images_are_not_worth_measuring() -> None:
    machine = Machine({})
    assert machine.best(images=WORTHWHILE - 1) == 2
    assert machine.measured == []


def test_hardly_faster_is_not_faster() -> None:
    assert Machine({1: 40.5, 2: 40.0, 4: 39.0}).best() == 2


def test_a_setting_that_changes_a_bit_is_refused() -> None:
    assert Machine({1: 90.0, 2: 40.0, 4: 45.0}, odd=(1,)).best() == 4


@pytest.mark.parametrize("content", ["{", "[]", '{"a program": 64}', '{"a program": "two"}'])
def test_a_memory_that_makes_no_sense_is_measured_anew(content: str, own_cache: Path) -> None:
    own_cache.mkdir()
    (own_cache / "streams.json").write_text(content)
    assert Machine({1: 50.0, 2: 40.0, 4: 45.0}).best() == 1
    assert json.loads((own_cache / "streams.json").read_text()) == {"a program": 1}


def test_timing_passes_until_it_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass takes a tenth of a second: two and four of them less than a second, and eight too."""
    counts: list[int] = []
    monkeypatch.setattr(inference_streams.time, "perf_counter", lambda: sum(counts) / 10)

    def run(passes: int) -> np.ndarray:
        counts.append(passes)
        return np.zeros(1)

    rate, _ = timed(run, 20)
    assert counts == [1, 2, 4, 8, 16]
    assert rate == pytest.approx(200)
