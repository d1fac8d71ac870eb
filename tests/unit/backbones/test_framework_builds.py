"""A conversion counts for what agrees with the framework: any size, one size, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import framework_builds
from manyheads.backbones.framework_members import Facts, normalisation
from manyheads.backbones.own_programs import read_network
from manyheads.backbones.processors import Preparation
from manyheads.core import openvino_runtime
from manyheads.errors import BackboneError

SIZE = 48


class MeanMember:
    """The means of the channels, times a factor of the framework's, and one of the conversion's.

    A conversion that is `baked` divides by the number of pixels of the size that it was made for,
    as tracing does; a `broken` one is off at every size.
    """

    is_last = False

    def __init__(self, *, baked: bool = False, broken: bool = False) -> None:
        channels = (0.5, 0.5, 0.5)
        how = Preparation(SIZE, None, "bicubic", normalisation(channels, channels))
        self.facts = Facts(how, "", 0, fixed=False, trained=True)
        self._baked, self._broken = baked, broken

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        return {"pooler_output": images.mean((2, 3))}

    def converted(self, batch: int | None, size: int | None) -> Any:
        ov = openvino_runtime.openvino()
        ops = ov.opset13
        images = ops.parameter([batch or -1, 3, size or -1, size or -1], np.float32)
        value = ops.reduce_mean(images, np.array([2, 3]), keep_dims=False)
        if self._baked:
            value = ops.reduce_sum(images, np.array([2, 3]), keep_dims=False)
            value = ops.divide(value, np.float32(SIZE**2))
        value = ops.multiply(value, np.float32(1.1 if self._broken else 1))
        model = ov.Model([ops.result(value)], [images], "mean")
        model.output().get_tensor().set_names({"pooler_output"})
        return model


def build(member: MeanMember, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    class Means:
        version = "1"

        def whole_name(self, member: str) -> str:
            return member

        def opened(self, *_: object, **__: object) -> MeanMember:
            return member

    monkeypatch.setattr(framework_builds, "_imported", lambda *_: Means())
    framework_builds.build("timm", "mean", "1", str(target))
    return target


def test_a_conversion_takes_any_size_if_it_agrees_at_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = build(MeanMember(), tmp_path / "network.xml", monkeypatch)
    assert read_network(file, 71).input().get_shape()[2] == 71


def test_a_conversion_takes_one_size_if_it_disagrees_at_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = build(MeanMember(baked=True), tmp_path / "network.xml", monkeypatch)
    assert read_network(file, SIZE).input().get_shape()[2] == SIZE
    with pytest.raises(BackboneError, match=r"found one of 48; set `image_size` to 48"):
        read_network(file, 71)


def test_a_conversion_that_disagrees_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackboneError, match=r"to convert timm:mean, found .* differ by 0\.1 of"):
        build(MeanMember(broken=True), tmp_path / "network.xml", monkeypatch)
    assert not list(tmp_path.iterdir())
