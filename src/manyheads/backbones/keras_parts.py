"""What a Keras file is made of, read without Keras: nothing that a file brings along may run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manyheads.errors import ModelError

# Keras's own layers that run what the file brings: Python, TensorFlow, PyTorch or JAX code.
_RUNNING = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_REMEDY = "use only models that `manyheads export` has written"
_LONGEST = 1 << 26  # bytes of a configuration; the largest backbone's has fewer than 2²¹


def check_parts(file: Path, remedy: str = _REMEDY) -> None:
    """Raise `ModelError` unless `file` (.keras or .h5) is a model of Keras's own, plain parts.

    `remedy` says what to do about a part that could run code.
    """
    try:
        config = _h5_config(file) if file.suffix == ".h5" else _keras_config(file)
        parts = list(_parts(config))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"a whole Keras model in {file}",
            (str(error).splitlines() or [type(error).__name__])[0],
            "export it again from its run folder",
        ) from error
    for module, name in parts:
        if name in _RUNNING or module.partition(".")[0] not in ("", "keras"):
            raise ModelError(
                f"only plain layers of Keras in {file}",
                f"{module}.{name}, which can run any code" if module else f"a {name} layer",
                remedy,
            )


def _keras_config(file: Path) -> Any:
    with zipfile.ZipFile(file) as archive:
        size = archive.getinfo("config.json").file_size
        if size > _LONGEST:
            raise ValueError(f"a configuration of {size:,} bytes")
        return json.loads(archive.read("config.json"))


def _h5_config(file: Path) -> Any:
    import h5py

    with h5py.File(file, "r") as opened:
        if "model_config" not in opened.attrs:
            raise ValueError("weights without a model")
        config: Any = opened.attrs["model_config"]
        return json.loads(config)


def _parts(config: Any) -> Iterator[tuple[str, str]]:
    """The module and the class of everything that opening `config` would make."""
    waiting = [config]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            if "class_name" in entry:
                yield str(entry.get("module") or ""), str(entry["class_name"])
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry
