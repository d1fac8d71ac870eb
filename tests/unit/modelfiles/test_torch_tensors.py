from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.modelfiles import torch_tensors
from manyheads.modelfiles.torch_tensors import read_tensors
from tests.torch_files import (
    SYSTEM,
    Call,
    Storage,
    checkpoint,
    described,
    pickled,
    saved,
    torch_names,
)

NUMBERS = np.arange(24, dtype=np.float32)
TENSORS = {
    "stem.weight": NUMBERS.reshape(2, 3, 2, 2),
    "stem.bias": np.array([-1.5, 2.5], np.float32),
    "batches": np.array(7, np.int64),
}


def state_of(*tensors: Call | Storage | object) -> Any:
    return OrderedDict((f"t{place}", each) for place, each in enumerate(tensors))


def one(
    shape: tuple[int, ...], strides: tuple[int, ...], count: int = 24, offset: int = 0
) -> bytes:
    """A file with one tensor of 24 numbers."""
    with torch_names() as torch:
        storage = Storage("1", torch.FloatStorage, count)
        state = state_of(described(torch, storage, shape, strides, offset))
        return checkpoint(state, {"1": NUMBERS})


def test_tensors_come_in_their_order_and_shapes() -> None:
    found = read_tensors(saved(TENSORS))
    assert list(found) == list(TENSORS)
    for name, wanted in TENSORS.items():
        np.testing.assert_array_equal(found[name], wanted)
        assert found[name].dtype == wanted.dtype
    assert found["stem.weight"].flags.writeable is False


def test_tensors_may_be_parts_of_one_storage() -> None:
    with torch_names() as torch:
        storage = Storage("1", torch.FloatStorage, 24)
        parts = [described(torch, storage, (4,), (1,), at) for at in (0, 20)]
        found = read_tensors(checkpoint(state_of(*parts), {"1": NUMBERS}))
    assert [part.tolist() for part in found.values()] == [[0, 1, 2, 3], [20, 21, 22, 23]]


