"""Do the intervals of `manyheads test` hold the truth as often as they say?

    python -m benchmarks.intervals --draws 200

Models of three classes of skill answer generated images of ten classes; what a score is on very
many of them is the truth. Of scores by resampling the same interval stands beside, mirrored at
the value: what is by percentiles becomes the basic bootstrap's, and the other way round.

Then accuracies whose classes weigh alike, where classes differ in size and difficulty. Beside the
interval by class stands Wilson's for the number of draws that unequal weights amount to (Kish
1965, section 11.7), which takes all classes to be equally hard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import log_softmax

from benchmarks.machine import parser, show, table, write_result
from manyheads.findings.held_out_scores import HeldOutScores, score_held_out
from manyheads.stats.intervals import Estimate, stratified_estimate, wilson

CLASSES = 10
SIZES = (60, 350)  # images
SKILLS = (2.6, 4.0, 6.0)  # how far the right class's logit stands above the others
RESAMPLED = ("macro_f1", "log_loss", "brier", "ece", "log_loss_at_train_shares")
_TRUTH = 100_000


@dataclass(frozen=True)
class World:
    """How often a class is met among images, and how often it is right; `unit` images are alike."""

    name: str
    frequencies: Sequence[float]
    recalls: Sequence[float]
    unit: int = 1


WORLDS = (
    World("all alike, 0.64", [1.0] * 10, [0.64] * 10),
    World("all alike, 0.97", [1.0] * 10, [0.97] * 10),
    World("one of ten rare, 0.5; others 0.98", [1.0] * 9 + [0.1], [0.98] * 9 + [0.5]),
    World("one of ten rare, 0.8; others 0.99", [1.0] * 9 + [0.1], [0.99] * 9 + [0.8]),
    World("two of ten rare, 0.6; others 0.97", [1.0] * 8 + [0.1] * 2, [0.97] * 8 + [0.6] * 2),
    World("one of two rare, 0.8; the other 0.97", [0.95, 0.05], [0.97, 0.8]),
    World("the rarer, the harder: 0.98 to 0.4", np.geomspace(1, 0.03, 10).tolist(),
          np.linspace(0.98, 0.4, 10).tolist()),
    World("the rarer, the easier: 0.6 to 0.98", np.geomspace(1, 0.03, 10).tolist(),
          np.linspace(0.6, 0.98, 10).tolist()),
    World("100 classes, 0.9", [1.0] * 100, [0.9] * 100),
    World("100 classes, the rarer, the harder: 0.99 to 0.3", np.geomspace(1, 0.1, 100).tolist(),
          np.linspace(0.99, 0.3, 100).tolist()),
    World("one of ten rare, 0.5; others 0.98; three images a group", [1.0] * 9 + [0.1],
          [0.98] * 9 + [0.5], unit=3),
)  # fmt: skip
WORLD_SIZES = (60, 350, 1500)


def main() -> None:
    options = parser("How often intervals hold the truth.")
    options.add_argument("--draws", type=int, default=200, help="(default: %(default)s)")
    args = options.parse_args()
    draws = min(args.draws, 50) if args.quick else args.draws
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(CLASSES, 5.0))
    rows: list[tuple[object, ...]] = [
        ("accuracy", "images", "score", "truth", "held", "held if mirrored", "mean width")
    ]
    for skill in SKILLS:
        truth = drawn(_TRUTH, skill, shares, random)
        for images in SIZES:
            found = [drawn(images, skill, shares, random) for _ in range(draws)]
            for name in (f.name for f in fields(HeldOutScores) if f.type == "Estimate"):
                exact = getattr(truth, name).value
                estimates = [getattr(scores, name) for scores in found]
                held, mirrored, width = coverage(exact, estimates)
                shown = f"{100 * mirrored:.0f} %" if name in RESAMPLED else ""
                rows.append(
                    (f"{truth.accuracy.value:.2f}", images, name, f"{exact:.3f}",
                     f"{100 * held:.0f} %", shown, f"{width:.3f}")
                )  # fmt: skip
                show(*rows[-1])
    lines = [*table(rows), "", "Accuracies whose classes weigh alike:", "", *worlds(10 * draws)]
    write_result(args.results, "intervals", lines)


def drawn(
    images: int, skill: float, shares: np.ndarray, random: np.random.Generator
) -> HeldOutScores:
    """The scores of an over-confident model on so many new images; training shares are equal."""
    labels = random.choice(CLASSES, images, p=shares)
    logits = 1.2 * random.normal(size=(images, CLASSES))
    logits[np.arange(images), labels] += random.normal(skill, 1.8, images)
    names = [str(number) for number in range(CLASSES)]
    model = log_softmax(1.3 * logits, axis=1).astype(np.float32)
    return score_held_out(model, labels, np.arange(images), names, np.full(CLASSES, 100))


def worlds(draws: int) -> list[str]:
    """How often both intervals hold the accuracy of each world's classes that have images."""
    rows: list[tuple[object, ...]] = [
        ("recalls of classes", "images", "truth", "held by weights alone", "held by class",
         "mean width by weights alone", "mean width by class")
    ]  # fmt: skip
    for world in WORLDS:
        random = np.random.default_rng(0)
        for images in WORLD_SIZES:
            found = [_both(world, images, random) for _ in range(draws)]
            truths = np.array([truth for truth, _ in found])
            ends = np.array([pair for _, pair in found])
            held = (ends[..., 0] <= truths[:, None]) & (truths[:, None] <= ends[..., 1])
            widths = np.diff(ends)[..., 0].mean(0)
            rows.append(
                (world.name, images, f"{truths.mean():.3f}",
                 *(f"{100 * share:.1f} %" for share in held.mean(0)),
                 *(f"{width:.3f}" for width in widths))
            )  # fmt: skip
            show(*rows[-1])
    return table(rows)


