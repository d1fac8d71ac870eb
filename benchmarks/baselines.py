"""Is the default head beaten by standard baselines on few images, and which rule is not?

    python -m benchmarks baselines      forty minutes on one core, and the extraction of features

Random stratified draws of 60 images and more; nearest neighbours, logistic regression, and heads of
the fused engine under several rules for their settings, all scored on the same images, which nobody
trained on or chose by. Features are extracted once. Nothing here sees a test image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from benchmarks.machine import parser, photographs, show, table, write_result
from benchmarks.parts.contenders import (
    BASELINES,
    HEADS,
    MORE_IMAGES,
    PLAIN,
    REGRESSION,
    RULES,
    STRENGTHS,
    TUNED,
    VARIATIONS,
    Contender,
    TunedLogistic,
    scaled,
    with_scaled,
)
from benchmarks.parts.few_images import Draw, Features, draws
from benchmarks.parts.judging import features
from manyheads.data.catalog import locate
from manyheads.heads.fused.engine import compile_kernels
from manyheads.stats import metrics

SIZES = (60, 100, 200, 280, 500, 1000, 2000)  # training images; and 80 % of all
JUDGED = 200  # training images and more: where a rule is to hold
FEW, MANY = 5, 4  # draws of up to 500 training images, and of more
VARIED, VARIED_DRAWS = (200, 500, 1000), 5
METRICS = {"accuracy": 1, "log loss": -1}  # in the order of `score`, and the sign of what is better
NAMED = 4  # cells where a rule is beaten that are told one by one


class Cell(NamedTuple):
    """The scores of all contenders on the draws of one size: `[draws, (*METRICS, seconds)]`."""

    features: str
    size: int
    scored: int
    scores: Mapping[str, Float64[np.ndarray, "draws columns"]]

    def mean(self, name: str, metric: str) -> float:
        """The mean over the draws; infinite for the log loss of neighbours."""
        return float(self.scores[name][:, list(METRICS).index(metric)].mean())

    def apart(self, name: str, other: str, metric: str) -> tuple[float, float]:
        """How much better `name` is than `other`, paired by draw, and half of the 95 % interval.

        The interval is that of Student's t, mean ± t · s / √draws. What has a finite loss is
        infinitely better than what has none.
        """
        column = list(METRICS).index(metric)
        pairs = METRICS[metric] * (self.scores[name] - self.scores[other])[:, column]
        if not np.isfinite(pairs).all():
            return np.inf, 0.0
        half = student.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / np.sqrt(len(pairs))
        return float(pairs.mean()), float(half)

    def beaten(self, name: str, others: Sequence[str], metric: str) -> bool:
        """Whether one of the others is better than `name` beyond the noise of the draws."""
        apart = [self.apart(name, other, metric) for other in others]
        return any(difference + half < 0 for difference, half in apart)

    def beside(self, name: str, other: str, metric: str) -> str:
        """The mean, and by how much it is better than that of `other`."""
        mean = self.mean(name, metric)
        if not np.isfinite(mean):
            return "–"
        if name == other:
            return f"{mean:.3f}"
        difference, half = self.apart(name, other, metric)
        return f"{mean:.3f} ({difference:+.3f} ± {half:.3f})"

    def seconds(self, name: str) -> str:
        """The mean seconds of training."""
        return f"{self.scores[name][:, -1].mean():.2f}"


def main() -> None:
    args = parser("Heads beside standard baselines on few images.").parse_args()
    sets = list(loaded(photographs(args.data, real=True), args.quick))
    more = {MORE_IMAGES: TunedLogistic(refitted=True)}
    contenders = {**BASELINES, **more, **with_scaled(RULES)}
    with threadpool_limits(1):  # so that all seconds are of one core, as those of a head
        compile_kernels()
        cells = [
            measured(each, size, _draws(size, args.quick), contenders)
            for each in sets
            for size in fitting(each, args.quick)
        ]
        lines = summary(cells) + details(cells)
        for each in sets[::2]:  # the photographs in one size, and the digits
            lines += variations(each, args.quick)
    write_result(args.results, "baselines", lines)


def loaded(clothing: Path, quick: bool) -> Iterator[Features]:
    """The sets of features, from the cache or extracted now; with `quick` only the first."""
    known = [("photographs, 150²", clothing, 150, "nearest")]
    if not quick:
        known.append(("photographs, 299²", clothing, 299, "nearest"))
        known.append(("digits, 150²", locate("digits"), 150, "bicubic"))
    for name, folder, size, interpolation in known:
        show(f"features of {name}")
        matrix, labels = features(folder, "xception", size, interpolation)
        yield Features(name, np.ascontiguousarray(matrix), labels)


def fitting(drawn: Features, quick: bool) -> list[int]:
    """Numbers of training images, of which the last stands for all: it leaves a fifth of them."""
    most = int(0.8 * len(drawn.labels)) // 100 * 100
    return [100, JUDGED] if quick else [*(size for size in SIZES if size < most), most]


def _draws(size: int, quick: bool) -> int:
    return 2 if quick else FEW if size <= 500 else MANY


def measured(drawn: Features, size: int, count: int, contenders: Mapping[str, Contender]) -> Cell:
    """Every contender on the same draws."""
    scores: dict[str, list[tuple[float, ...]]] = {name: [] for name in contenders}
    scored = 0
    for draw in draws(drawn, size, count):
        scored = len(draw.scored)
        for name, contender in contenders.items():
            scores[name].append(score(contender, draw))
    show(f"{drawn.name}, {size:,} training images")
    return Cell(drawn.name, size, scored, {name: np.array(each) for name, each in scores.items()})


def score(contender: Contender, draw: Draw) -> tuple[float, float, float]:
    """Accuracy and log loss on the scored images, and the seconds of training."""
    answers, seconds = contender(draw)
    labels = draw.features.labels[draw.scored]
    accuracy, loss = metrics.accuracy(answers, labels), metrics.log_loss(answers, labels)
    return float(accuracy), float(loss), seconds


def summary(cells: Sequence[Cell]) -> list[str]:
    """Where each rule is beaten by a baseline, and its mean distance from two of them."""
    judged = [cell for cell in cells if cell.size >= JUDGED]
    lines = [
        f"## Rules, from {JUDGED} training images on",
        "",
        f"Means over the {len(judged)} pairs of features and number of training images, and the "
        "worst; above 0 the rule is better than the baseline, in log loss as well. Beaten: a "
        "baseline is better, and the 95 % interval of the paired difference over the draws leaves "
        "out 0, which one comparison in forty does by chance. The last column is against logistic "
        "regression that is fitted to the choosing images too, a quarter more; of the rules one is "
        "so fitted as well.",
        "",
    ]
    for metric in METRICS:
        head = [f"{metric} beside that of", REGRESSION, TUNED, "beaten", "beaten by more images"]
        rows = [head]
        for name in RULES if metric == "accuracy" else with_scaled(RULES):
            means = [_mean_and_worst(judged, name, other, metric) for other in (REGRESSION, TUNED)]
            lost = [_lost(judged, name, o, metric) for o in (tuple(BASELINES), (MORE_IMAGES,))]
            rows.append([name, *means, *lost])
        lines += [*table(rows), ""]
    return lines


def _mean_and_worst(cells: Sequence[Cell], name: str, other: str, metric: str) -> str:
    apart = [cell.apart(name, other, metric)[0] for cell in cells]
    return f"{np.mean(apart):+.4f} (worst {min(apart):+.4f})"


def _lost(cells: Sequence[Cell], name: str, others: Sequence[str], metric: str) -> str:
    lost = [cell for cell in cells if cell.beaten(name, others, metric)]
    told = "; ".join(f"{cell.features}: {cell.size:,}" for cell in lost[:NAMED])
    more = "; …" if len(lost) > NAMED else ""
    return f"{len(lost)} of {len(cells)}" + (f" ({told}{more})" if lost else "")


def details(cells: Sequence[Cell]) -> list[str]:
    """Scores and seconds of every contender, on each set of features."""
    lines = [
        "## Every contender",
        "",
        f"In brackets the difference from {TUNED}, ± half of the 95 % interval over the draws: "
        f"{FEW} of up to 500 training images, {MANY} of more. Above 0 the contender is better, in "
        "log loss as well.",
        "",
        "A head is the default but for what is named: 100 inner units, droprate 0.5, Adam at "
        'learning rate 0.001, batches of 32, features as they are. "≥ N steps" is 30 epochs, or as '
        'many more as make N steps of the optimiser; "last", and what says nothing else, is the '
        'last epoch. "Scaled": logits are divided by the temperature of the least log loss on the '
        "choosing images, which changes no predicted class; of a head that is fitted to these too, "
        "it is that of the head before. "
        f'"{HEADS} heads": the mean of their logits. An epoch, a setting and a temperature are '
        "chosen by the choosing images alone, which are a quarter as many as the training images, "
        "and at the largest size half of what is left. C is one of "
        f"{', '.join(f'{strength:g}' for strength in STRENGTHS)}, by log loss in 3-fold "
        "cross-validation. Votes of neighbours are no probabilities. Seconds are processor time of "
        "one thread, the validation of a head after each epoch included. Draws of one size share "
        "images, so that intervals tell how sure a difference is on these photographs and digits, "
        "not on others.",
        "",
    ]
    for name in dict.fromkeys(cell.features for cell in cells):
        row_of = [cell for cell in cells if cell.features == name]
        sizes = [f"{cell.size:,}" for cell in row_of]
        plain = (*BASELINES, MORE_IMAGES, *RULES)
        lines += [f"### {name}", ""]
        for metric in METRICS:
            rows = [[metric, *sizes]]
            rows += [
                [each, *(cell.beside(each, TUNED, metric) for cell in row_of)]
                for each in (plain if metric == "accuracy" else row_of[0].scores)
            ]
            lines += [*table(rows), ""]
        rows = [["seconds", *sizes]]
        rows += [[each, *(cell.seconds(each) for cell in row_of)] for each in plain]
        rows.append(["images that are scored", *(f"{cell.scored:,}" for cell in row_of)])
        lines += [*table(rows), ""]
    return lines


def variations(drawn: Features, quick: bool) -> list[str]:
    """One hyperparameter at a time, beside the head of `PLAIN`."""
    sizes, count = (VARIED[:1], 2) if quick else (VARIED, VARIED_DRAWS)
    cells = [measured(drawn, size, count, with_scaled(VARIATIONS)) for size in sizes]
    heads = ("accuracy", "log loss", "log loss, scaled", "seconds")
    rows = [[f"{PLAIN}, and", *(f"{head}, {size:,}" for size in sizes for head in heads)]]
    for name in VARIATIONS:
        row = [name]
        for cell in cells:
            row += [cell.beside(name, PLAIN, metric) for metric in METRICS]
            row += [cell.beside(scaled(name), scaled(PLAIN), "log loss"), cell.seconds(name)]
        rows.append(row)
    return [
        f"## One hyperparameter at a time: {drawn.name}",
        "",
        f"In brackets the difference from the first row, over {count} draws; above 0 is better.",
        "",
        *table(rows),
        "",
    ]


if __name__ == "__main__":
    main()
