"""`manyheads claims`: the lesson's claims on dropout, checked on a finished study."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from manyheads.cli import options
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.stats.paired import Margins


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "claims",
        help="test on a study that dropout is an ensemble, and needs longer training",
        description="Test the lesson's claims about dropout on a finished study's own images. Its "
        "heads are trained again, or longer, on cached features; the backbone does not run. "
        "Results go to RUN/claims, and later reports show them.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of a finished study")
    parser.add_argument("--data", metavar="DATA", help="where the data set lies, if it was moved")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    ensemble = parser.add_argument_group("dropout as an ensemble of networks")
    ensemble.add_argument(
        "--ensemble", action="store_true",
        help="score a candidate's random dropout subnetworks, averages of them (MC dropout), and "
        "ensembles of its seeds",
    )  # fmt: skip
    ensemble.add_argument(
        "--candidate", metavar="N",
        help="the candidate with this number in results.csv (default: the selected one)",
    )  # fmt: skip
    options.add_margins(ensemble)
    longer = parser.add_argument_group("longer training")
    longer.add_argument(
        "--longer", action="store_true",
        help="train every candidate (of many, the best 20) until it has passed its best epoch",
    )  # fmt: skip
    longer.add_argument(
        "--epochs", metavar="N", help="maximum number of epochs (default: 10 times the study's)"
    )
    longer.add_argument(
        "--patience", metavar="N",
        help="early stopping: end a head after N epochs without a lower val_loss (default: the "
        "study's epochs, at least 10)",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import claim_screen, result_tables
    from manyheads.cli.screen import shown
    from manyheads.core.settings import plain
    from manyheads.lesson.ensemble_claim import ensemble_claim
    from manyheads.lesson.longer_claim import longer_claim, until
    from manyheads.study.folder import RunFolder

    margins = _checked(args)
    bounds = until(args.run_folder, args.epochs, args.patience) if args.longer else None
    folder, found = RunFolder(args.run_folder), {}
    if args.ensemble:
        with shown(job) as screen:
            found["ensemble"] = ensemble_claim(
                args.run_folder, candidate=args.candidate, margins=margins, data=args.data,
                job=screen,
            )  # fmt: skip
        if not args.json:
            claim_screen.print_ensemble(found["ensemble"], folder)
    if bounds is not None:
        with shown(job) as screen:
            found["longer"] = longer_claim(
                args.run_folder, epochs=bounds.limit, patience=bounds.patience, data=args.data,
                job=screen,
            )  # fmt: skip
        if not args.json:
            claim_screen.print_longer(found["longer"], folder)
    if args.json:
        result_tables.print_json(plain(found))
    else:
        print(f"Next     manyheads report {shlex.quote(str(folder.path))}")


def _checked(args: argparse.Namespace) -> Margins:
    """Raise what can be said of the arguments alone; the margins that they ask for."""
    from manyheads.errors import SettingError

    if not (args.ensemble or args.longer):
        raise SettingError(
            "a claim to check, --ensemble, --longer or both", "neither", "add what to check"
        )
    for option, needed in (
        ("candidate", "ensemble"), ("epochs", "longer"), ("patience", "longer"),
    ):  # fmt: skip
        if getattr(args, option) is not None and not getattr(args, needed):
            raise SettingError(
                f"--{needed} with --{option}", "none", f"add it, or leave out --{option}"
            )
    return options.margins(args)
