"""A trained head in a file: safetensors, which holds arrays and text and can run nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.places import atomic_path
from manyheads.errors import ModelError
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import as_named


def save_head(path: Path, parameters: Parameters, about: Mapping[str, float | str]) -> None:
    """Write `parameters` with a few values `about` them, whole or not at all.

    Equal heads give equal files.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name, array in parameters._asdict().items()}
    # One entry, because safetensors writes several in an order of chance.
    data = save(arrays, metadata={"about": json.dumps(about, sort_keys=True)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def load_head(path: Path) -> tuple[Parameters, dict[str, Any]]:
    """The parameters in `path` and the values about them; raises `ModelError` if it is no head."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            arrays = [file.get_tensor(name) for name in Parameters._fields]
            return Parameters(*arrays), as_named(json.loads((file.metadata() or {})["about"]))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"a head in {path}", str(error), "repeat the command that made it"
        ) from error