def _both(
    world: World, images: int, random: np.random.Generator
) -> tuple[float, list[tuple[float, float]]]:
    """The truth of the classes drawn, and the interval by weights alone and by class."""
    recalls, classes = np.array(world.recalls), len(world.recalls)
    frequencies = np.array(world.frequencies) / sum(world.frequencies)
    labels = np.repeat(random.choice(classes, images // world.unit, p=frequencies), world.unit)
    units = np.arange(len(labels)) // world.unit
    # Half of the groups are right or wrong as a whole.
    whole = random.random(len(labels) // world.unit) < 0.5
    chance = random.random(len(labels))
    together = np.repeat(chance[:: world.unit], world.unit)
    hits = np.where(whole[units], together, chance) < recalls[labels]
    counts = np.bincount(labels, minlength=classes)
    truth = float(recalls[counts > 0].mean())
    weights = 1 / counts[labels]
    value = float((weights * hits).sum() / weights.sum())
    draws = weights.sum() ** 2 / (weights**2).sum()
    if world.unit > 1:
        parts = weights * (hits - value) if 0 < hits.sum() < len(hits) else weights
        draws /= max(1.0, float((np.bincount(units, parts) ** 2).sum() / (parts**2).sum()))
    found = stratified_estimate(hits, units, labels, np.full(classes, 1 / classes))
    assert found.low is not None
    assert found.high is not None
    return truth, [wilson(value, draws), (found.low, found.high)]


def coverage(truth: float, found: list[Estimate]) -> tuple[float, float, float]:
    """How often intervals hold the truth, how often mirrored ones do, and their mean width.

    A draw without an interval has said nothing, and is left out.
    """
    ends = [(e.value, e.low, e.high) for e in found if e.low is not None and e.high is not None]
    held = [low <= truth <= high for _, low, high in ends]
    mirrored = [2 * value - high <= truth <= 2 * value - low for value, low, high in ends]
    widths = [high - low for _, low, high in ends]
    return float(np.mean(held)), float(np.mean(mirrored)), float(np.mean(widths))


if __name__ == "__main__":
    main()
