"""Options that commands share, and the settings they make.

Numbers arrive as text and are checked by the settings themselves, so that a bad value is an
error with a remedy, the same from the command line and from Python.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from manyheads.cli.backbone_options import backbone_name, features, image_settings
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings

if TYPE_CHECKING:
    from manyheads.data.augmentation import Augmentation
    from manyheads.run.data_check import ExtractionSettings
    from manyheads.run.plan import RunOptions
    from manyheads.stats.comparisons import Margins
    from manyheads.study.study_settings import StudySettings

DATA_HELP = (
    "folder of class folders (with or without train/, validation/, test/ above them), a table with "
    "path and label (.csv, .tsv, .xlsx, .jsonl, .parquet), either of them also at an address "
    "(s3://bucket/photos), or a data set by name: clothing, digits"
)
LESSON_SIZE = 150


def add_data(parser: argparse.ArgumentParser) -> None:
    """DATA and how it is divided."""
    parser.add_argument("data", metavar="DATA", help=DATA_HELP)
    add_division(parser)


def add_division(parser: argparse.ArgumentParser) -> None:
    """How a data set is divided, and how it is read where it is a table."""
    group = parser.add_argument_group("splitting images that have no given split")
    default = SplitSettings()
    group.add_argument(
        "--validation-share", default=default.validation, metavar="SHARE",
        help="share of images for validation (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--test-share", default=default.test, metavar="SHARE",
        help="share of images kept for a final test (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--split-seed", default=default.seed, metavar="N",
        help="seed of the split (default: %(default)s)",
    )  # fmt: skip
    add_group_by(group)
    add_table(parser)


def add_group_by(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Which images belong together."""
    parser.add_argument(
        "--group-by", metavar="RULE",
        help="images that belong together and stay in one split and fold: parent (the folder that "
        "holds them, within the class folder), a regular expression whose parentheses name the "
        "group in the path, such as '(patient\\d+)', EXIF:TAG, such as EXIF:Model, or a column "
        "of the table (default: the table's column group)",
    )  # fmt: skip


def add_table(parser: argparse.ArgumentParser) -> None:
    """How a table is read that names images."""
    group = parser.add_argument_group("reading a table of images")
    for role, what in (
        ("path", "image files"), ("label", "class labels"),
        ("split", "train, validation or test"),
        ("group", "groups, whose images stay in one split"),
    ):  # fmt: skip
        group.add_argument(
            f"--{role}-column", metavar="NAME", help=f"column of {what} (default: {role})"
        )
    group.add_argument(
        "--label-separator", metavar="SIGN",
        help="an image may have several labels, with SIGN between them in the cell, such as ';' "
        "(default: one label, but in a column called labels the sign that its cells show)",
    )  # fmt: skip
    group.add_argument(
        "--label-columns", metavar="NAME", nargs="+",
        help="an image may have several labels, each in a column of 0 and 1 called by its name",
    )  # fmt: skip
    group.add_argument(
        "--images-in", metavar="FOLDER",
        help="folder that relative paths start from, itself relative to the table's folder "
        "(default: the table's folder)",
    )  # fmt: skip
    group.add_argument(
        "--suffix", metavar="TEXT", help="ending to append to paths that lack it, such as .jpg"
    )
    group.add_argument(
        "--missing-labels", metavar="TEXT", nargs="+",
        help="texts that mean a missing label, besides an empty cell (default: nan, None, null, "
        "N/A, #N/A, <NA>, NaT and kin, but not NA)",
    )  # fmt: skip
    group.add_argument(
        "--encoding", metavar="NAME",
        help="encoding of a CSV, such as cp1252 (default: UTF-8, or as its first bytes say)",
    )  # fmt: skip


def table_settings(args: argparse.Namespace) -> TableSettings:
    """How the table is read that `args` name."""
    names = (field.name for field in fields(TableSettings))
    return TableSettings(**{name: getattr(args, name) for name in names})


def add_training(
    parser: argparse.ArgumentParser, *, seeds: int, select: str | None
) -> argparse._ArgumentGroup:
    """How heads are trained and selected; returns the group, for a command that has more.

    With `select` None the rule depends on whether there is a patience.
    """
    group = parser.add_argument_group("training and selection")
    group.add_argument(
        "--seeds", default=seeds, metavar="N",
        help="seeds (trials) per candidate, each with its own initial weights, batch order and "
        "dropout masks (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--select", default=select, metavar="RULE",
        help="rule that selects epoch and candidate on validation images: best_accuracy, "
        "best_loss, best_balanced_accuracy, best_macro_f1, last, last_balanced_accuracy, "
        "last_macro_f1, or fixed:N for epoch N (default: "
        f"{select or 'last; with --patience best_accuracy'})",
    )  # fmt: skip
    group.add_argument(
        "--engine", default="auto", metavar="NAME",
        help="training engine: fused (this processor), stacked (many heads in one program of JAX), "
        "keras (the reference), or auto: stacked where JAX sees an accelerator, else fused "
        "(default: %(default)s)",
    )  # fmt: skip
    return group


def add_run(parser: argparse.ArgumentParser, out: str) -> argparse._ArgumentGroup:
    """Where results go and how strict the run is; returns the group, for a command with more."""
    group = parser.add_argument_group("run")
    group.add_argument(
        "--out", metavar="FOLDER",
        help=f"run folder; a study that it holds already is resumed (default: {out})",
    )  # fmt: skip
    add_strict(group)
    add_max_unreadable(group)
    add_verbose(group)
    group.add_argument("--json", action="store_true", help="print the results as JSON")
    return group