class _Built:
    """An object whose attributes a pickle sets."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def hostile(torch: Any, witness: Path) -> dict[str, Any]:
    command = f"touch {witness}"
    chain = Call(getattr, Call(__import__, "os"), "system")
    return {
        "a command": Call(os.system, command),
        "code": Call(eval, f"open({str(witness)!r}, 'w')"),
        "a chain of getattr": Call(pickle.loads, Call(getattr, chain, "__call__")),
        "a pickle inside": Call(pickle.loads, pickle.dumps(Call(os.system, command))),
        "a class": _Built(command=command),
        "another of its functions": Call(torch.FloatStorage, 8),
        "a dictionary of something": Call(OrderedDict, [("a", 1)]),
        "a bytearray": bytearray(10),
    }


@pytest.mark.parametrize("name", list(hostile(torch=_Built(FloatStorage=None), witness=Path())))
@pytest.mark.parametrize("whole", [True, False])
def test_what_runs_code_is_refused_and_not_run(tmp_path: Path, name: str, whole: bool) -> None:
    witness = tmp_path / "witness"
    with torch_names() as torch:
        value = hostile(torch, witness)[name]
        content = checkpoint(value if whole else state_of(value), {})
    with pytest.raises(ValueError, match=r"no tensor needs|no dictionary of tensors"):
        read_tensors(content)
    assert not witness.exists()


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_other_protocols_are_refused(protocol: int) -> None:
    with pytest.raises(ValueError, match="no tensor needs"):
        read_tensors(pickle.dumps(Call(os.system, "true"), protocol))


def test_attributes_are_not_set() -> None:
    """Neither on what a pickle only names: a method of ours could be replaced."""
    before = dict(vars(torch_tensors))
    named = pickled(_named_function).removesuffix(b".")
    built = named + pickled({"__defaults__": (1,)})[2:-1] + b"b."
    content = checkpoint({}, {}).replace(pickled({}), built)
    with pytest.raises(ValueError, match="no dictionary of tensors"):
        read_tensors(content)
    assert vars(torch_tensors) == before


def _named_function() -> None: ...


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((25,), (1,), 0),
        ((24,), (1,), 1),
        ((2, 12), (24, 1), 0),
        ((10**9, 10**9), (0, 0), 0),
        ((2**70,), (0,), 0),
        ((0, 10**30), (1, 1), 0),
        ((-1,), (1,), 0),
        ((4,), (-1,), 8),
        ((4,), (1,), -8),
        ((4,), (1, 1), 0),
        ((2.0,), (1,), 0),
        (("4",), (1,), 0),
    ],
)
def test_tensors_beyond_their_numbers_are_refused(shape: Any, strides: Any, offset: int) -> None:
    with pytest.raises(ValueError, match=r"a tensor|as a number|zip|BINFLOAT|share"):
        read_tensors(one(shape, strides, offset=offset))


@pytest.mark.parametrize("count", [-1, 23, 25, 2**40, 2**62, 2**70, 24.0, True])
def test_sizes_that_are_not_those_of_the_numbers_are_refused(count: Any) -> None:
    with pytest.raises(
        ValueError, match=r"cut short|as a number|OverflowError|BINFLOAT|beyond|of \d+ numbers"
    ):
        read_tensors(one((4,), (1,), count=count))


def test_a_small_file_does_not_become_a_large_one() -> None:
    """Many tensors of the same numbers, of which a copy each would fill the memory."""
    with torch_names() as torch:
        storage = Storage("1", torch.FloatStorage, 24)
        state = state_of(*(described(torch, storage, (24,), (1,)) for _ in range(100)))
        content = checkpoint(state, {"1": NUMBERS})
    with pytest.raises(ValueError, match="share their numbers"):
        read_tensors(content)


def test_a_pickle_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_tensors, "_LONGEST", 1000)
    with pytest.raises(ValueError, match="more than 1,000 instructions"):
        read_tensors(b"\x80\x02" + b"N" * 2000 + b".")


@pytest.mark.when_changed("model files")
def test_nesting_without_end_is_refused() -> None:
    nested = b")" + 100_000 * b"\x85"  # tuples of one tuple
    dimension = one((4096,), (1,)).replace(pickled(4096)[2:-1], nested)
    keys = b"\x80\x02](" + nested + nested + b"e."
    for content in (dimension, checkpoint({}, {}).replace(pickled([]), keys)):
        assert nested in content
        with pytest.raises(ValueError, match=r"."):
            read_tensors(content)


def test_other_storages_are_refused() -> None:
    for kind, where in (("ByteStorage", "cpu"), ("FloatStorage", "cuda:0")):
        with torch_names() as torch:
            storage = Storage("1", getattr(torch, kind), 24, where)
            content = checkpoint(state_of(described(torch, storage, (24,), (1,))), {"1": NUMBERS})
        with pytest.raises(ValueError, match=r"the type torch ByteStorage|kept elsewhere"):
            read_tensors(content)


def test_a_file_that_is_cut_short_or_goes_on_is_refused() -> None:
    content = saved(TENSORS)
    for length in range(0, len(content), 7):
        with pytest.raises(ValueError, match=r"."):
            read_tensors(content[:length])
    with pytest.raises(ValueError, match="more in it than tensors"):
        read_tensors(content + b"\0")


def test_other_files_are_refused() -> None:
    big = {**SYSTEM, "little_endian": False}
    for content in (b"PK\x03\x04", b"\x80\x02.", pickled(1), checkpoint({}, {}, big), bytes(99)):
        with pytest.raises(ValueError, match=r"."):
            read_tensors(content)


def test_damaged_bytes_are_refused_or_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever single bytes become, nothing but a `ValueError` comes of it."""
    monkeypatch.setattr(torch_tensors, "_LONGEST", 2000)
    content, generator = saved(TENSORS), np.random.default_rng(5)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 1 + generator.integers(3)):
            damaged[place] = generator.integers(256)
        try:
            read_tensors(bytes(damaged))
        except ValueError:
            refused += 1
    assert refused > 500
