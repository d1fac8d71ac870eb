"""The arithmetic of the bounds: operations of a head, and the roofline."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import hardware
from benchmarks.bounds import Bounds
from benchmarks.flops import head_epoch_bytes, head_epoch_flops
from benchmarks.parts import rates


def test_a_validation_sample_costs_two_products() -> None:
    found = head_epoch_flops(train=0, validation=1, features=7, units=5, classes=3)
    assert found == 2 * (7 * 5 + 5 * 3)


def test_a_training_sample_costs_every_product_but_the_features_gradient() -> None:
    forward = {"features": 7, "units": 5, "classes": 3}
    inner, outer = 2 * 7 * 5, 2 * 5 * 3
    assert head_epoch_flops(train=4, validation=0, **forward) == 4 * (2 * inner + 3 * outer)


def test_the_lessons_epoch_is_of_the_known_size() -> None:
    assert head_epoch_flops() == 3068 * (2 * 409_600 + 3 * 2_000) + 341 * (409_600 + 2_000)
    # 95 whole batches and a short one; weights and two moments, read and written.
    assert head_epoch_bytes() == 96 * (2049 * 100 + 101 * 10) * 24


@pytest.mark.parametrize(("state", "ideal"), [(1e9, 0.5), (1e12, 0.25)])
def test_the_ideal_is_the_greater_and_the_practical_the_sum(state: float, ideal: float) -> None:
    products, adam = head_epoch_flops() / 0.25, head_epoch_bytes() / 0.75
    scaled = head_epoch_bytes() / 0.5 if state == 1e9 else state
    bounds = Bounds(products=products, state=scaled, adam=adam, image=1000)
    assert bounds.head_ideal == pytest.approx(ideal)
    assert bounds.head_practical == pytest.approx(1.0)
    assert bounds.images == pytest.approx(products / 1000)


def test_the_measured_pass_is_adams() -> None:
    weights, first, second = (np.full(100, value, np.float32) for value in (0.5, 0.1, 0.2))
    rates.adam(weights, first, second, 1)
    m, v = 0.1 + (0.5 - 0.1) * 0.1, 0.2 + (0.25 - 0.2) * 0.001
    np.testing.assert_allclose(first, m, rtol=1e-6)
    np.testing.assert_allclose(second, v, rtol=1e-6)
    np.testing.assert_allclose(weights, 0.5 - m * 1e-3 / np.sqrt(v), rtol=1e-6)


@pytest.mark.when_changed("commands")
def test_every_rate_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "LARGE", 64)
    monkeypatch.setattr(rates, "PASSED", 100_000)
    found = rates.measure(cores=2, l2=2**18, repeats=1)
    assert found["bytes of l2"] <= 2**17  # leaves room in the cache for the rest
    assert all(
        np.isfinite(rate) and rate > 1e6 for name, rate in found.items() if " of" not in name
    )


def test_the_machine_is_described() -> None:
    assert any("cores" in line for line in hardware.processor())
    assert any(line.startswith("numpy ") for line in hardware.versions())
    assert hardware.versions(["no-such-package"]) == hardware.versions([])


def test_others_at_work_are_told_and_oneself_is_not() -> None:
    before = hardware.Activity(load=0.1, wall=100, all_cores=50, own=10)
    alone = hardware.Activity(load=2.0, wall=110, all_cores=70.5, own=30)
    crowd = hardware.Activity(load=4.0, wall=110, all_cores=70, own=15)
    assert len(hardware.disturbance(before, alone)) == 1
    assert "0.05 cores" in hardware.disturbance(before, alone)[0]
    assert "WARNING" in hardware.disturbance(before, crowd)[1]
    assert "1.50 cores" in hardware.disturbance(before, crowd)[0]
    assert hardware.disturbance(None, None)
