"""On real photographs with a planted logo, maps point at it when the head has learnt it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.explain import IMAGE, LOGO, TARGET, answers, correlations, maps_of
from benchmarks.pointing import Photographs, Pointing, logo_cells, trained
from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.data.dataset import open_dataset
from manyheads.heads.head import glorot_parameters
from manyheads.models.explain.maps import METHODS

TRAIN, ASKED = 3, 3  # every third photograph of either kind


@pytest.mark.slow
def test_maps_of_photographs_hold_the_known_tests(clothing: Path) -> None:
    whole = open_dataset(clothing)
    kept = [whole.rows("train")[::TRAIN], whole.rows("validation")[::ASKED]]
    left_out = np.setdiff1d(np.arange(len(whole)), np.concatenate(kept))
    dataset = whole.without(left_out.tolist())
    spec = registry.get("xception")
    data = Photographs(dataset, spec, resolve(spec), IMAGE)
    target, asked = dataset.classes.index(TARGET), dataset.rows("validation")
    (marked,) = trained(data, LOGO, target, seeds=1, epochs=10)
    (plain,) = trained(data, None, target, seeds=1, epochs=10)

    grids = data.grids(asked, LOGO)
    boxes = [
        logo_cells(LOGO, IMAGE.size, dataset.digests[image], grids.shape[1:3])
        for image in asked.tolist()
    ]
    chance = Pointing.chance(boxes)
    for method in METHODS:
        learnt, not_learnt = (
            Pointing.of(maps_of(head, grids, method, [target] * len(grids)), boxes)
            for head in (marked, plain)
        )
        assert learnt.on > 3 * chance.on
        assert learnt.touching > 2.5 * chance.touching
        assert not_learnt.on < 2.5 * chance.on
        assert not_learnt.touching < 2.5 * chance.touching

    grids = data.grids(asked)
    targets = answers(plain, grids)
    features, units = plain.inner_kernel.shape
    random = [
        glorot_parameters(features, units, len(plain.bias), np.random.default_rng(seed))
        for seed in range(10)
    ]
    for method in METHODS:
        own = maps_of(plain, grids, method, targets)
        found = [correlations(own, maps_of(head, grids, method, targets)) for head in random]
        assert np.mean(found) < 0.3  # of two seeds of training: 0.9
