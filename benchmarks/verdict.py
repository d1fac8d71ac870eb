"""Does a verdict keep its promises? Studies of known truth, made up and of real heads.

    python -m benchmarks.verdict            an hour or so on two cores; with --quick, two minutes

Identical candidates must be told apart in at most 5 % of studies, intervals must hold the true
difference in 95 %, and planted differences should be found.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.machine import parser, photographs, show, table, write_result
from benchmarks.parts.chance import (
    Shape,
    World,
    made_up,
    studies,
    trained,
    true_differences,
)
from benchmarks.parts.levels import IMAGES as IMAGES_OF
from benchmarks.parts.levels import METHODS, OF_SEEDS, worst
from manyheads.evidence.comparisons import Comparison, compare
from manyheads.evidence.intervals import wilson
from manyheads.evidence.validated import Validated

CANDIDATES = (2, 4, 20)
SEEDS = (2, 5, 20)
IMAGES = 341
WORLDS = {
    "as in real heads": World(),
    "seeds matter much": World(seed=0.4, training=0.2),
}
SHIFTS = (0.0, 0.1, 0.2, 0.4)
PARTS = ("levels", "identical", "planted", "real")
EPOCHS, DIVISIONS, HEADS = 3, 20, 40


@dataclass
class Tally:
    """What came of studies: how many there were, and shares of them or of their comparisons."""

    studies: int = 0
    false: int = 0
    held: int = 0
    intervals: int = 0

    def add(self, entries: Sequence[Comparison], truth: dict[str, float] | None = None) -> None:
        """Count a study of candidates that are identical, or that differ by `truth`."""
        self.studies += 1
        self.false += any(entry.outcome in ("better", "worse") for entry in entries)
        for entry in entries:
            self.intervals += 1
            self.held += entry.low <= (truth or {}).get(entry.metric, 0.0) <= entry.high

    def cells(self) -> list[str]:
        """The share of studies with a false difference, its 95 % interval, and the coverage."""
        low, high = wilson(self.false / self.studies, self.studies)
        share = f"{100 * self.false / self.studies:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        return [f"{self.studies:,}", share, f"{100 * self.held / self.intervals:.1f} %"]


def main() -> None:
    options = parser("Whether verdicts keep their promises.")
    options.add_argument("--studies", type=int, help="made-up ones a row (default: 1,000)")
    options.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="which tables to make"
    )
    args = options.parse_args()
    count = args.studies or (50 if args.quick else 1000)
    if "levels" in args.parts:
        write_result(args.results, "verdict-levels", levels())
    if "identical" in args.parts:
        write_result(args.results, "verdict-identical", identical(count))
    if "planted" in args.parts:
        write_result(args.results, "verdict-planted", planted(max(count // 2, 20)))
    if "real" in args.parts:
        divisions, each = (2, 5) if args.quick else (DIVISIONS, 5)
        write_result(args.results, "verdict-real", real(args.data, divisions, each))


def levels() -> list[str]:
    """How far methods miss their level at worst, by seeds, alone and in families."""
    families = {0.05: "one comparison", 0.05 / 12: "12, at Holm's first step", 0.05 / 380: "380"}
    rows: list[list[object]] = [["seeds", "comparisons", *METHODS]]
    for seeds, (level, family) in itertools.product((2, 3, 5, 20), families.items()):
        found = [f"{worst(method, seeds, level):.2f}" for method in METHODS.values()]
        rows.append([seeds, family, *found])
        show(*rows[-1])
    return [
        *table(rows),
        "",
        "How many times its level a method declares what is not there, in the worst of "
        f"{len(IMAGES_OF) * len(OF_SEEDS)} mixtures of what images, seeds and both together bring.",
    ]


def identical(count: int) -> list[str]:
    """How often studies of identical candidates are given a difference."""
    rows: list[list[object]] = [
        ["world", "images", "candidates", "seeds", "studies", "with a false difference",
         "intervals that hold 0"]
    ]  # fmt: skip
    designs = [(1, 1), (5, 1), (5, 3)]
    for number, (world, (folds, repeats), candidates, seeds) in enumerate(
        itertools.product(WORLDS, designs, CANDIDATES, SEEDS)
    ):
        repeated = repeats > 1 and (candidates > 4 or seeds > 5)
        if repeated or (candidates == 20 and folds > 1 and world != next(iter(WORLDS))):
            continue  # the same again, for hours
        random, tally = np.random.default_rng((1, number)), Tally()
        shape = Shape(
            candidates=candidates, seeds=seeds, images=IMAGES, folds=folds, repeats=repeats
        )
        for _ in range(count):
            tally.add(_entries(made_up(random, WORLDS[world], shape)))
        row = [world, _design(folds, repeats), candidates, seeds, *tally.cells()]
        rows.append(row)
        show(*row)
    return [
        *table(rows),
        "",
        "The interval beside a share is what chance leaves open about it (Wilson). A study with a "
        "false difference has any, in either metric.",
    ]


def planted(count: int) -> list[str]:
    """How often a planted difference between two candidates is found, and intervals hold it."""
    rows: list[list[object]] = [
        ["true difference of accuracy", "of log loss", "images", "seeds", "studies",
         "declared by accuracy", "by log loss", "equivalent by accuracy", "by log loss",
         "declared the wrong way", "intervals that hold it"]
    ]  # fmt: skip
    world = WORLDS["as in real heads"]
    settings = [
        *((shift, 1, 1, images, seeds) for shift in SHIFTS for images in (341, 3409)
          for seeds in SEEDS),
        *((shift, 5, repeats, 3409, 5) for shift in SHIFTS for repeats in (1, 3)),
    ]  # fmt: skip
    for number, (shift, folds, repeats, images, seeds) in enumerate(settings):
        truth = true_differences(
            replace(world, training=0 if folds == 1 else world.training), shift
        )
        random, tally = np.random.default_rng((2, number)), Tally()
        shape = Shape(candidates=2, seeds=seeds, images=images, folds=folds, repeats=repeats)
        outcomes: dict[tuple[str, str], int] = {}
        for _ in range(count):
            entries = _entries(made_up(random, world, shape, shift))
            tally.add(entries, truth)
            for entry in entries:
                key = entry.metric, entry.outcome
                outcomes[key] = outcomes.get(key, 0) + 1
        right, wrong = "better", "worse"

        def share(*keys: tuple[str, str], outcomes=outcomes, tally=tally) -> str:
            return f"{100 * sum(outcomes.get(key, 0) for key in keys) / tally.studies:.0f} %"

        row = [
            f"{100 * truth['accuracy']:.1f} points", f"{truth['log_loss']:+.3f}",
            f"{images:,}, {_design(folds, repeats)}", seeds, tally.studies,
            share(("accuracy", right)), share(("log_loss", right)),
            share(("accuracy", "equivalent")), share(("log_loss", "equivalent")),
            share(("accuracy", wrong), ("log_loss", wrong)), tally.cells()[-1],
        ]  # fmt: skip
        rows.append(row)
        show(*row)
    return [
        *table(rows),
        "",
        "Two candidates, both metrics in the family. Without a true difference, every declaration "
        "is false.",
    ]


def real(data: Path | None, divisions: int, each: int) -> list[str]:
    """How often studies of real heads of one setting, which differ by seeds, get a difference."""
    matrix, labels = _features(photographs(data, real=True))
    tallies = {(c, s): Tally() for c, s in ((2, 2), (2, 5), (2, 20), (4, 2), (4, 5), (4, 10),
                                            (20, 2))}  # fmt: skip
    for number in range(divisions):
        random = np.random.default_rng((3, number))
        heads = trained(random, matrix, labels, HEADS, EPOCHS)
        show("trained", number + 1, "of", divisions)
        for (candidates, seeds), tally in tallies.items():
            for study in studies(random, heads, candidates, seeds, IMAGES, each):
                tally.add(_entries(study))
    rows: list[list[object]] = [
        ["candidates", "seeds", "studies", "with a false difference", "intervals that hold 0"]
    ]
    rows += [[*key, *tally.cells()] for key, tally in tallies.items()]
    return [
        *table(rows),
        "",
        f"{divisions} divisions of {len(labels):,} photographs, two thirds to train; {HEADS} heads "
        f"each of droprate 0.2, {EPOCHS} epochs, that differ by their seeds alone. A study deals "
        f"heads at random to candidates, and draws {IMAGES} of the other third to validate them.",
    ]


def _features(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features, from the cache where they are, and labels of all photographs."""
    from manyheads.backbones import registry
    from manyheads.backbones.weights import resolve
    from manyheads.data.dataset import open_dataset
    from manyheads.features.extract import extract
    from manyheads.settings import ImageSettings

    dataset, spec = open_dataset(folder), registry.get("xception")
    found = extract(dataset, spec, resolve(spec), ImageSettings(size=150, interpolation="nearest"))
    readable = found.rows >= 0
    return np.asarray(found.matrix[found.rows[readable]]), dataset.labels[readable]


def _entries(validated: Validated) -> Sequence[Comparison]:
    return compare(validated, advise=False).entries


def _design(folds: int, repeats: int) -> str:
    if folds == 1:
        return "given split"
    return f"{folds} folds" + (f" × {repeats}" if repeats > 1 else "")


if __name__ == "__main__":
    main()
