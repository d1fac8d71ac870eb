"""The options that list hyperparameters, and the grid that they make."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING

from manyheads.cli.parser import Values

if TYPE_CHECKING:
    from manyheads.study.space import Grid

_HEAD = (
    ("learning_rate", "0.001", "step size"),
    ("size_inner", "100", "units of the inner layer; 0 for none"),
    ("droprate", "0.0 0.2 0.5 0.8", "share of inner units hidden in a training step"),
)
_REGULARISERS = (
    ("droprate_schedule", "constant", "constant; early:N hides units in the first N epochs only, "
     "late:N only after them"),
    ("feature_droprate", "0", "share of the head's inputs hidden in a training step"),
    ("hide_patches", "0", "share of the cells of the feature grid hidden in a training step"),
    ("hide_block", "1", "side, in cells, of the blocks that hide_patches hides"),
    ("hide_pixels", "0", "share of the image hidden in every view but the plain one"),
    ("views", "1", "views of an image that a step chooses from; 1 is the plain image alone"),
    ("mixup", "0", "mix pairs of inputs and labels in shares drawn from Beta(X, X)"),
    ("label_smoothing", "0", "share of the label that is spread over all classes"),
    ("l2", "0", "penalty on the squares of the kernels"),
    ("weight_decay", "0", "decoupled decay of all weights; needs --optimizer adamw or sgd"),
    ("max_norm", "0", "bound on the norm of each inner unit's incoming weights; 0 for none"),
)  # fmt: skip
_TRAINING = (
    ("epochs", "30", "passes over the training images"),
    ("batch_size", "32", "images a step"),
    ("optimizer", "adam", "adam, adamw (with --weight-decay; Keras's own is 0.004) or sgd"),
    ("momentum", "0", "of --optimizer sgd"),
    ("learning_rate_schedule", "constant", "constant, or cosine: falls to 0 over the epochs"),
)


def add_grid(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """An option for each hyperparameter, and what views and feature grids are.

    But for those `without` which a command does, as it has other uses for their names.
    """
    for title, options in (
        ("hyperparameters (each takes a list)", _HEAD),
        ("regularisers (each takes a list)", _REGULARISERS),
        ("how heads are trained (each takes a list)", _TRAINING),
    ):
        group = parser.add_argument_group(title)
        for name, default, text in options:
            if name in without:
                continue
            group.add_argument(
                f"--{name.replace('_', '-')}", nargs="+", action=Values, default=default.split(),
                metavar="X", help=f"{text} (default: {default})",
            )  # fmt: skip
    group = parser.add_argument_group("views and feature grids")
    if "views" not in without:
        group.add_argument(
            "--augment", nargs="+", action=Values, metavar="NAME=X",
            help="what makes a view: flip, shift=SHARE, zoom=SHARE, rotation=DEGREES, "
            "brightness=SHARE, colour=SHARE; or none, with --hide-pixels (default: all, a little)",
        )  # fmt: skip
    group.add_argument(
        "--grid-storage", default="f32", metavar="NAME",
        help="how the feature grids of --hide-patches are kept: f32, or f16 in half the space "
        "(default: %(default)s)",
    )  # fmt: skip


def grid_of(args: argparse.Namespace, without: Collection[str] = ()) -> Grid:
    """The grid that `args` list; hyperparameters that have no option keep their defaults."""
    from manyheads.study.space import HYPERPARAMETERS, Grid

    listed = [name for name in HYPERPARAMETERS if name not in without]
    return Grid(**{name: tuple(getattr(args, name)) for name in listed})
