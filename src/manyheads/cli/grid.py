"""The options that list hyperparameters, and the grid that they make."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from manyheads.cli.parser import Values
from manyheads.heads.hyperparameters import DECLARED

if TYPE_CHECKING:
    from manyheads.study.space import Grid

_TITLES = {
    "head": "hyperparameters (each takes a list)",
    "regulariser": "regularisers (each takes a list)",
    "training": "how heads are trained (each takes a list)",
}


def add_grid(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """An option for each hyperparameter, and what augmented copies and feature maps are.

    But for those `without` which a command does, as it has other uses for their names.
    """
    groups = {name: parser.add_argument_group(title) for name, title in _TITLES.items()}
    for name, known in DECLARED.items():
        if name in without:
            continue
        usual = " ".join(value if isinstance(value, str) else f"{value:g}" for value in known.usual)
        groups[known.group].add_argument(
            _flag(name), nargs="+", action=Values, default=usual.split(),
            metavar=known.kind.metavar, help=f"{_words(known.words)} (default: {usual})",
        )  # fmt: skip
    group = parser.add_argument_group("augmented copies and feature maps")
    if "augmented_copies" not in without:
        group.add_argument(
            "--augment", nargs="+", action=Values, metavar="NAME=X",
            help="how copies differ: flip, shift=SHARE, zoom=SHARE, rotation=DEGREES, "
            "brightness=SHARE, colour=SHARE; or none, with --random-erasing (default: all, a "
            "little)",
        )  # fmt: skip
    group.add_argument(
        "--grid-storage", default="f32", metavar="NAME",
        help="how the feature maps of --dropblock are kept: f32, or f16 in half the space "
        "(default: %(default)s)",
    )  # fmt: skip


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _words(words: str) -> str:
    """Words of a declaration, with flags for the hyperparameters that they name."""
    return re.sub(r"`(.+?)`", lambda m: _flag(m[1]) if m[1] in DECLARED else m[1], words)


def grid_of(args: argparse.Namespace, without: Collection[str] = ()) -> Grid:
    """The grid that `args` list; hyperparameters that have no option keep their defaults."""
    from manyheads.study.space import Grid

    listed = [name for name in DECLARED if name not in without]
    return Grid(**{name: tuple(getattr(args, name)) for name in listed})
