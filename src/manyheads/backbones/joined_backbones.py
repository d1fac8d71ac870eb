"""Backbones side by side, `A+B`: one name, the same pixels for each, and the features of all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from manyheads.backbones import own_files, registry
from manyheads.backbones.registry import (
    CHANNELS_LAST,
    JOINT,
    PREPROCESSING_JOINT,
    BackboneSpec,
)
from manyheads.errors import BackboneError, SettingError

MOST = 3
"""Backbones side by side, at most."""

# A plus within the pooling `#cls+mean` of a network from the hub separates nothing.
_JOINT = re.compile(r"(?<!#cls)\+|\+(?!mean(?:\+|$))")


def member_names(name: str | Path) -> tuple[str, ...]:
    """The names in `A+B`; of a single backbone, its own. A path may have a plus in it."""
    parts = tuple(part.strip() for part in _JOINT.split(str(name)))
    if len(parts) == 1 or any(map(_is_piece, parts)) or _is_there(name):
        return (str(name),)
    return parts


def is_joined(name: str | Path) -> bool:
    """Whether `name` means backbones side by side."""
    return len(member_names(name)) > 1


def short_name(name: str | Path) -> str:
    """`name` without the folders of files, and the owners of repositories."""
    return JOINT.join(Path(member).name for member in member_names(name))


def in_full(name: str) -> str:
    """`name` with files' paths in full and commits of the hub, which means the same for ever."""
    return JOINT.join(map(_in_full, member_names(name)))


def is_in_file(name: str | Path) -> bool:
    """Whether `name` means a network in a file, or one of its members does."""
    return any(map(_is_in_file, member_names(name)))


def _in_full(name: str) -> str:
    if registry.is_described(name):
        return str(registry.get(name).pinned)
    return str(Path(name).expanduser().absolute()) if own_files.is_file(name) else name


def spec_of(names: Sequence[str], preprocessing: str | None = None) -> BackboneSpec:
    """The backbones called `names` side by side; images are prepared as for the first of them.

    A stated `preprocessing` is that of the members in files. Raises `BackboneError` for a member
    that is not known, or is there twice, and for more than `MOST`; `SettingError` for a
    preprocessing where no member is in a file; and what `registry.get` raises.
    """
    if len(names) > MOST or not all(names):
        raise BackboneError(
            f"backbones side by side, A+B, at most {MOST}", JOINT.join(names),
            "name each of them as you would alone, with a + between",
        )  # fmt: skip
    in_files = [_is_in_file(name) for name in names]
    if preprocessing is not None and not any(in_files):
        raise SettingError(
            f"no other preprocessing for {JOINT.join(names)} than its members' own",
            repr(preprocessing), "leave it out; it is for networks in files",
        )  # fmt: skip
    members = [
        registry.get(name, preprocessing if is_own else None)
        for name, is_own in zip(names, in_files, strict=True)
    ]
    for place, member in enumerate(members):
        if member in members[:place]:
            raise BackboneError(
                "different backbones side by side", f"{names[place]} twice", "name it once"
            )
    return _joined(members)


def from_card(name: str, preprocessing: str) -> BackboneSpec:
    """The backbones that the side file of a model tells of; raises `BackboneError` for others."""
    names, words = member_names(name), preprocessing.split(PREPROCESSING_JOINT)
    if len(names) != len(words):
        raise BackboneError(
            f"a preprocessing for each of {name}", preprocessing,
            "take the side file that belongs to the model",
        )  # fmt: skip
    return _joined(list(map(registry.from_card, names, words)))


def _joined(members: Sequence[BackboneSpec]) -> BackboneSpec:
    first = members[0]
    return BackboneSpec(
        name=JOINT.join(member.name for member in members),
        module="",
        function="",
        default_size=first.default_size,
        min_size=max(member.min_size for member in members),
        data_format=CHANNELS_LAST,
        fixed=any(member.fixed for member in members),
        resize=first.resize,
        interpolation=first.interpolation,
        members=tuple(members),
    )


def _is_there(name: str | Path) -> bool:
    return own_files.is_file(name) and Path(name).is_file()


def _is_in_file(name: str) -> bool:
    return own_files.is_file(name) and not registry.is_described(name)


def _is_piece(part: str) -> bool:
    """Whether what stands beside a plus is a piece of a path, and no backbone."""
    return _is_in_file(part) and Path(part).suffix.lower() not in own_files.SUFFIXES
