"""Few images alone: the same bits as in a batch, or the batch."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import exported, single_images
from manyheads.backbones.compiled import OpenVinoBackbone, loaded
from manyheads.backbones.exported import Program
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.single_images import SingleImageBackbone
from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from tests.jobs import stopped_job

SIZE = 32


def images(count: int) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def program(small: BackboneSpec, small_weights: Weights) -> Program:
    return exported.program(small, small_weights, SIZE)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch sizes that programs are compiled for."""
    compiled: list[int] = []

    class Counted(OpenVinoBackbone):
        def __init__(self, program: Program, size: int, batch: int) -> None:
            compiled.append(batch)
            super().__init__(program, size, batch)

    def counted(program: Program, size: int, images: int = 0) -> OpenVinoBackbone:
        compiled.append(program.batch_for(size))
        return loaded(program, size, images)

    monkeypatch.setattr(single_images, "OpenVinoBackbone", Counted)
    monkeypatch.setattr(single_images, "loaded", counted)
    return compiled


def test_few_images_get_the_bits_of_a_batch(program: Program) -> None:
    pixels = images(37)
    with loaded(program, SIZE) as whole, SingleImageBackbone(program, SIZE) as found:
        assert found.same_alone
        for cuts in ([0, 1], [0, 5], [0, 16], [0, 16, 32, 37], [0, 3, 19, 20, 36]):
            parts = [pixels[a:b] for a, b in itertools.pairwise(cuts)]
            wanted, got = (dict(each.run(enumerate(parts))) for each in (whole, found))
            assert wanted.keys() == got.keys()
            for key, rows in wanted.items():
                np.testing.assert_array_equal(got[key], rows)


def test_measuring_disturbs_no_batch_under_way(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first images that a program ever sees: whole batches, and some that are left over."""
    monkeypatch.setattr(single_images, "remembered", lambda _: {})
    parts = [images(16), images(5)]
    with loaded(program, SIZE) as whole, SingleImageBackbone(program, SIZE) as found:
        wanted, got = (dict(each.run(enumerate(parts))) for each in (whole, found))
    for key, rows in wanted.items():
        np.testing.assert_array_equal(rows, got[key])


def test_what_was_measured_once_is_known(
    program: Program, sizes: list[int], own_cache: Path
) -> None:
    for expected in ([1, 16], [1]):
        sizes.clear()
        list(SingleImageBackbone(program, SIZE).run([(0, images(1))]))
        assert sorted(sizes) == expected
    assert set(json.loads((own_cache / "single.json").read_text()).values()) == {True}


def test_where_bits_differ_the_batch_is_padded(
    program: Program, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    class Other(OpenVinoBackbone):
        def run(self, batches: Any, *, job: Job = SILENT) -> Any:
            return ((key, np.nextafter(rows, 1)) for key, rows in super().run(batches, job=job))

    monkeypatch.setattr(single_images, "OpenVinoBackbone", Other)
    pixels = images(3)
    ((_, rows),) = SingleImageBackbone(program, SIZE).run([(0, pixels)])
    ((_, wanted),) = loaded(program, SIZE).run([(0, pixels)])
    np.testing.assert_array_equal(rows, wanted)
    assert set(json.loads((own_cache / "single.json").read_text()).values()) == {False}


def test_a_network_of_a_fixed_batch_is_padded(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fixed(OpenVinoBackbone):
        def __init__(self, *_: Any) -> None:
            raise RuntimeError("incompatible with input shape")

    monkeypatch.setattr(single_images, "OpenVinoBackbone", Fixed)
    found = SingleImageBackbone(program, SIZE)
    found._known_as = lambda: "another"  # type: ignore[method-assign]
    ((_, rows),) = found.run([(0, images(3))])
    assert rows.shape == (3, program.features)
    assert not found.same_alone


def test_a_stop_ends_it(program: Program) -> None:
    job = stopped_job()
    assert list(SingleImageBackbone(program, SIZE).run([(0, images(3))], job=job)) == []
