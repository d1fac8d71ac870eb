"""Where does the time of a head's epoch go? Its parts, and the same products by BLAS.

    python -m benchmarks step_parts      some seconds

One thread trains the lesson's head, each part of a step in a call of its own, in the order of
`kernels.train_steps`: so a part finds in the caches what it finds there in training. Times are
processor time, without what it takes to pass a call's arguments.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from benchmarks.machine import middle, parser, table, write_result
from benchmarks.parts.shapes import BATCH, CLASSES, DROPRATE, FEATURES, TRAIN, UNITS, samples
from manyheads.heads.bank import Fold, HeadSettings
from manyheads.heads.fused import kernels
from manyheads.heads.fused.blocks import Descent, back_panels, transpose_panels
from manyheads.heads.fused.fused_head import _Trainer
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import SeededStreams

PARTS = {
    "gather": "gathering batches, and transposing them",
    "forward": "forward product of the inner layer",
    "descend": "gradient of the inner layer, with Adam",
    "outer": "the outer layer: forward, back, gradient with Adam",
    "masks": "drawing masks",
    "units": "ReLU and masks, there and back",
    "loss": "loss, and its gradient",
    "validation": "validation",
}


def main() -> None:
    args = parser("Where the time of a head's epoch goes.").parse_args()
    with threadpool_limits(1, user_api="blas"):
        found = measured(3 if args.quick else 30)
    write_result(args.results, "step-parts", report(found))


def measured(epochs: int) -> dict[str, float]:
    """Milliseconds of an epoch and of each of its parts: the median of `epochs`, after a first."""
    trainer, by_blas = _trainer(), _by_blas()
    found: list[Clock] = []
    for epoch in range(1, epochs + 2):
        clock = Clock()
        _in_parts(trainer, epoch, clock)
        by_blas(clock)
        clock.time("validation", trainer._validate)
        clock.time("train", trainer._train, epoch)
        found.append(clock)
    return {name: middle([clock[name] for clock in found[1:]]) / 1e6 for name in found[0]}


class Clock(Counter[str]):
    """Nanoseconds of this thread's processor time by name."""

    def time(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Call `work`, and count what it takes."""
        started = time.thread_time_ns()
        answer = work(*arguments)
        self[name] += time.thread_time_ns() - started
        return answer

    def compiled(self, name: str, work: Callable[..., Any], *arguments: Any) -> None:
        """Call a compiled function, and count what it takes more than one that does nothing."""
        self.time(name, work, *arguments)
        started = time.thread_time_ns()
        _nothing(*arguments)
        self[name] -= time.thread_time_ns() - started


@njit
def _nothing(*_):
    pass


def _trainer() -> _Trainer:
    x, y, val_x, val_y = samples()
    rows = np.arange(len(x) + len(val_x))
    fold = Fold(np.concatenate([x, val_x]), rows[: len(x)], y, rows[len(x) :], val_y, CLASSES)
    head = HeadSettings(
        hyperparameters=Hyperparameters(size_inner=UNITS, droprate=DROPRATE, batch_size=BATCH),
        seed=1, fold=0, epochs=1,
    )  # fmt: skip
    return _Trainer(head, fold, SeededStreams(1, 0), lambda: False)


def _in_parts(trainer: _Trainer, epoch: int, clock: Clock) -> None:
    """An epoch as `kernels.train_steps` makes it."""
    inner, outer, work = trainer.inner, trainer.outer, trainer.work
    count = len(trainer.fold.train)
    order = trainer.streams.order(epoch, count)
    rows, labels = trainer.fold.train[order], trainer.fold.train_labels[order]
    uniforms = trainer.streams.uniforms(epoch)
    for block in trainer._blocks(count):
        drawn = clock.time("masks", trainer._draw, uniforms, DROPRATE, block.stop - block.start)
        for start in range(block.start, block.stop, BATCH):
            part = slice(start, min(start + BATCH, block.stop))
            n, hide = part.stop - start, drawn[start - block.start : part.stop - block.start]
            clock.compiled("gather", kernels._gather, trainer.matrix, rows[part], work)
            clock.compiled("forward", kernels._forward, inner, work.columns, n, work.hidden_flat)
            clock.compiled("units", kernels._relu_dropout, work.hidden_flat, hide, DROPRATE)
            clock.compiled("outer", kernels._forward, outer, work.hidden, n, work.logits)
            own, ones = labels[part], np.ones(n, np.float32)
            targets = own, own, ones, ones, np.float32(0)
            clock.compiled("loss", kernels._loss_and_gradient, work.logits, *targets)
            work.hidden_part[:] = 0
            clock.compiled("outer", back_panels, outer.kernel, work.logits, n, work.hidden_part)
            clock.compiled("outer", transpose_panels, work.hidden, work.hidden_rows)
            hidden, back = work.hidden_flat, work.hidden_part_flat
            trainer.steps += 1
            rate = trainer.hyperparameters.learning_rate
            descent = kernels._descent(trainer.rules, rate, trainer.steps)
            size, *rest = map(np.float32, descent[:-1])  # they come as doubles
            descent = Descent(size, rest[0], rest[1], rest[2], rest[3], False)
            clock.compiled("units", kernels._back_through, hidden, back, UNITS, n, DROPRATE)
            for name, layer, delta, inputs in (
                ("outer", outer, work.logits, work.hidden_rows),
                ("descend", inner, hidden, work.rows),
            ):
                clock.compiled(
                    name, kernels._descend, layer, delta, inputs, n, descent, work.gradient
                )


def _by_blas() -> Callable[[Clock], None]:
    """The inner layer's part in an epoch: NumPy's BLAS, then Adam on the whole gradient."""
    random = np.random.default_rng(0)
    batch, delta = (random.random((BATCH, n), np.float32) for n in (FEATURES, UNITS))
    kernel = random.random((FEATURES, UNITS), np.float32)
    gradient, first, second = (np.zeros_like(kernel) for _ in range(3))
    flat = [array.ravel() for array in (kernel, gradient, first, second)]
    alpha = np.float32(1e-4)
    out = np.empty((BATCH, UNITS), np.float32)

    def epoch(clock: Clock) -> None:
        for _ in range(0, TRAIN, BATCH):
            clock.time("forward by BLAS", np.dot, batch, kernel, out)
            clock.time("gradient by BLAS", np.dot, batch.T, delta, gradient)
            clock.compiled("Adam alone", kernels._adam, *flat, alpha)

    return epoch


def report(found: dict[str, float]) -> list[str]:
    """The table of parts, beside the whole, and that of the products by BLAS."""
    whole = found["train"] + found["validation"]
    rows = [("part of an epoch", "ms", "share")]
    rows += [(PARTS[key], f"{found[key]:.2f}", f"{found[key] / whole:.0%}") for key in PARTS]
    total = sum(found[key] for key in PARTS)
    rows += [("all parts", f"{total:.1f}", f"{total / whole:.0%}")]
    rows += [("an epoch as it is trained", f"{whole:.1f}", "100%")]
    blas = found["gradient by BLAS"] + found["Adam alone"]
    beside = [
        ("the inner layer in an epoch", "blocks, ms", "NumPy's BLAS, ms"),
        ("forward product", f"{found['forward']:.2f}", f"{found['forward by BLAS']:.2f}"),
        (
            "gradient, and Adam",
            f"{found['descend']:.2f}",
            f"{found['gradient by BLAS']:.2f} + {found['Adam alone']:.2f} = {blas:.2f}",
        ),
    ]
    return [
        "## A head's epoch, by its parts",
        "",
        *table(rows),
        "",
        *table(beside),
        "",
        f"Processor time of one thread; medians over epochs. {FEATURES:,} features, {UNITS} inner "
        f"units, {CLASSES} classes, batches of {BATCH}, {TRAIN:,} training samples. By BLAS, the "
        "whole gradient is made, and then consumed by Adam.",
        "",
    ]


if __name__ == "__main__":
    main()
