from __future__ import annotations

import pytest

from manyheads.backbones import registry, weights
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights


@pytest.fixture(scope="session")
def small() -> BackboneSpec:
    """The backbone that Keras builds fastest."""
    return registry.get("mobilenet_v3_small")


@pytest.fixture(scope="session")
def small_weights(small: BackboneSpec) -> Weights:
    return weights.resolve(small, "random:1")
