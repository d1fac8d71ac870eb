"""The options that list hyperparameters, and the grid that they make."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from manyheads.cli.parser import Values, WeightWords
from manyheads.data.augmentation_presets import preset_words
from manyheads.heads.hyperparameters import DECLARED

if TYPE_CHECKING:
    from manyheads.study.space import Candidates, Grid

_TITLES = {
    "head": "hyperparameters (each takes a list)",
    "regulariser": "regularisers (each takes a list)",
    "training": "how heads are trained (each takes a list)",
}


def add_grid(
    parser: argparse.ArgumentParser,
    without: Collection[str] = (),
    usual: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """An option for each hyperparameter, and what augmented copies and feature maps are.

    But for those `without` which a command does, as it has other uses for their names; `usual` are
    values that it lists in place of those that a sweep does. One that has none is None.
    """
    groups = {name: parser.add_argument_group(title) for name, title in _TITLES.items()}
    for name, known in DECLARED.items():
        if name in without:
            continue
        listed = [
            value if isinstance(value, str) else f"{value:g}"
            for value in usual.get(name, known.usual)
        ]
        default = " ".join(listed) or known.usual_words
        groups[known.group].add_argument(
            _flag(name), nargs="+", default=listed or None,
            action=WeightWords if name == "class_weight" else Values,
            metavar=known.kind.metavar, help=f"{_words(known.words)} (default: {default})",
        )  # fmt: skip
    group = parser.add_argument_group("augmented copies and feature maps")
    if "augmented_copies" not in without:
        group.add_argument(
            "--augment", nargs="+", action=Values, metavar="NAME=X",
            help=f"how copies differ, by name: {preset_words()}; or by amounts: flip, shift=SHARE, "
            "zoom=SHARE, rotation=DEGREES, brightness=SHARE, colour=SHARE; none goes with "
            "--random-erasing (default: medium)",
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


def add_draw(parser: argparse.ArgumentParser) -> None:
    """How many candidates are drawn from ranges, and by which seed."""
    group = parser.add_argument_group("search by ranges")
    group.add_argument(
        "--candidates", "--trials", metavar="N",
        help="draw N candidates in place of all combinations: a hyperparameter then takes ranges "
        "too, such as --learning-rate 1e-4..1e-1 --size-inner 50..400 --droprate 0..0.8; of a list "
        "each value is equally likely; more candidates later go on with the same study",
    )  # fmt: skip
    group.add_argument(
        "--draw-seed", metavar="N", help="seed of the draw; another draws others (default: 0)"
    )


def candidates_asked(args: argparse.Namespace) -> Candidates:
    """The candidates that `args` ask for: all combinations of the values, or some drawn."""
    from manyheads.study.drawn_candidates import candidates_of

    given = {name: listed for name in DECLARED if (listed := getattr(args, name)) is not None}
    return candidates_of(given, args.candidates, args.draw_seed)


def grid_of(args: argparse.Namespace, without: Collection[str] = ()) -> Grid:
    """The grid that `args` list; what has no option, or is not listed, keeps its neutral value."""
    from manyheads.study.drawn_candidates import with_read_files
    from manyheads.study.space import Grid

    listed = [name for name in DECLARED if name not in without and getattr(args, name) is not None]
    given = with_read_files({name: getattr(args, name) for name in listed})
    return Grid(**{name: tuple(values) for name, values in given.items()})
