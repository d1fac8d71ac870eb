"""HDF5 files that hold more than plain arrays are refused, each with a word on what is wrong."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from manyheads.modelfiles import hdf5

Made = Callable[[h5py.File], None]


def written(file: Path, make: Made) -> Path:
    with h5py.File(file, "w") as group:
        group["model_weights/dense/kernel"] = np.ones((3, 2), np.float32)
        make(group)
    return file


def test_what_keras_writes_is_read(tmp_path: Path) -> None:
    def make(group: h5py.File) -> None:
        group.attrs["model_config"] = "{}"
        group.attrs["weight_names"] = ["kernel:0", "bias:0"]
        group.attrs["none"] = np.array([])
        group["model_weights/empty"] = np.zeros(0, np.float32)
        group["optimizer_weights/iteration"] = np.int64(7)

    file = written(tmp_path / "model.h5", make)
    for source in (file, io.BytesIO(file.read_bytes())):
        with hdf5.opened(source) as group:
            assert list(group.attrs["weight_names"]) == ["kernel:0", "bias:0"]
            np.testing.assert_array_equal(group["model_weights/dense/kernel"], np.ones((3, 2)))


def external(group: h5py.File) -> None:
    group["model_weights/elsewhere"] = h5py.ExternalLink("/etc/secret.h5", "/x")


def soft(group: h5py.File) -> None:
    group["model_weights/elsewhere"] = h5py.SoftLink("/model_weights/dense")


def kept_outside(group: h5py.File) -> None:
    group.create_dataset("secret", (16,), "u1", external=[("/etc/passwd", 0, 16)])


def made_up(group: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4,))
    group.create_virtual_dataset("secret", layout)


def bomb(group: h5py.File) -> None:
    group.create_dataset(
        "zeros", (1000, 1000), "f4", compression="gzip", data=np.zeros((1000,) * 2)
    )


def pieces(group: h5py.File) -> None:
    group.create_dataset("pieces", (10**6, 10**6), "f4", chunks=(10, 10))


def unwritten(group: h5py.File) -> None:
    group.create_dataset("giant", (10**6, 10**6), "f4")


def circle(group: h5py.File) -> None:
    group["model_weights/again"] = group["model_weights"]


def strings(group: h5py.File) -> None:
    group.create_dataset("words", (3,), h5py.string_dtype())


def objects(group: h5py.File) -> None:
    group.attrs["pointer"] = group["model_weights"].ref


def compound(group: h5py.File) -> None:
    group["pairs"] = np.zeros(3, [("a", "f4"), ("b", "i4")])


def named_type(group: h5py.File) -> None:
    group["kind"] = np.dtype("f4")


def deep(group: h5py.File) -> None:
    group["/".join("x" * 40)] = np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (external, "model_weights/elsewhere as a link to elsewhere"),
        (soft, "model_weights/elsewhere as a link to elsewhere"),
        (kept_outside, "secret kept in another file"),
        (made_up, "secret kept in another file"),
        (bomb, "zeros in pieces or compressed"),
        (pieces, "pieces in pieces or compressed"),
        (unwritten, "giant of 4,000,000,000,000 bytes"),
        (circle, "linked twice"),
        (strings, "words of object, which is no number"),
        (objects, "the attribute pointer of another kind"),
        (compound, "pairs of .*, which is no number"),
        (named_type, "kind as neither a group nor an array"),
        (deep, "too deep"),
    ],
)
def test_what_keras_would_not_write(tmp_path: Path, make: Made, reason: str) -> None:
    file = written(tmp_path / "model.h5", make)
    with pytest.raises(ValueError, match=reason), hdf5.opened(file):
        pass


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "_OBJECTS", 50)

    def make(group: h5py.File) -> None:
        for n in range(60):
            group.create_group(f"g{n}")

    with (
        pytest.raises(ValueError, match="with 61 entries"),
        hdf5.opened(written(tmp_path / "model.h5", make)),
    ):
        pass


def test_arrays_that_share_their_bytes(tmp_path: Path) -> None:
    """Many arrays on one place would be more than the file."""
    file = tmp_path / "model.h5"
    with h5py.File(file, "w") as group:
        for n in range(4):
            group[f"a{n}"] = np.full(50_000, n, np.float32)
        places = [array_of(group, n).id.get_offset() for n in range(4)]
    data = file.read_bytes()
    for place in places[1:]:
        data = data.replace(place.to_bytes(8, "little"), places[0].to_bytes(8, "little"))
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises((ValueError, OSError)), hdf5.opened(file):
        pass


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" * 50])
def test_no_hdf5_at_all(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.h5"
    file.write_bytes(content)
    with pytest.raises(OSError, match=r"."), hdf5.opened(file):
        pass


def array_of(group: h5py.File, number: int) -> Any:
    return group[f"a{number}"]
