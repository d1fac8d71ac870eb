"""What a Keras file is made of, read without Keras: nothing that a file brings along may run.

Keras itself refuses, in its safe mode, what it knows to be dangerous. Here it is the other way
round: what a network of images is made of is allowed, and nothing else reaches Keras.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manyheads.errors import ModelError
from manyheads.modelfiles import keras_archive, keras_files, untrusted

# Keras's own layers that run what the file brings: Python, TensorFlow, PyTorch or JAX code.
# The last two, of Keras 2, look up a function by its name.
_RUNNING = frozenset(
    {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFOpLambda",
     "SlicingOpLambda"}
)  # fmt: skip
# Keras looks up a class by its module and name, and some of its functions do harm when called.
_MODULES = re.compile(
    r"(keras(\.(layers|models|initializers|regularizers|constraints|losses|metrics|activations"
    r"|optimizers|optimizers\.schedules|dtype_policies))?"
    r"|keras\.src\.(models|engine|layers|applications|dtype_policies|ops\.(numpy|nn|image|math))(\.\w+)*)?"
)
_CLASS = re.compile(r"[A-Z]\w*|__(keras_tensor|tensor|tuple|ellipsis|slice)__")
_OPERATIONS = {("keras.src.ops.core", "Cast")}  # others there call functions
_SIZES = frozenset(
    {"units", "filters", "kernel_size", "strides", "dilation_rate", "pool_size", "size", "padding",
     "cropping", "depth_multiplier", "groups", "n", "input_dim", "output_dim", "shape",
     "batch_shape", "batch_input_shape", "input_shape", "target_shape"}
)  # fmt: skip
_REMEDY = "use models of manyheads, or leave it out where the model is made"
_LARGEST = 1_000_000  # pixels, units or steps


def check_parts(file: Path, remedy: str = _REMEDY) -> None:
    """Raise `ModelError` unless `file` (.keras or .h5) is a model of Keras's own, plain parts.

    `remedy` says what to do about a part that could run code.
    """
    try:
        config = _h5_config(file) if file.suffix == ".h5" else keras_archive.config(file)
    except (OSError, ValueError) as error:
        raise _damaged(file, error) from error
    check_config(config, file, remedy)


def check_config(config: dict[str, Any], file: Path, remedy: str = _REMEDY) -> None:
    """Raise `ModelError` unless all that opening `config` would make is plain, and no giant."""
    for entry in _dictionaries(config):
        if "class_name" in entry:
            _check_class(entry, file, remedy)
        for key in _SIZES & entry.keys():
            if any(abs(number) > _LARGEST for number in _numbers(entry[key])):
                raise _damaged(file, f"a {key} of {str(entry[key])[:60]}")


def check_file(file: Path, remedy: str = _REMEDY) -> None:
    """Raise `ModelError` unless `file` has plain parts and plain arrays.

    Opens HDF5, so it is called in child processes only: before Keras opens the file there.
    """
    check_config(_config(file), file, remedy)


def h5_config(file: str) -> dict[str, Any]:
    """The configuration in an HDF5 file; called in a child process, which the file may end."""
    untrusted.bound(Path(file))
    return _config(Path(file))


def _config(file: Path) -> dict[str, Any]:
    try:
        with keras_files.opened(file) as (config, _):
            if config is None:
                raise ValueError("weights without a model")
            return config
    except (OSError, ValueError, LookupError, TypeError, MemoryError) as error:
        raise _damaged(file, error) from error


def _h5_config(file: Path) -> dict[str, Any]:
    return untrusted.call(h5_config, {"file": str(file)}, lambda found: _damaged(file, found))


def _check_class(entry: dict[str, Any], file: Path, remedy: str) -> None:
    module, name = str(entry.get("module") or ""), str(entry["class_name"])
    registered = entry.get("registered_name")
    known = _MODULES.fullmatch(module) or (module, name) in _OPERATIONS
    plain = name not in _RUNNING and _CLASS.fullmatch(name) and known
    if plain and registered in (None, name, f"Keras>{name}", f"keras>{name}"):
        return
    name = name if registered is None else str(registered)
    raise ModelError(
        f"only plain layers of Keras in {file}",
        f"{module}.{name}"[:120] + ", which can run any code" if module else f"a {name[:80]} layer",
        remedy,
    )


def _dictionaries(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            yield entry
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list):
        for entry in value:
            yield from _numbers(entry)
    elif isinstance(value, int | float):
        yield value


def _damaged(file: Path, found: Exception | str) -> ModelError:
    line = (str(found).splitlines() or [type(found).__name__])[0]
    remedy = "export it again from its run folder, or save it anew"
    return ModelError(f"a whole Keras model in {file}", line, remedy)
