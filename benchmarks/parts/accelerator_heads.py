"""Many heads on an accelerator, beside the alternatives and the bound; half of `accelerator`.

Everything has the lesson's shapes, on generated features. A head's epoch is what more epochs add to
a bank's time, so that neither the start nor a compilation counts; the whole bank counts both.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.flops import head_epoch_bytes
from benchmarks.machine import manyheads
from benchmarks.parts.accelerator_rows import ABSENT, Row, call, measured, tell
from benchmarks.parts.shapes import BATCH, CLASSES, UNITS, samples, seconds
from manyheads.heads.bank import Engine, Fold, HeadEnd, HeadSettings, engine_named
from manyheads.heads.hyperparameters import Hyperparameters

PART = "heads"
SECONDS = 240.0  # of all measurements here
_FEW = 256  # heads
_NUMBERS, _PASSES = 1 << 26, 50  # float32 numbers read and written, far more than a cache has


class Measurement(NamedTuple):
    """A child's work: `what` it measures with which package, in how many `seconds` at most."""

    what: str
    function: str
    seconds: float
    arguments: Mapping[str, Any]
    package: str = "jax"


def rows(*, quick: bool = False) -> Iterator[Row]:
    """All rows, one after the other, in at most `SECONDS`."""
    until = time.monotonic() + SECONDS
    with tempfile.TemporaryDirectory() as name:
        # Programs that were compiled before would be found in the user's cache.
        cache = {"MANYHEADS_CACHE": str(Path(name, "cache"))}
        if importlib.util.find_spec("jax") is not None:
            yield from _commands(Path(name), cache)
        yield from _of_children(quick, until, cache)


def _commands(folder: Path, cache: dict[str, str]) -> Iterator[Row]:
    """A small sweep as a whole command, that compiles its programs, or finds them in the cache.

    One before fills the rest of the cache, and is not counted.
    """
    x, y, val_x, val_y = samples()
    np.save(folder / "features.npy", np.concatenate([x, val_x]))
    lines = [f"{label},train" for label in y] + [f"{label},validation" for label in val_y]
    (folder / "labels.csv").write_text("\n".join(["label,split", *lines, ""]), encoding="utf-8")
    for when in ("before", "programs compiled", "programs from the cache"):
        if when == "programs compiled":
            shutil.rmtree(folder / "cache" / "jax")
        command = manyheads(
            "sweep", folder / "labels.csv", "--features", "features.npy", "--droprate", "0", "0.5",
            "--epochs", "3", "--seeds", "1", "--engine", "stacked", "--no-baselines",
            "--out", folder / when, **cache,
        )  # fmt: skip
        if when != "before":
            yield Row(PART, "a sweep of 2 heads", f"{command.seconds:.1f} s", when)


def _of_children(quick: bool, until: float, cache: dict[str, str]) -> Iterator[Row]:
    for each in _measurements(quick):
        left = min(each.seconds, until - time.monotonic())
        if importlib.util.find_spec(each.package) is None:
            yield Row(PART, each.what, ABSENT, each.package)
        elif left < 5:
            yield Row(PART, each.what, "–", "no time left")
        else:
            name = f"accelerator_heads.{each.function}"
            # One process after the other uses the card, each as much of its memory as it needs.
            room = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **cache}
            yield from measured(PART, each.what, name, left, room, each.arguments)


def _measurements(quick: bool) -> Iterator[Measurement]:
    yield Measurement("device", "device", 40, {})
    for company in (1, 3):
        yield Measurement(f"a head with {company} of its kind", "laws", 60, {"company": company})
    size = {"candidates": 2, "epochs": 2} if quick else {"candidates": 1000, "epochs": 30}
    yield Measurement("the bank", "bank", 120, size)
    for count in (2, 8) if quick else (1, 64, 256, 1000):
        heads = f"{count:,} heads"
        yield Measurement(f"stacked, {heads}", "stacked", 60, {"count": count})
        yield Measurement(f"JAX vmap, {heads}", "vmap", 40, {"count": count})
    some = 8 if quick else 256
    for lanes in (1, 8):
        arguments = {"count": some, "lanes": lanes}
        yield Measurement(f"slots of {lanes}", "stacked", 40, arguments)
    free = {"count": some, "free": True}
    yield Measurement("kernels chosen by timing", "stacked", 60, free)
    yield Measurement("the engine fused", "fused", 30, {"count": 8 if quick else 64}, "numba")
    # In PyTorch a head's step takes many calls, and more heads do not shorten them.
    yield Measurement("PyTorch one by one, 16 heads", "modules", 20, {"count": 16}, "torch")
    yield Measurement("torch.func, 16 heads", "torch_func", 40, {"count": 16}, "torch")