def add_workers(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Which processes compute."""
    parser.add_argument(
        "--workers", metavar="WORKERS",
        help="what computes features, trains the heads of a study and predicts, with the same "
        "results: a number of processes of this machine, ray, for a Ray cluster of its cores, or "
        "the address of a cluster, ray://HOST:PORT (default: this process alone)",
    )  # fmt: skip


def add_address(parser: argparse.ArgumentParser, port: int, *, without_token: str = "none") -> None:
    """Where a server listens, and who is answered."""
    address = parser.add_argument_group("address")
    address.add_argument(
        "--host", default="127.0.0.1", metavar="HOST",
        help="address to listen at; 0.0.0.0 is every address of this machine "
        "(default: %(default)s, this machine alone)",
    )  # fmt: skip
    address.add_argument(
        "--port", default=port, metavar="N", help="port; 0 is a free one (default: %(default)s)"
    )
    address.add_argument(
        "--allow-host", default=(), metavar="NAME", nargs="+",
        help="further names that clients call the server by, such as photos.example.org:443 "
        "behind a proxy",
    )  # fmt: skip
    address.add_argument(
        "--token-file", metavar="FILE",
        help="file with a token, without which nothing is answered; or set MANYHEADS_TOKEN "
        f"(default: {without_token})",
    )  # fmt: skip
    address.add_argument("--open", action="store_true", help="open the page in the browser")


def add_verbose(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Whether the plan is shown in full."""
    parser.add_argument(
        "-v", "--verbose", action="store_true",
        help="show the plan in full: also how is trained and selected, disk and memory",
    )  # fmt: skip


def add_strict(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """What an image that cannot be read is."""
    parser.add_argument(
        "--strict", action="store_true",
        help="fail if an image cannot be read (default: leave it out, and name it)",
    )  # fmt: skip


def add_max_unreadable(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """How many images may be left out because they cannot be read."""
    parser.add_argument(
        "--max-unreadable", metavar="SHARE",
        help="fail if a larger share of the images cannot be read, such as 0.01 or 1%% "
        "(default: any number is left out)",
    )  # fmt: skip


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """What is compared with what, and which differences make none."""
    parser.add_argument(
        "--baseline", metavar="N",
        help="compare all candidates with this one, numbered as in results.csv (default: all pairs "
        "of the best 20)",
    )  # fmt: skip
    add_margins(parser)


def add_margins(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Which differences make none."""
    parser.add_argument(
        "--margin-accuracy", default=1.0, metavar="POINTS",
        help="margin of practical equivalence in accuracy, in percentage points "
        "(default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--margin-log-loss", default=0.02, metavar="NATS",
        help="the same in log loss (default: %(default)g)",
    )  # fmt: skip


def margins(args: argparse.Namespace) -> Margins:
    """The margins that `args` ask for."""
    from manyheads.stats.comparisons import Margins

    return Margins.in_points(args.margin_accuracy, args.margin_log_loss)


def extraction_settings(args: argparse.Namespace) -> ExtractionSettings:
    """The backbone, the images and the runtime that `args` ask for."""
    from manyheads.run.data_check import ExtractionSettings

    return ExtractionSettings(
        backbone=backbone_name(args),
        preprocessing=args.preprocessing,
        weights=args.weights,
        image=image_settings(args),
        runtime=args.runtime,
        device=args.device,
        precision=args.precision,
    )


def split_settings(args: argparse.Namespace) -> SplitSettings:
    """The division of images that `args` ask for; no option gives another rule, a file may."""
    return SplitSettings(
        validation=args.validation_share, test=args.test_share, seed=args.split_seed,
        rule=getattr(args, "split_rule", SplitSettings().rule), group_by=args.group_by,
    )  # fmt: skip


def study_settings(args: argparse.Namespace, image: ImageSettings, **given: Any) -> StudySettings:
    """The study that `args` ask for, with what is `given`: a grid, a number of epochs, …"""
    from manyheads.data.several_labels import may_have_several, table_as_it_shows
    from manyheads.study.study_settings import StudySettings, lasting, usual_rule

    names = {each.name for each in fields(StudySettings)}
    asked = {name: value for name, value in vars(args).items() if name in names}
    table = table_as_it_shows(args.data, table_settings(args))
    if args.select is None:
        asked["select"] = usual_rule(
            args.patience, several_labels=may_have_several(args.data, table)
        )
    made = {
        "data": lasting(args.data),
        "backbone": backbone_name(args),
        "features": features(args),
        "image": image,
        "split": split_settings(args),
        "table": table,
        "augmentation": augmentation(args),
        "usual_epochs": args.epochs is None,
    }
    return StudySettings(**asked | made | given)


def augmentation(args: argparse.Namespace) -> Augmentation | None:
    """The augmentation of copies that `args` ask for, if they do."""
    from manyheads.data.augmentation_presets import Augmentation, parse_augmentation

    given = getattr(args, "augment", None)
    # A file with settings gives the augmentation itself.
    return given if given is None or isinstance(given, Augmentation) else parse_augmentation(given)


def run_options(args: argparse.Namespace) -> RunOptions:
    """What the run may do differently without becoming another study."""
    from manyheads.run.plan import RunOptions

    return RunOptions(
        strict=args.strict,
        max_unreadable=args.max_unreadable,
        keep_heads=getattr(args, "keep_heads", RunOptions.keep_heads),
        checkpoint_pattern=getattr(args, "checkpoint_pattern", None),
        parquet=getattr(args, "parquet", False),
        baselines=getattr(args, "baselines", True),
        workers=getattr(args, "workers", None),
    )
