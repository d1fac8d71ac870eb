"""A backbone's arrays as one safetensors file: numbered in Keras's order, float32."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.places import atomic_path

_BLOCK = 1 << 24


def digest(arrays: Iterable[np.ndarray[Any, Any]]) -> str:
    """SHA-256, in hexadecimal, over the arrays as little-endian float32, in their order."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.asarray(array, "<f4").tobytes())
    return total.hexdigest()


def save(path: Path, arrays: Sequence[np.ndarray[Any, Any]], metadata: dict[str, str]) -> str:
    """Write the arrays whole or not at all; their digest joins the metadata and is returned."""
    from safetensors.numpy import save_file

    tensors = {
        f"{index:03d}": np.asarray(array, "<f4", order="C") for index, array in enumerate(arrays)
    }
    found = digest(tensors.values())
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={**metadata, "digest": found})
    return found


def load(path: Path) -> list[np.ndarray[Any, Any]]:
    """The arrays in Keras's order; raises `ValueError` or `OSError` if the file is not whole."""
    with _opened(path) as file:
        return [file.get_tensor(key) for key in sorted(file.keys(), key=int)]


def stored_digest(path: Path) -> str:
    """`digest` of the arrays in a file of `save`, without loading them; raises like `load`."""
    with _opened(path), path.open("rb", buffering=0) as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        keys = sorted(header.keys() - {"__metadata__"}, key=int)
        starts = [header[key]["data_offsets"][0] for key in keys]
        if starts != sorted(starts):  # `save` leaves their order to the library
            return digest(load(path))
        total = hashlib.sha256()
        while block := file.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def metadata(path: Path) -> dict[str, str]:
    """What `save` was told beside the arrays; raises like `load`."""
    with _opened(path) as file:
        return dict(file.metadata() or {})


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, "numpy")
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