# --- What the children do


def device() -> None:
    """What JAX computes on, and the rate at which its memory is read and written."""
    import jax
    import jax.numpy as jnp

    kind = jax.devices()[0]
    memory = (kind.memory_stats() or {}).get("bytes_limit", 0)
    size = f"{memory / 2**30:.0f} GiB" if memory else "memory unknown"
    tell("device", f"{kind.device_kind} ({kind.platform})", f"{size}, JAX {jax.__version__}")
    numbers = jnp.arange(_NUMBERS, dtype=jnp.float32)
    # Many passes in a program, or its start would count.
    passes = jax.jit(lambda a: jax.lax.fori_loop(0, _PASSES, lambda _, a: -a, a))
    took = _best(lambda: passes(numbers).block_until_ready()) / _PASSES
    rate = 2 * numbers.nbytes / took
    tell("memory, read and written", f"{rate / 1e9:,.0f} GB/s", "numbers negated in place")
    least = head_epoch_bytes() / rate
    tell("bound of a head's epoch", f"{least * 1e3:.3f} ms", "Adam's state read and written once")
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    square = jnp.ones((4096, 4096))
    took = _best(lambda: product(square).block_until_ready())
    tell("float32 products", f"{2 * 4096**3 / took / 1e12:.1f} TFLOP/s", "4,096 × 4,096")


def laws(company: int) -> None:
    """Whether a head is what the formulas in float64 make it, whatever its company."""
    from tests.formulas import train_in_float64

    fold = _fold()
    heads = [_head(0.001, seed=1, epochs=1, droprate=0.5)]
    heads += [_head(0.01, seed=seed, epochs=1, droprate=0.2) for seed in range(2, company + 1)]
    end = next(end for end in _ends(engine_named("stacked"), heads, fold) if end.head == 0)
    assert end.parameters is not None
    exact = train_in_float64(heads[0], fold, rounded=True)
    differences = [
        np.abs(ours - wanted).max() / np.abs(wanted).max()
        for ours, wanted in zip(end.parameters, exact.parameters, strict=True)
    ]
    bits = hashlib.sha256(b"".join(array.tobytes() for array in end.parameters)).hexdigest()
    note = "largest difference to float64 after an epoch, of the largest weight"
    tell(f"a head with {company - 1} others", f"{max(differences):.1e}", note)
    tell(f"its bits with {company - 1} others", bits[:16], "equal in every company and process")


def bank(candidates: int, epochs: int) -> None:
    """A whole study's bank: candidates × 5 seeds."""
    fold = _fold()
    heads = [
        _head(rate, seed=seed, epochs=epochs, droprate=droprate)
        for rate, droprate in _settings(candidates)
        for seed in range(1, 6)
    ]
    started = time.perf_counter()
    first = ended = 0.0
    for event in engine_named("stacked").train(heads, [fold], rule="best_accuracy"):
        first = first or time.perf_counter() - started
        ended += isinstance(event, HeadEnd)
    took = time.perf_counter() - started
    assert ended == len(heads)
    what = f"{candidates:,} candidates × 5 seeds × {epochs} epochs"
    tell(
        what, f"{took:.1f} s", f"all told; the first epoch after {first:.1f} s, compiling included"
    )


