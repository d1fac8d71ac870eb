"""How much does a head cost, however many there are? Beside every alternative, and the bound.

python -m benchmarks heads      eight minutes or so on two cores; with --quick, two
"""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks import figure, images
from benchmarks.alternatives import best, measured
from benchmarks.bounds import measured_bounds
from benchmarks.machine import parser, table, write_result

# How many epochs are timed for how many heads, after one that is not.
FUSED = {1: 10, 4: 10, 16: 5, 64: 3, 256: 1, 1000: 1}
STACKED = {1: 5, 4: 3, 16: 3, 64: 2}
HOPELESS = 2  # a variant that takes as many times the best is not tried with more heads
KERAS = {
    "tensorflow": ("TensorFlow", [
        {"jit_compile": True},
        {"jit_compile": False},
        {"jit_compile": False, "steps_per_execution": 32},
        {"jit_compile": True, "steps_per_execution": 32},
    ]),
    "jax": ("JAX", [{"jit_compile": True}, {"jit_compile": True, "steps_per_execution": 32}]),
    "torch": ("PyTorch", [{"jit_compile": False}]),
}  # fmt: skip


class Cost(NamedTuple):
    """Milliseconds of a head's epoch with so many `heads`, or (as text) why there is no figure."""

    what: str
    setting: str
    heads: int
    epoch: float | str


def main() -> None:
    args = parser("The cost of heads, beside the alternatives and the bound.").parse_args()
    bounds, lines = measured_bounds(args.quick)
    ours = fused(args.quick)
    one_by_one, settings = keras(args.quick)
    stacks = [*jax(args.quick), *torch(args.quick)]
    costs = [*ours, *one_by_one, *sklearn(args.quick), *stacks]
    samples = images.costs(args.quick, settings)
    lines += report(costs, bounds.head_ideal * 1000, bounds.head_practical * 1000)
    lines += images.report(samples)
    drawn = figure.draw(args.results, costs, samples, bounds.head_practical * 1000)
    write_result(args.results, "heads", [*lines, f"Figure: `{drawn.name}`, beside this file."])


def fused(quick: bool) -> list[Cost]:
    """manyheads' own engines."""
    found = []
    for count, epochs in ({4: 5, 64: 1} if quick else FUSED).items():
        what = f"manyheads, {count:,} heads"
        answer = measured(what, "parts.fused.heads", count=count, epochs=epochs)
        found.append(_cost("manyheads", "", count, answer))
    for count in (4,) if quick else (4, 64):
        answer = measured(
            f"manyheads' engine stacked, {count:,} heads", "parts.fused.heads", ("jax",),
            count=count, epochs=5, engine="stacked",
        )  # fmt: skip
        found.append(_cost("manyheads, stacked", "JAX", count, answer))
    return found


def keras(quick: bool) -> tuple[list[Cost], dict[str, dict[str, Any]]]:
    """Keras, one head after the other, on each backend; and each backend's best settings."""
    costs, kept = [], {}
    for backend, (name, variants) in KERAS.items():
        asked = [
            {"settings": each, "threads": threads}
            for each in variants
            for threads in ((0, 1) if backend == "torch" else (0,))
        ]
        found = {}
        for each in asked[: 1 if quick else None]:
            setting = _words(each)
            found[setting] = measured(
                f"Keras on {name}, {setting}", "parts.keras_heads.heads", (backend,), backend,
                epochs=2 if quick else 6, **each,
            )  # fmt: skip
        chosen = best(found, "epoch")
        if isinstance(chosen, str):
            costs.append(Cost(f"Keras on {name}", "", 1, chosen))
            continue
        kept[backend] = next(each["settings"] for each in asked if _words(each) == chosen[0])
        costs += [_cost(f"Keras on {name}", setting, 1, each) for setting, each in found.items()]
    return costs, kept


def sklearn(quick: bool) -> list[Cost]:
    """scikit-learn's MLPClassifier with all cores, and with one, which may be faster."""
    return [
        _cost(
            "scikit-learn's MLPClassifier",
            f"BLAS on {words}",
            1,
            measured(
                f"scikit-learn, BLAS on {words}", "parts.sklearn_heads.heads",
                epochs=2 if quick else 5, threads=threads,
            ),
        )
        for words, threads in (("all cores", None), ("one core", 1))
    ]  # fmt: skip


