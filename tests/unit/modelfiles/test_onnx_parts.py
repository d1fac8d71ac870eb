"""What an ONNX file declares, read from bytes that may be anything."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.modelfiles.onnx_parts import read_parts
from tests.networks import save_onnx

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def test_the_input_and_what_lies_beside(tmp_path: Path) -> None:
    found = read_parts(save_onnx(tmp_path / "net.onnx", external="deep/kernel.bin"))
    assert found.inputs == {"image": (None, 3, None, None)}
    assert found.files == {"deep/kernel.bin"}


def test_fixed_sides_are_told(tmp_path: Path) -> None:
    found = read_parts(save_onnx(tmp_path / "net.onnx", batch=1, side=64))
    assert found.inputs == {"image": (1, 3, 64, 64)}
    assert not found.files


def test_a_constant_of_a_node_may_lie_elsewhere_too(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="far", data_type=1, dims=[1], data_location=1)
    tensor.external_data.add(key="location", value="../secret")
    node = onnx.helper.make_node("Constant", [], ["far"], value=tensor)
    inner = onnx.helper.make_graph([node], "inner", [], [])
    outer = onnx.helper.make_node("If", ["yes"], ["far"], then_branch=inner, else_branch=inner)
    graph = onnx.helper.make_graph([outer], "outer", [], [])
    (tmp_path / "net.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    assert read_parts(tmp_path / "net.onnx").files == {"../secret"}


@SHARED
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "any.onnx").write_bytes(data)
    with suppress(ValueError):
        assert isinstance(read_parts(tmp_path / "any.onnx").files, set)


@SHARED
@given(place=st.floats(0, 0.999), byte=st.integers(0, 255), kept=st.floats(0.01, 1))
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, place: float, byte: int, kept: float
) -> None:
    whole = tmp_path / "whole.onnx"
    if not whole.exists():
        save_onnx(whole)
    data = bytearray(whole.read_bytes())
    data[int(place * len(data))] = byte
    (tmp_path / "any.onnx").write_bytes(data[: max(1, int(kept * len(data)))])
    with suppress(ValueError):
        assert isinstance(read_parts(tmp_path / "any.onnx").files, set)
