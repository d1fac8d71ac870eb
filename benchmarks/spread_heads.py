"""What does it cost to let other processes train the heads of a bank?

    python -m benchmarks spread_heads      six minutes on two cores; with --quick, two

The same bank in this process and by one and two local processes, by turns: the lesson's sizes, on
generated features. The workers are there before, as they are for a study that extracts first.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from benchmarks.machine import parser, show, table, write_result
from manyheads.core.machine import cores
from manyheads.heads.bank import Engine, HeadEnd, HeadSettings, engine_named
from manyheads.heads.fold import Fold
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.spread_engine import SpreadEngine
from manyheads.workers.opening import opened_workers

TRAIN, VALIDATION, FEATURES, CLASSES = 3068, 341, 2048, 10
EPOCHS = 5
PROCESSES = 1, 2


@dataclass
class Trained:
    """Seconds of each turn, and the longest in them without an event."""

    turns: list[float] = field(default_factory=list[float])
    silence: float = 0.0


def main() -> None:
    args = parser("The cost of heads by other processes.").parse_args()
    heads, turns = (40, 2) if args.quick else (160, 3)
    with ExitStack() as stack:
        ways: dict[str, Engine] = {"this process": engine_named("fused")}
        for count in PROCESSES:
            workers = stack.enter_context(opened_workers(count))
            assert workers is not None
            ways[f"{count} local"] = SpreadEngine("fused", workers)
        found = measured(ways, heads, turns)
    write_result(args.results, "spread-heads", lines(found, heads))


def measured(ways: dict[str, Engine], heads: int, turns: int) -> dict[str, Trained]:
    """The same bank by every way, in turn, so that what disturbs one disturbs the others."""
    bank, fold = [head(seed) for seed in range(heads)], generated()
    found = {name: Trained() for name in ways}
    for engine in ways.values():
        assert list(engine.train(bank[:4], [fold]))  # compiles the kernels
    for _ in range(turns):
        for name, engine in ways.items():
            seconds, silence = timed(engine, bank, fold)
            found[name].turns.append(seconds)
            found[name].silence = max(found[name].silence, silence)
            show(f"{name}: {seconds:.1f} s, at most {silence:.1f} s without an event")
    return found


def timed(engine: Engine, bank: list[HeadSettings], fold: Fold) -> tuple[float, float]:
    """Seconds that a bank takes, and the longest without an event."""
    started = last = time.perf_counter()
    silence, ends = 0.0, 0
    for event in engine.train(bank, [fold]):
        now = time.perf_counter()
        silence, last = max(silence, now - last), now
        ends += isinstance(event, HeadEnd)
    assert ends == len(bank)
    return time.perf_counter() - started, silence


def lines(found: dict[str, Trained], heads: int) -> list[str]:
    """The table."""
    alone = sum(found["this process"].turns)
    rows: list[tuple[str, ...]] = [("trained by", "seconds, each turn", "beside one process",
                                    "longest without an event, s")]  # fmt: skip
    rows += [
        (
            name,
            ", ".join(f"{seconds:.1f}" for seconds in each.turns),
            f"{sum(each.turns) / alone - 1:+.1%}",
            f"{each.silence:.1f}",
        )
        for name, each in found.items()
    ]
    return [
        f"## {heads} heads of {EPOCHS} epochs, {TRAIN:,} × {FEATURES:,} features, {cores()} cores",
        "",
        *table(rows),
        "",
        "A head has 100 inner units, as in the lesson. The processes divide the cores.",
        "",
    ]


def head(seed: int) -> HeadSettings:
    """The lesson's head, for a few epochs."""
    setting = Hyperparameters(size_inner=100, droprate=0.2, epochs=EPOCHS)
    return HeadSettings(hyperparameters=setting, seed=seed, fold=0, epochs=EPOCHS)


def generated() -> Fold:
    """Features about a centre for each class."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, TRAIN + VALIDATION)
    centres = random.normal(size=(CLASSES, FEATURES)) / 4
    noise = random.normal(size=(len(labels), FEATURES))
    matrix = np.maximum(centres[labels] + noise, 0).astype(np.float32)
    rows = np.arange(len(labels))
    return Fold(matrix, rows[:TRAIN], labels[:TRAIN], rows[TRAIN:], labels[TRAIN:], CLASSES)


if __name__ == "__main__":
    main()