def stacked(count: int, lanes: int = 0, free: bool = False) -> None:
    """A head's epoch in the engine `stacked`, in a bank of `count`."""
    if free:
        _let_kernels_be_chosen_by_timing()
    import jax

    from manyheads.heads.stacked import stacked_engine

    usual = stacked_engine.capacity_of(jax.devices()[0])
    engine = stacked_engine.StackedEngine(replace(usual, lanes=lanes or usual.lanes))
    note = f"slots of {lanes or usual.lanes}{', kernels chosen by timing' if free else ''}"
    _tell_epoch(f"stacked, {count:,} heads", _epoch(engine, count), note)


def fused(count: int) -> None:
    """A head's epoch in the engine `fused`, on this machine's processor."""
    from manyheads.core.machine import cores

    _tell_epoch(f"fused, {count:,} heads", _epoch(engine_named("fused"), count), f"{cores()} cores")


def vmap(count: int) -> None:
    """A head's epoch in plain JAX: `vmap`, an epoch in one scan."""
    from benchmarks.parts.jax_heads import heads

    answer = heads(count, 2, "vmap", "scan")
    _tell_epoch(f"JAX vmap, {count:,} heads", answer["epoch"] / 1e3, "TF32 products, one order")


def modules(count: int) -> None:
    """A head's epoch in PyTorch, heads in a `ModuleList`, one after the other."""
    from benchmarks.parts.torch_heads import modules as one_by_one

    _tell_epoch(
        f"PyTorch one by one, {count:,} heads", one_by_one(count)["epoch"] / 1e3, "fused Adam"
    )


def torch_func(count: int) -> None:
    """A head's epoch in PyTorch, `vmap` over stacked modules."""
    from benchmarks.parts.torch_heads import functional_heads

    _tell_epoch(
        f"torch.func, {count:,} heads", functional_heads(count)["epoch"] / 1e3, "fused Adam"
    )


def _tell_epoch(what: str, seconds: float, note: str) -> None:
    tell(what, f"{seconds * 1e3:.3f} ms a head's epoch", f"{1 / seconds:,.0f} per s; {note}")


def _epoch(engine: Engine, count: int) -> float:
    """Seconds of a head's epoch: what more of them add in a bank of `count`.

    They are so many that their time is far above the chance in that of a start.
    """
    fold, more = _fold(), 20 if count <= _FEW else 6

    def train(epochs: int) -> None:
        heads = [
            _head(rate, seed=1, epochs=epochs, droprate=droprate)
            for rate, droprate in _settings(count)
        ]
        list(_ends(engine, heads, fold))

    train(1)
    short, long = (seconds(lambda each=each: train(each)) for each in (1, 1 + more))
    return (long - short) / count / more


def _ends(engine: Engine, heads: list[HeadSettings], fold: Fold) -> Iterator[HeadEnd]:
    for event in engine.train(heads, [fold], rule="last"):
        if isinstance(event, HeadEnd):
            yield event


def _settings(count: int) -> Iterator[tuple[float, float]]:
    """Learning rates and droprates of so many candidates."""
    for number, rate in enumerate(np.geomspace(1e-4, 1e-2, count)):
        yield float(rate), (0.0, 0.2, 0.5, 0.8)[number % 4]


def _head(rate: float, *, seed: int, epochs: int, droprate: float) -> HeadSettings:
    setting = Hyperparameters(
        learning_rate=rate, size_inner=UNITS, droprate=droprate, batch_size=BATCH, epochs=epochs
    )
    return HeadSettings(hyperparameters=setting, seed=seed, fold=0, epochs=epochs)


def _fold() -> Fold:
    x, y, val_x, val_y = samples()
    rows_of = np.arange(len(x) + len(val_x))
    matrix = np.concatenate([x, val_x])
    return Fold(matrix, rows_of[: len(x)], y, rows_of[len(x) :], val_y, CLASSES)


def _let_kernels_be_chosen_by_timing() -> None:
    """Compile the programs as JAX does by default, not as their laws need it."""
    import jax

    plain = jax.jit

    def jit(*arguments: Any, **options: Any) -> Any:
        return plain(*arguments, **{k: v for k, v in options.items() if k != "compiler_options"})

    jax.jit = jit


def _best(work: Callable[[], Any]) -> float:
    work()
    return min(seconds(work) for _ in range(5))


if __name__ == "__main__":
    call(globals())
