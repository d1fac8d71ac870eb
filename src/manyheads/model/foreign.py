"""A model file of others, taken apart; called in a child process, which the file may end.

What comes out is plain: a few facts, and the arrays of the head in safetensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import arrays, keras_files, untrusted
from manyheads.backbones.keras_files import Arrays
from manyheads.backbones.keras_parts import check_config
from manyheads.errors import ModelError
from manyheads.model.head_configs import HeadConfig, read_config

_UNTOLD = HeadConfig(size=None, dense=(), relu=True, softmax=False, droprate=0.0, backbone=None)


def take_head(file: str, target: str) -> dict[str, Any]:
    """Write the arrays of a model's head to `target`; answers with what the file tells of it.

    The arrays are those of `Parameters`, in their order. Raises `ModelError` for a head of
    another kind, and for a file that is no model.
    """
    path = Path(file)
    untrusted.bound(path)
    try:
        with keras_files.opened(path) as (config, group):
            if config is not None:
                check_config(config, path)
            told = _UNTOLD if config is None else read_config(config)
            dense = _dense(config, group, told)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        raise refusal(path, reason_of(error)) from error
    problem = _problem(dense)
    if problem:
        raise refusal(path, problem)
    arrays.save(Path(target), _parameters(dense, told.relu), {})
    return {
        "size": told.size,
        "droprate": told.droprate,
        "softmax": told.softmax,
        "backbone": told.backbone,
        "folded": len(dense) == 2 and not told.relu,
        "told": config is not None,
    }


def stored_head(file: str, target: str) -> dict[str, Any]:
    """Write the arrays of the head in a `.keras` file of ours to `target`, as `Parameters`."""
    path = Path(file)
    untrusted.bound(path)
    try:
        with keras_files.opened(path) as (_, group):
            dense = _newer(group)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        raise no_head(path, reason_of(error)) from error
    problem = _problem(dense)
    if problem:
        raise no_head(path, problem)
    arrays.save(Path(target), _parameters(dense, relu=True), {})
    return {}


def no_head(file: Path, found: str) -> ModelError:
    """The error for a file in which there is no head as `templates.write_model` writes it."""
    return ModelError(
        f"a head on its backbone in {file}", found, "export it again from its run folder"
    )


def refusal(file: Path, found: str) -> ModelError:
    """The error for a file that is no model of the lesson's kind."""
    return ModelError(
        f"a frozen backbone, pooling and a head of one or two dense layers in {file}",
        found,
        "give a model of the lesson's kind that Keras has saved, as .keras or .h5",
    )


def reason_of(error: Exception) -> str:
    """What a library says of a file, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


Layer = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def _dense(config: dict[str, Any] | None, group: Any, told: HeadConfig) -> list[Layer]:
    """Kernel and bias of each dense layer of the head, in order."""
    networks = keras_files.found(config, group)
    if not networks:
        return _newer(group)
    layers = networks[0].layers
    names = told.dense or [name for name, kept in layers[-2:] if _is_pair(kept)]
    held = dict(layers)
    return [_pair(held[name]) for name in names]


def _newer(group: Any) -> list[Layer]:
    """The dense layers in a file of Keras 3, where they are numbered by their class."""
    layers = group["layers"]
    present = [layers[key]["vars"] for key in ("dense", "dense_1", "dense_2") if key in layers]
    return [_pair([kept[str(index)][()] for index in range(len(kept))]) for kept in present]


def _pair(kept: Arrays) -> Layer:
    if not _is_pair(kept):
        raise ValueError(f"a dense layer of {len(kept)} arrays")
    return kept[0], kept[1]


def _is_pair(kept: Arrays) -> bool:
    return [array.ndim for array in kept] == [2, 1] and kept[0].shape[1:] == kept[1].shape


def _problem(dense: list[Layer]) -> str:
    if len(dense) not in (1, 2):
        return f"{len(dense)} dense layers"
    if len(dense) == 2 and dense[0][0].shape[1] != dense[1][0].shape[0]:
        return f"dense layers of {dense[0][0].shape} and {dense[1][0].shape}"
    if not all(np.isfinite(array).all() for layer in dense for array in layer):
        return "a head with what is no finite number"
    return ""


def _parameters(dense: list[Layer], relu: bool) -> list[np.ndarray[Any, Any]]:
    """The arrays of `Parameters`; two layers with nothing between them are one."""
    if len(dense) == 2 and relu:
        return [*dense[0], *dense[1]]
    kernel, bias = dense[-1]
    if len(dense) == 2:
        inner, inner_bias = (array.astype(np.float64) for array in dense[0])
        kernel, bias = inner @ kernel, inner_bias @ kernel + bias
    return [np.zeros((len(kernel), 0)), np.zeros(0), kernel, bias]
