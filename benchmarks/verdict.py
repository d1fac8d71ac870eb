"""Does a verdict keep its promises? Studies of known truth, made up and of real heads.

    python -m benchmarks.verdict            an hour or so on two cores; with --quick, minutes

Identical candidates must be told apart in at most 5 % of studies, intervals must hold the true
difference in 95 %, planted differences should be found, and nothing is equivalent for want of
images. The former rule stands beside the present one wherever it had a part in the question.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.machine import parser, photographs, show, table, write_result
from benchmarks.parts import judging
from benchmarks.parts.chance import (
    LESSON,
    POOLED,
    Shape,
    World,
    made_up,
    studies,
    trained,
    true_differences,
)
from benchmarks.parts.judging import Tally, percent, share
from benchmarks.parts.levels import IMAGES as IMAGES_OF
from benchmarks.parts.levels import METHODS, OF_SEEDS, worst
from benchmarks.parts.pooled import pooled
from manyheads.stats.comparisons import Differences
from manyheads.stats.winner import winner_scores

IMAGES = 341
WORLDS = {"the lesson's heads": LESSON, "seeds matter much": World(seed=0.4, training=0.2)}
EPOCHS, DIVISIONS, HEADS, DEALS = 3, 20, 40, 14
Lines = list[str]


def main() -> None:
    options = parser("Whether verdicts keep their promises.")
    options.add_argument("--studies", type=int, help="made-up ones a row (default: 500)")
    options.add_argument(
        "--deals", type=int, help=f"deals of photographs to pools (default: {DEALS})"
    )
    options.add_argument(
        "--kept", type=Path, metavar="DIR", help="keep trained pools here, and go on from them"
    )
    options.add_argument(
        "--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which tables to make"
    )
    args = options.parse_args()
    count = args.studies or (20 if args.quick else 500)
    for name in args.parts:
        if name == "pools":
            deals = args.deals or (1 if args.quick else DEALS)
            folder = photographs(args.data, real=True)
            lines = pooled(folder, deals, args.kept)
        elif name == "power":
            # The lesson's rates with the seeds that a sweep has by itself.
            folder, deals = photographs(args.data, real=True), args.deals or 8
            lines = pooled(folder, deals, kinds=("droprate",), seeds=10, grouped=(False,))
        elif name == "real":
            lines = real(args.data, *((2, 5) if args.quick else (DIVISIONS, 5)))
        else:
            lines = PARTS[name](count)
        write_result(args.results, f"verdict-{name}", lines)


def levels(_: int) -> Lines:
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


def identical(count: int) -> Lines:
    """How often studies of identical candidates are given a difference."""
    rows: list[list[object]] = [
        ["world", "images", "candidates", "seeds", "studies", "a false difference",
         "by the former rule", "an equal one is not the best", "intervals that hold 0"]
    ]  # fmt: skip
    designs = [(1, c, s) for c in (2, 4, 20) for s in (2, 5, 10)] + [(5, 2, 5), (5, 4, 5)]
    for number, (world, (folds, candidates, seeds)) in enumerate(
        itertools.product(WORLDS, designs)
    ):
        tally = Tally()
        shape = Shape(candidates=candidates, seeds=seeds, images=IMAGES, folds=folds)
        for study in range(count):
            random = np.random.default_rng((1, number, study))
            tally.add(made_up(random, WORLDS[world], shape))
        row = [
            world, judging.design(shape), candidates, seeds, count, share(tally.false, count),
            percent(tally.former_false, count), share(tally.left_out, count),
            percent(tally.held, tally.intervals),
        ]  # fmt: skip
        rows.append(row)
        show(*row)
    return [
        *table(rows),
        "",
        "Shares of studies with any, in either metric; the interval beside a share is what chance "
        "leaves open about it (Wilson). All candidates are alike in truth.",
    ]


def equivalence(count: int) -> Lines:
    """How often two candidates are called equivalent that are not, and that are."""
    rows: list[list[object]] = [
        ["accuracy", "images", "true difference", "called equivalent by accuracy",
         "by the former rule", "by log loss", "by the former rule"]
    ]  # fmt: skip
    worlds = [("0.84", LESSON, 0.7), ("0.96", replace(LESSON, mean=8.2), 2.5)]
    settings = itertools.product(worlds, (15, 30, 100, 341, 3409), (False, True))
    for (level, world, apart), images, differ in settings:
        shift = apart if differ else 0.0
        truth, tally = true_differences(world, shift), Tally()
        for study in range(count):
            random = np.random.default_rng((3, images, study))
            shape = Shape(candidates=2, seeds=5, images=images)
            tally.add(made_up(random, world, shape, shift), truth)
        row: list[object] = [
            level, f"{images:,}", f"{100 * truth['accuracy']:.1f} points, {truth['log_loss']:+.3f}",
            *tally.shares("equivalent", count),
        ]  # fmt: skip
        rows.append(row)
        show(*row)
    return [
        *table(rows),
        "",
        f"{count} made-up studies a row of two candidates and 5 seeds; margins of 1 point and "
        "0.02. Where the true difference exceeds the margin, at most 5 % may be called equivalent.",
    ]


def planted(count: int) -> Lines:
    """How often the best of several candidates is told from the others, which are all alike."""
    rows: list[list[object]] = [
        ["true difference", "images", "candidates", "seeds", "declared by accuracy",
         "by the former rule", "by log loss", "by the former rule", "not the best, by accuracy",
         "the best is kept", "intervals that hold it"]
    ]  # fmt: skip
    split, folds = [(c, s, 341, 1) for c in (2, 4, 20) for s in (5, 10)], [(4, 5, 681, 5)]
    for number, (shift, (candidates, seeds, images, fold)) in enumerate(
        itertools.product((0.5, 1.0), [*split, *folds])
    ):
        world = POOLED if fold > 1 else LESSON
        truth, tally = true_differences(world, shift), Tally()
        shape = Shape(candidates=candidates, seeds=seeds, images=images, folds=fold)
        for study in range(count):
            tally.add(
                made_up(np.random.default_rng((2, number, study)), world, shape, shift), truth
            )
        pairs = count * (candidates - 1)
        row = [
            f"{100 * truth['accuracy']:.1f} points, {truth['log_loss']:+.3f}",
            f"{images:,}, {judging.design(shape)}", candidates, seeds,
            *tally.shares("different", pairs),
            percent(tally.worse_left_out, pairs), percent(tally.best_kept, count),
            percent(tally.held, tally.intervals),
        ]  # fmt: skip
        rows.append(row)
        show(*row)
    return [
        *table(rows),
        "",
        f"{count} made-up studies a row. One candidate is better than all others, which are alike; "
        "shares are of the pairs with it, adjusted for the whole study.",
    ]


def advised(count: int) -> Lines:
    """Whether what is advised to settle a comparison settles it, in fresh studies."""
    rows: list[list[object]] = [
        ["true difference of the first", "studies", "that name a need", "settled by following it"]
    ]
    for shift in (0.0, 0.5, 1.0):
        named = settled = 0
        for study in range(count):
            followed = judging.followed((4, study), LESSON, shift)
            named += followed is not None
            settled += bool(followed)
        truth = 100 * true_differences(LESSON, shift)["accuracy"]
        row: list[object] = [
            f"{truth:.1f} points", count, percent(named, count), share(settled, named)
        ]  # fmt: skip
        rows.append(row)
        show(*row)
    return [
        *table(rows),
        "",
        "Studies of 4 candidates, 5 seeds, 341 images; the pair that is named first is followed in "
        "a fresh study of the size that is advised, with the same truth.",
    ]


def winner(count: int) -> Lines:
    """Whether the score that is expected of the selected setting is right."""
    rows: list[list[object]] = [
        ["metric", "images", "candidates", "seeds", "naive less true", "expected less true",
         "intervals that hold the truth"]
    ]  # fmt: skip
    shapes = [(4, 10, 341, 1), (20, 5, 100, 1), (100, 3, 100, 1), (20, 5, 60, 1), (4, 3, 341, 5)]
    for candidates, seeds, images, folds in shapes:
        shape = Shape(candidates=candidates, seeds=seeds, images=images, folds=folds)
        world = POOLED if folds > 1 else LESSON
        truth = judging.true_scores(world, in_folds=folds > 1)
        found: dict[str, list[tuple[float, float, bool]]] = {metric: [] for metric in truth}
        for study in range(count):
            random = np.random.default_rng((5, study))
            differences = Differences(made_up(random, world, shape))
            numbers = differences.validated.candidates
            best = max(numbers, key=lambda c: differences.mean(c, "accuracy"))
            for score in winner_scores(differences, best, "accuracy", among=numbers):
                true = truth[score.metric]
                held = score.low is not None and score.high is not None
                held = held and score.low <= true <= score.high  # pyright: ignore
                found[score.metric].append((score.naive - true, score.score - true, held))
        for metric, scores in found.items():
            naive, expected, held = np.mean(np.array(scores, float), axis=0)
            row = [
                metric, f"{images:,}, {judging.design(shape)}", candidates, seeds,
                f"{naive:+.4f}", f"{expected:+.4f}", share(round(held * count), count),
            ]  # fmt: skip
            rows.append(row)
            show(*row)
    return [*table(rows), "", f"{count} made-up studies a row, all candidates alike."]


def looks(count: int) -> Lines:
    """Whether looking several times keeps the family-wise error rate."""
    rows: list[list[object]] = [
        ["true difference of the first", "candidates", "studies", "a false difference",
         "settled", "looks, mean"]
    ]  # fmt: skip
    for candidates, shift in ((2, 0.0), (4, 0.0), (4, 1.5)):
        false = settled = done = 0
        for study in range(count):
            ended = judging.looked((6, study), LESSON, candidates, shift)
            false, settled, done = (
                false + ended.false,
                settled + ended.settled,
                done + ended.looks,
            )
        truth = 100 * true_differences(LESSON, shift)["accuracy"]
        row = [
            f"{truth:.1f} points", candidates, count, share(false, count),
            percent(settled, count), f"{done / count:.1f}",
        ]  # fmt: skip
        rows.append(row)
        show(*row)
    return [
        *table(rows),
        "",
        "Made-up studies of 341 images that begin with 5 seeds. All looks are taken until the "
        "question is settled; none is left out as hopeless, which could only lower the error.",
    ]


def real(data: Path | None, divisions: int, each: int) -> Lines:
    """How often studies of real heads of one setting, which differ by seeds, get a difference."""
    matrix, labels = judging.features(photographs(data, real=True), "xception")
    sizes = ((2, 2), (2, 5), (2, 20), (4, 2), (4, 5), (4, 10), (20, 2))
    tallies = {size: Tally() for size in sizes}
    for number in range(divisions):
        random = np.random.default_rng((3, number))
        heads = trained(random, matrix, labels, HEADS, EPOCHS)
        show("trained", number + 1, "of", divisions)
        for (candidates, seeds), tally in tallies.items():
            for study in studies(random, heads, candidates, seeds, IMAGES, each):
                tally.add(study)
    rows: list[list[object]] = [
        ["candidates", "seeds", "studies", "a false difference", "an equal one is not the best",
         "intervals that hold 0"]
    ]  # fmt: skip
    for size, tally in tallies.items():
        count = tally.studies
        rows.append(
            [*size, count, share(tally.false, count), share(tally.left_out, count),
             percent(tally.held, tally.intervals)]
        )  # fmt: skip
    return [
        *table(rows),
        "",
        f"{divisions} divisions of {len(labels):,} photographs, two thirds to train; {HEADS} heads "
        f"each of droprate 0.2, {EPOCHS} epochs, that differ by their seeds alone. A study deals "
        f"heads at random to candidates, and draws {IMAGES} of the other third to validate them.",
    ]


PARTS: dict[str, Callable[[int], Lines]] = {
    "levels": levels,
    "identical": identical,
    "equivalence": equivalence,
    "planted": planted,
    "advised": advised,
    "winner": winner,
    "looks": looks,
    "pools": lambda _: [],
    "power": lambda _: [],
    "real": lambda _: [],
}


if __name__ == "__main__":
    main()
