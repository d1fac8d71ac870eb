"""A thousand candidates, five seeds: time by the number of heads, memory, and the time left.

    python -m benchmarks.big_study                     an hour and a half on two idle cores
    python -m benchmarks.big_study --candidates 100    a tenth of it

Features are generated, of the lesson's shape. A study of four candidates, one of all of them and
one of all that is pruned run in processes of their own. Of each: seconds for a head's epoch,
memory at its peak beside what the plan says, and how wrong the time left was on the way, against
the time that it took in the end. `--sizes` mixes inner layers, whose epochs differ in cost.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import answer, gib, parser, part, table, write_result
from manyheads.core.job import Event, Job
from manyheads.heads.bank import Fold, HeadSettings, engine_named
from manyheads.heads.fused.engine import FusedEngine
from manyheads.heads.hyperparameters import Hyperparameters, epoch_cost
from manyheads.run.plan import training_memory
from manyheads.study.events import EpochEnded
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from manyheads.study.training import train_study
from manyheads.study.work import Work

TRAIN, VALIDATION, FEATURES, CLASSES = 3068, 341, 2048, 10
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
FEW, RATES = 4, 40
SIZES = (0, 1, 10, 32, 50, 100, 300, 1000)
_KIB = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss in bytes


def main() -> None:
    options = parser("A study of a thousand candidates: time, memory, and the time left.")
    options.add_argument("--candidates", type=int, default=1000)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--sizes", type=int, nargs="+", default=[100], help="inner layers")
    args = options.parse_args()
    shape = {"seeds": args.seeds, "epochs": args.epochs, "sizes": args.sizes}
    runs = {
        f"{FEW} candidates": part("big_study.study", candidates=FEW, prune=None, **shape),
        f"{args.candidates:,}": part(
            "big_study.study", candidates=args.candidates, prune=None, **shape
        ),
        f"{args.candidates:,}, pruned": part(
            "big_study.study", candidates=args.candidates, prune=3, **shape
        ),
    }
    lines = [*report(runs, shape), "", *sizes_report(part("big_study.costs", epochs=10))]
    write_result(args.results, "big-study", lines)


def report(runs: dict[str, Any], shape: dict[str, Any]) -> list[str]:
    """The tables of all runs; the first is what the others' epochs are compared with."""
    first = next(iter(runs.values()))
    costs: list[Sequence[object]] = [
        ("candidates", "epochs of heads", "seconds", "ms a head's epoch", "it / the first's",
         "ms of processor time", "it / the first's", "memory at its peak", "planned")
    ]  # fmt: skip
    errors: list[Sequence[object]] = [
        ("time left, predicted / actual, at", *(f"{share:.0%}" for share in SHARES))
    ]
    for name, run in runs.items():
        costs.append(
            (name, f"{run['epochs']:,}", f"{run['seconds']:,.1f}", f"{1000 * run['epoch']:.1f}",
             f"{run['epoch'] / first['epoch']:.2f}", f"{1000 * run['worked']:.1f}",
             f"{run['worked'] / first['worked']:.2f}", gib(run["peak"]), gib(run["planned"]))
        )  # fmt: skip
        errors.append((name, *(f"{ratio:.2f}" if ratio else "–" for ratio in run["left"])))
    return [
        *table(costs),
        "",
        *table(errors),
        "",
        f"{TRAIN:,} training and {VALIDATION} validation samples, {FEATURES:,} generated features, "
        f"{CLASSES} classes, batches of 32, inner layers of {' '.join(map(str, shape['sizes']))}, "
        f"{shape['seeds']} seeds, {shape['epochs']} epochs, files of the best 100 heads kept; "
        "seconds from the first epoch's end to the last's. Asked: epochs within 15 % of the "
        "first's, times left within 20 %, less than 4 GiB. Memory is resident, the features "
        "included, of a process that trains and neither extracts nor writes a whole network. "
        "Processor time, of all cores, hardly heeds what else the machine does; seconds do.",
    ]


def sizes_report(seconds: dict[str, float]) -> list[str]:
    """How well the cost that a plan assumes of an epoch fits what it takes, by inner layer."""
    planned = {size: epoch_cost(Hyperparameters(size_inner=int(size))) for size in seconds}
    rows: list[Sequence[object]] = [("inner layer", "ms a head's epoch", "planned / measured")]
    for size, measured in seconds.items():
        ratio = (planned[size] / planned["100"]) / (measured / seconds["100"])
        rows.append((size, f"{1000 * measured:.1f}", f"{ratio:.2f}"))
    return [*table(rows), "", "One thread, processor time; planned as a multiple of 100 units."]


