"""`manyheads shortcut`: does a network learn a logo instead of a t-shirt?"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli import backbone_options, options
from manyheads.cli.grid import add_grid, grid_of
from manyheads.core.job import Job
from manyheads.heads.hyperparameters import NEUTRAL, OF_IMAGES

if TYPE_CHECKING:
    from manyheads.data.marks import Mark
    from manyheads.lesson.shortcut.shortcut_check import Checked
    from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings

_BUILTIN = "builtin"
# The lesson's training: 30 epochs, at a constant learning rate.
_TRAINING = {name: (NEUTRAL[name],) for name in ("epochs", "learning_rate_schedule")}
_EXAMPLE = (
    "Example: manyheads shortcut photos/ --class t-shirt --logo builtin --into shirt "
    "--dropblock --everywhere --clean. --dry-run tells beforehand what that takes."
)


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "shortcut",
        help="plant a mark on one class, and test whether heads learn it (a shortcut)",
        description="Plant a mark on most training images of one class, in memory and never in "
        "your files, train heads on these and on the plain images, and measure the effect on "
        "validation images: on accuracy, on recall of the class without its mark, and on images of "
        "other classes with the mark. Remedies are compared in the same table.",
        epilog=_EXAMPLE,
    )
    options.add_data(parser)
    _add_mark(parser)
    _add_remedies(parser)
    add_grid(parser, without=OF_IMAGES, usual=_TRAINING)
    backbone_options.add_images(parser, "the backbone's own")
    # Validation images without marks, which nobody has who needs this check, must not choose.
    options.add_training(parser, seeds=5, select="last")
    group = parser.add_argument_group("run")
    group.add_argument(
        "--out", metavar="FOLDER",
        help="run folder; results go to its folder claims (default: runs/ and the data set's name)",
    )  # fmt: skip
    group.add_argument(
        "--margin", default=1.0, metavar="POINTS",
        help="margin of practical equivalence, in percentage points (default: %(default)g)",
    )  # fmt: skip
    options.add_verbose(group)
    group.add_argument("--json", action="store_true", help="print the results as JSON")
    group.add_argument("--dry-run", action="store_true", help="print what it takes, and do nothing")
    return parser


def _add_mark(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the mark, and where it is planted")
    group.add_argument(
        "--class", dest="target", required=True, metavar="NAME", help="the class that carries it"
    )
    group.add_argument(
        "--share", default=0.95, metavar="SHARE",
        help="share of its training images with the mark (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--into", nargs="+", default=[], metavar="NAME",
        help="classes whose validation images are also tested with the mark (default: all others)",
    )  # fmt: skip
    group.add_argument(
        "--logo", metavar="FILE", help=f"a picture, transparent or not, or {_BUILTIN} (default)"
    )
    group.add_argument("--mark", metavar="FORM", help="patch, text, border or tint, not a logo")
    for name, text in (
        ("position", "top-left, top-right, bottom-left, bottom-right, centre or random"),
        ("size", "width of the mark as a share of the image's side"),
        ("opacity", "opacity of the mark, up to 1"),
        ("colour", "such as #d81b60 or red"),
        ("text", "the letters of --mark text"),
    ):
        group.add_argument(f"--{name}", metavar=name.upper(), help=text)


def _add_remedies(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("remedies (beside those among the hyperparameters)")
    for name, usual, unit, text in (
        ("--dropblock", 0.5, "SHARE", "DropBlock: hide this share of the feature map's cells in "
         "each step"),
        ("--random-erasing", 0.25, "SHARE", "cover this share of every augmented copy with noise"),
        ("--clean", 20, "N", "keep N images of each class clean, out of all training, and train "
         "the last layer anew on them"),
    ):  # fmt: skip
        group.add_argument(
            name, nargs="?", const=usual, default=0, metavar=unit, help=f"{text} ({unit}: {usual})"
        )
    group.add_argument(
        "--augmented-copies", default=3, metavar="N",
        help="copies of an image for --random-erasing; each costs its passes "
        "(default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--everywhere", action="store_true", help="plant the mark on the same share of every class"
    )


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import result_tables
    from manyheads.cli.narrow import print_lines
    from manyheads.cli.screen import shown
    from manyheads.lesson.shortcut.shortcut_check import run_shortcut
    from manyheads.lesson.shortcut.shortcut_plan import plan_shortcut
    from manyheads.lesson.shortcut.shortcut_planned import shortcut_planned
    from manyheads.study.folder import RunFolder

    out = args.out or RunFolder.named_after(args.data).path
    settings = _settings(args, out)
    if args.dry_run:
        print_lines(shortcut_planned(plan_shortcut(settings, job=job)).text(in_full=True))
        return
    with shown(job, verbose=args.verbose) as job:
        checked = run_shortcut(settings, out, job=job)
    if args.json:
        result_tables.print_json(checked.record.document(checked.verdict))
        return
    _print(checked)


def _print(checked: Checked) -> None:
    """A table for each measure, the verdict, and where everything lies."""
    from manyheads.cli.narrow import print_lines, print_table
    from manyheads.report.shortcut_section import shortcut_tables

    for table in shortcut_tables(checked.record):
        print()
        print_table(table)
    first, *others = checked.verdict
    print_lines([
        "",
        f"Verdict  {first}",
        *(f"         {sentence}" for sentence in others),
        "",
        f"Picture  {checked.files.picture}",
        f"Table    {checked.files.table}",
        f"Record   {checked.files.record}",
    ])  # fmt: skip


def _settings(args: argparse.Namespace, out: str | Path) -> ShortcutSettings:
    from manyheads.core.settings import number
    from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
    from manyheads.study.folder import split_as_begun

    image = backbone_options.image_settings(args)
    study = options.study_settings(args, image, grid=grid_of(args, without=OF_IMAGES))
    return ShortcutSettings(
        study=replace(study, split=split_as_begun(study.split, out)),
        target=args.target,
        mark=_mark(args),
        share=args.share,
        into=tuple(dict.fromkeys(args.into)),
        dropblock=args.dropblock,
        random_erasing=args.random_erasing,
        augmented_copies=args.augmented_copies,
        everywhere=args.everywhere,
        clean=args.clean,
        margin=number("the margin in points", args.margin, 0, 100, open_low=True) / 100,
    )


def _mark(args: argparse.Namespace) -> Mark:
    from manyheads.data.marks import Mark
    from manyheads.errors import SettingError

    names = ("position", "size", "opacity", "colour", "text")
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    if args.mark is not None and args.logo is not None:
        raise SettingError("one mark", "--logo and --mark", "leave one of them out")
    if args.logo not in (None, _BUILTIN):
        return Mark.of_file(Path(args.logo), **given)
    return Mark.usual(args.mark or "logo", **given)
