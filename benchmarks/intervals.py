"""Do the intervals of `manyheads test` hold the truth as often as they say?

    python -m benchmarks.intervals --draws 200

Models of three classes of skill answer generated images of ten classes; what a score is on very
many of them is the truth. Of scores by resampling the same interval stands beside, mirrored at
the value: what is by percentiles becomes the basic bootstrap's, and the other way round.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from scipy.special import log_softmax

from benchmarks.machine import parser, show, table, write_result
from manyheads.evidence.held_out import HeldOutScores, score_held_out
from manyheads.evidence.intervals import Estimate

CLASSES = 10
SIZES = (60, 350)  # images
SKILLS = (2.6, 4.0, 6.0)  # how far the right class's logit stands above the others
RESAMPLED = ("macro_f1", "log_loss", "brier", "ece", "log_loss_at_train_shares")
_TRUTH = 100_000


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
    write_result(args.results, "intervals", table(rows))


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