def costs(epochs: int) -> dict[str, float]:
    """Seconds of processor time for an epoch, by the size of the inner layer."""
    fold, engine, seconds = generated(), FusedEngine(1), {}
    for size in (100, *SIZES):  # the first of them compiles
        given = Hyperparameters(size_inner=size)
        head = HeadSettings(hyperparameters=given, seed=0, fold=0, epochs=epochs)
        started = time.process_time()
        for _ in engine.train([head], [fold]):
            pass
        seconds[str(size)] = (time.process_time() - started) / epochs
    return seconds


def study(
    candidates: int, seeds: int, epochs: int, sizes: Sequence[int], prune: int | None
) -> dict[str, Any]:
    """Train a study in an empty folder, and what it took."""
    settings = StudySettings(
        data="generated",
        grid=replace(grid_of(candidates, sizes), epochs=(epochs,)),
        seeds=seeds,
        prune=prune,
    )
    work = Work(settings)
    watch = Watch(work)
    with tempfile.TemporaryDirectory() as name, Store(Path(name, "study.sqlite")) as store:
        train_study(
            settings, RunFolder(name), store, [generated()], engine_named("fused"),
            work=work, job=Job(watch.hear),
        )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    began, ended = watch.looks[0], watch.looks[-1]
    return {
        "epochs": ended.epochs,
        "seconds": ended.at - began.at,
        "epoch": (ended.at - began.at) / (ended.epochs - 1),
        "worked": (ended.worked - began.worked) / (ended.epochs - 1),
        "peak": peak,
        "planned": training_memory(settings, TRAIN + VALIDATION, FEATURES, CLASSES),
        "left": [watch.ratio(share) for share in SHARES],
    }


def grid_of(candidates: int, sizes: Sequence[int]) -> Grid:
    """So many candidates, or a few more: the dropout rates vary fastest, then the sizes."""
    rates = min(RATES, max(1, candidates // len(sizes)))
    learning = -(-candidates // (rates * len(sizes)))
    return Grid(
        tuple(0.0003 * 1.1**n for n in range(learning)),
        tuple(sizes),
        tuple(0.9 * n / rates for n in range(rates)),
    )


def generated() -> Fold:
    """Samples about a centre for each class, far from told apart, not negative like features."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, TRAIN + VALIDATION)
    centres = random.normal(0, 0.05, (CLASSES, FEATURES)).astype(np.float32)
    matrix = random.normal(0.3, 0.4, (len(labels), FEATURES)).astype(np.float32)
    np.maximum(matrix + centres[labels], 0, out=matrix)
    rows = np.arange(len(labels))
    return Fold(matrix, rows[:TRAIN], labels[:TRAIN], rows[TRAIN:], labels[TRAIN:], classes=CLASSES)


@dataclass(frozen=True)
class Look:
    """A look at a study's progress: when, how far by cost, and what was said to be left."""

    at: float
    worked: float  # seconds of processor time
    share: float
    epochs: int
    left: float | None


class Watch:
    """Looks at the progress whenever an epoch ends."""

    def __init__(self, work: Work) -> None:
        self.work, self.looks = work, list[Look]()

    def hear(self, event: Event) -> None:
        """Look, if an epoch has ended."""
        if not isinstance(event, EpochEnded):
            return
        work = self.work
        share = work.done.units / (work.done.units + work.left.units)
        # A few thousand looks are enough, however many epochs there are.
        if not self.looks or share - self.looks[-1].share > 0.0003 or not work.left.epochs:
            now, worked = time.monotonic(), time.process_time()
            self.looks.append(Look(now, worked, share, work.done.epochs, work.seconds_left))

    def ratio(self, share: float) -> float | None:
        """The time left as it was said at `share` of the work, by what it was."""
        look = next(look for look in self.looks if look.share >= share)
        actual = self.looks[-1].at - look.at
        return look.left / actual if look.left is not None and actual > 0 else None


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("study", "costs"):
        answer({"study": study, "costs": costs})
    else:
        main()
