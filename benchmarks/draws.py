"""Where are candidates drawn best? Evenness of points, false effects, and the score that is found.

    python -m benchmarks draws      two minutes on one core

Points are those of `study/drawn_candidates.py`, independent ones, and Latin hypercubes; where
Optuna is installed (it is no dependency), its tree-structured Parzen estimator too. Everything is
simulated: no image and no head has a part in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from itertools import islice

import numpy as np
from jaxtyping import Float64
from scipy.stats import qmc

from benchmarks.machine import parser, show, table, write_result
from manyheads.stats.main_effects import Factor, fitted_designs
from manyheads.stats.variance_shares import MeanNoise, variance_shares
from manyheads.study.drawn_candidates import even_points

Points = Float64[np.ndarray, "points dimensions"]
Draw = Callable[[int, int, int], Points]  # of dimensions, a number of points and a seed
COUNT = 40


def independent(dimensions: int, count: int, seed: int) -> Points:
    """Uniform points, each by itself."""
    return np.random.default_rng(seed).random((count, dimensions))


def hypercube(dimensions: int, count: int, seed: int) -> Points:
    """A Latin hypercube, which cannot grow."""
    return qmc.LatinHypercube(dimensions, rng=np.random.default_rng(seed)).random(count)


def even(dimensions: int, count: int, seed: int) -> Points:
    """The points of a search over ranges."""
    return np.array(list(islice(even_points(dimensions, count, seed), count)))


DRAWS: dict[str, Draw] = {
    "independent": independent, "Latin hypercube": hypercube, "Sobol, digital shift (XOR)": even,
}  # fmt: skip


def main() -> None:
    args = parser("Points of searches over ranges.").parse_args()
    times = 10 if args.quick else 60
    lines = [*evenness(times), "", *false_effects(20 if args.quick else 100), "", *scores(times)]
    write_result(args.results, "draws", lines)


def evenness(times: int) -> list[str]:
    """Centred discrepancy, and how much coordinates correlate by chance."""
    show("evenness")
    rows = [["points", "2 dimensions", "4 dimensions", "8 dimensions", "correlation"]]
    for name, draw in DRAWS.items():
        made = {d: [draw(d, COUNT, seed) for seed in range(times)] for d in (2, 4, 8)}
        apart = [np.mean([qmc.discrepancy(each) for each in made[d]]) for d in made]
        pairs = np.triu_indices(4, 1)
        alike = np.mean([np.abs(np.corrcoef(each.T)[pairs]).max() for each in made[4]])
        rows.append([name, *(f"{each:.4f}" for each in apart), f"{alike:.2f}"])
    return [
        f"Centred discrepancy of {COUNT} points, and the largest correlation of two of 4 "
        f"coordinates; means of {times} draws.",
        "",
        *table(rows),
    ]


def false_effects(times: int) -> list[str]:
    """How often a main effect is shown where only an interaction is."""
    show("false effects")
    rows = [["points", f"of {times} studies"]]
    for name in ("independent", "Sobol, digital shift (XOR)"):
        found = sum(_shows_main_effect(DRAWS[name](3, COUNT, seed)) for seed in range(times))
        rows.append([name, str(found)])
    return [
        f"Studies of {COUNT} candidates without noise, whose score is the product of two of three "
        "hyperparameters, that show a main effect.",
        "",
        *table(rows),
    ]


def _shows_main_effect(points: Points) -> bool:
    means = (points[:, 0] - 0.5) * (points[:, 1] - 0.5)
    whole = np.zeros(len(points), int)
    designs = fitted_designs([Factor(whole, column) for column in points.T], means)
    none = np.zeros((1000, len(points)))
    shares = variance_shares(means, MeanNoise(none, none, 9), designs, drawn=True).shares
    return any(each.low is not None and each.low > 0 for each in shares)


def score(point: np.ndarray) -> float:
    """A made-up accuracy: a curved learning rate with a cliff, and three that matter less."""
    rate, size, droprate, _ = point
    curved = -0.06 * ((rate - 0.55) / 0.3) ** 2 - 0.3 * (rate > 0.9)
    return (
        curved + 0.02 * size - 0.12 * (droprate - 0.3) ** 2 + 0.04 * (size - 0.5) * (droprate - 0.5)
    )


def scores(times: int) -> list[str]:
    """By how many points the best candidate is below the best that there is."""
    show("scores")
    steps = np.linspace(0, 1, 41)
    best = max(
        score(np.array([a, b, c, 0])) for a in np.linspace(0, 1, 101) for b in steps for c in steps
    )
    counts = (20, 40, 160)
    searches: dict[str, Callable[[int, int], float]] = {
        name: lambda count, seed, draw=draw: max(map(score, draw(4, count, seed)))
        for name, draw in DRAWS.items()
    }
    if find_spec("optuna") is not None:
        searches["TPE (Optuna)"] = _parzen
    rows = [["candidates", *map(str, counts)]]
    for name, search in searches.items():
        lost = [best - np.mean([search(n, seed) for seed in range(times)]) for n in counts]
        rows.append([name, *(f"{100 * each:.2f}" for each in lost)])
    return [
        "Four hyperparameters, no noise: points of accuracy below the best there is, means of "
        f"{times} searches.",
        "",
        *table(rows),
    ]


def _parzen(count: int, seed: int) -> float:
    import optuna  # pyright: ignore[reportMissingImports] - no dependency, as the page says

    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(
        lambda trial: score(np.array([trial.suggest_float(name, 0, 1) for name in "abcd"])), count
    )
    return study.best_value


if __name__ == "__main__":
    main()