def jax(quick: bool) -> list[Cost]:
    """JAX with stacked heads: as vmap stacks them, and side by side in one matrix."""
    costs = []
    for layout, words in (("vmap", "by vmap"), ("one product", "in one matrix")):
        variants = [{"layout": layout, "loop": loop} for loop in ("scan", "steps")]
        what = f"JAX, stacked {words}"
        costs += _stacked(what, "parts.jax_heads.heads", ("jax",), variants, quick)
    return costs


def torch(quick: bool) -> list[Cost]:
    """PyTorch with stacked heads."""
    variants = [
        {"layout": layout, "adam": adam}
        for layout in ("bmm", "one product")
        for adam in ("fused", "foreach")
    ]
    return _stacked("PyTorch, stacked", "parts.torch_heads.heads", ("torch",), variants, quick)


def _stacked(
    what: str, name: str, needs: tuple[str, ...], variants: list[dict[str, Any]], quick: bool
) -> list[Cost]:
    """The best variant for each number of heads."""
    costs = []
    for count, epochs in ({4: 2} if quick else STACKED).items():
        found = {
            ", ".join(each.values()): measured(
                f"{what}, {', '.join(each.values())}, {count} heads", name, needs,
                count=count, epochs=epochs, **each,
            )
            for each in variants
        }  # fmt: skip
        chosen = best(found, "epoch")
        if isinstance(chosen, str):
            return [Cost(what, "", count, chosen)]
        costs.append(_cost(what, chosen[0], count, chosen[1]))
        answers = [(each, found[", ".join(each.values())]) for each in variants]
        variants = [
            each
            for each, answer in answers
            if not isinstance(answer, str) and answer["epoch"] < HOPELESS * chosen[1]["epoch"]
        ]
    return costs


def report(costs: list[Cost], ideal: float, practical: float) -> list[str]:
    """The table, each alternative against manyheads with as many heads (at least four)."""
    ours = {
        cost.heads: cost.epoch
        for cost in costs
        if cost.what == "manyheads" and not isinstance(cost.epoch, str)
    }
    rows: list[tuple[str, ...]] = [
        ("what", "heads", "ms per head and epoch", "practical bound ÷ it", "it ÷ manyheads"),
        ("ideal bound", "", f"{ideal:.1f}", f"{practical / ideal:.2f}", ""),
        ("practical bound", "", f"{practical:.1f}", "1", ""),
    ]
    for what, setting, heads, epoch in costs:
        name = f"{what} ({setting})" if setting else what
        if isinstance(epoch, str):
            rows.append((name, f"{heads:,}", epoch, "", ""))
            continue
        beside = ours.get(max(heads, 4)) if what != "manyheads" else None
        ratio = f"{epoch / beside:.1f}" if beside else ""
        rows.append((name, f"{heads:,}", f"{epoch:.1f}", f"{practical / epoch:.2f}", ratio))
    return [
        "## Heads: an epoch of each",
        "",
        *table(rows),
        "",
        "2,048 features, 100 inner units, 10 classes, batches of 32, an epoch of 3,068 samples and "
        "the validation of 341, dropout 0.5 (scikit-learn has none), float32; the same generated "
        "features for all. All heads of a bank or stack share a seed, so the order of the samples. "
        "A first epoch is not counted. The last column compares with manyheads at as many heads; "
        "what trains one head at a time, with manyheads at four. Keras and scikit-learn cost the "
        "same for each further head. Of PyTorch's and JAX's stacks, the fastest of the variants "
        "tried is shown.",
        "",
    ]


def _cost(what: str, setting: str, heads: int, answer: dict[str, Any] | str) -> Cost:
    return Cost(what, setting, heads, answer if isinstance(answer, str) else answer["epoch"])


def _words(asked: dict[str, Any]) -> str:
    settings = asked["settings"]
    words = ["jit" if settings["jit_compile"] else "no jit"]
    if "steps_per_execution" in settings:
        words.append(f"{settings['steps_per_execution']} steps a call")
    if asked["threads"]:
        words.append("one thread")
    return ", ".join(words)


if __name__ == "__main__":
    main()
