"""The experiment of disjoint pools: how often fold rules err, and how much they find.

Pools of one deal share nothing, so the mean difference over all pools stands for the true one. A
pool is a fifth of all photographs that there are, so that its distance from that mean lacks a fifth
of the variance of a fresh pool's; distances are stretched by √(5/4).
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.machine import show, table
from benchmarks.parts import pools
from benchmarks.parts.judging import features, percent, share
from manyheads.stats.behrens_fisher import p_value, student_p
from manyheads.stats.comparisons import COMPARED, ENDING, Differences
from manyheads.stats.paired import GAP, RESERVE, Paired
from manyheads.stats.variances import Folds, corrected_t, fold_means, holm
from manyheads.stats.winner import winner_scores

LITE0_FILE = Path("hub/lessons/efficientnet-lite0/onnx/model.onnx")
RULES = ("former", "two-way alone", "× 1.25, and beyond", "× 1.25, folds at least", "present")
Key = tuple[str, int, int]
Measured = dict[Key, tuple[Paired, Folds]]


def pooled(
    folder: Path,
    deals: int,
    kept: Path | None = None,
    *,
    kinds: Sequence[str] = tuple(pools.KINDS),
    seeds: int = pools.SEEDS,
    grouped: Sequence[bool] = (False, True),
) -> list[str]:
    """Tables of error and power on Xception and, where its file is, EfficientNet-Lite0."""
    backbones = {"Xception 150²": ("xception", "xception", 150)}
    file = folder.parent.parent / LITE0_FILE
    if file.exists():
        backbones["EfficientNet-Lite0 224²"] = ("lite0", str(file), 224)
    errors: list[list[object]] = [["backbone", "groups", "candidates", "family", "studies", *RULES]]
    power: list[list[object]] = [["backbone", "groups", "metric", "true difference", *RULES]]
    world: list[list[object]] = [["backbone", "mean", "image", "liking", "seed", "rest"]]
    winners: list[list[object]] = [
        [
            "backbone",
            "groups",
            "metric",
            "naive less true",
            "expected less true",
            "intervals that hold the truth",
        ]
    ]
    totals: Counter[str] = Counter()
    numbers = sorted({number for kind in kinds for number in pools.members(kind)})
    design = pools.Design(tuple(numbers), seeds)
    for name, (short, backbone, size) in backbones.items():
        matrix, labels = features(folder, backbone, size)
        for in_groups in grouped:
            words = "of unequal size" if in_groups else "none"
            found, scores, parts = [], [], []
            for pool in _pools(matrix, labels, in_groups, deals, kept and kept / short, design):
                differences = Differences(pools.validated(pool, design))
                found.append(_measured(differences))
                scores.append(_scored(pool, differences, numbers))
                parts.append(pools.components(pool.predicted["accuracy"], pool.labels))
                show(name, words, len(found), "of", deals * pools.POOLS)
            for kind in kinds:
                for family in (COMPARED, ENDING):
                    wrong, declared, truth = _judged(found, pools.members(kind), family)
                    totals += wrong
                    totals["studies"] += len(found)
                    shown = [percent(wrong[rule], len(found)) for rule in RULES]
                    errors.append([name, words, kind, " and ".join(family), len(found), *shown])
                    for key in _largest(truth, family):
                        finds = [percent(declared[rule, key], len(found)) for rule in RULES]
                        what = f"{kind}: {key[0]}"
                        power.append([name, words, what, f"{truth[key]:+.3f}", *finds])
            winners += [[name, words, *row] for row in _winner_rows(scores)]
            if not in_groups:
                columns = list(parts[0])
                means = [np.mean([each[column] for each in parts]) for column in columns]
                world.append([name, *(f"{mean:.2f}" for mean in means)])
    all_of = [share(totals[rule], totals["studies"]) for rule in RULES]
    errors.append(["all", "", "", "", totals["studies"], *all_of])
    return [
        "Family error: studies with any difference declared from the true one, at 5 % of a family.",
        "", *table(errors), "", "How often a difference is declared, the largest in each metric.",
        "", *table(power), "", "The score that is expected of the selected setting, beside its "
        "heads' score on photographs outside of the pool.", "", *table(winners), "",
        "Standard deviations of margins, in nats, from which made-up worlds are made.", "",
        *table(world), "",
        f"{deals} deals of all photographs to {pools.POOLS} pools; {pools.FOLDS} folds, "
        f"{seeds} seeds, {pools.EPOCHS} epochs, rule {pools.RULE}; candidates: "
        + "; ".join(f"{kind} {len(pools.KINDS[kind])}" for kind in kinds) + ".",
    ]  # fmt: skip


def _pools(
    matrix: np.ndarray,
    labels: np.ndarray,
    grouped: bool,
    deals: int,
    kept: Path | None,
    design: pools.Design,
) -> Iterator[pools.Pool]:
    """All pools of all deals; those of a deal are read from a file named after `kept`, if any."""
    for deal in range(deals):
        file = kept and kept.with_name(f"{kept.name}-{int(grouped)}-{deal}.pkl")
        if file and file.exists():
            yield from pickle.loads(file.read_bytes())
            continue
        random = np.random.default_rng((7, int(grouped), deal))
        groups = np.arange(len(labels))
        if grouped:
            groups = pools.alike(random, matrix, labels)
        studied = list(pools.studied(random, matrix, labels, groups, design))
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pickle.dumps(studied))
        yield from studied


def _measured(differences: Differences) -> Measured:
    found: Measured = {}
    for metric in (*COMPARED, *ENDING):
        for first, second in combinations(differences.validated.candidates, 2):
            pair = differences.between(first, second, metric)
            assert pair is not None
            apart = differences.sums(first, metric) - differences.sums(second, metric)
            by_fold = corrected_t(fold_means(apart, differences.layout), pools.FOLDS)
            found[metric, first, second] = pair, by_fold
    return found


def _judged(
    found: list[Measured], members: list[int], family: tuple[str, ...]
) -> tuple[Counter[str], Counter[tuple[str, Key]], dict[Key, float]]:
    """Errors by rule, declared differences by rule and pair, and the true differences."""
    keys = [(m, a, b) for m in family for a, b in combinations(sorted(members), 2)]
    truth = {key: float(np.mean([each[key][0].both.difference for each in found])) for key in keys}
    wrong: Counter[str] = Counter()
    declared: Counter[tuple[str, Key]] = Counter()
    for study in found:
        for rule in RULES:
            apart = [abs(study[key][0].tested.difference - truth[key]) for key in keys]
            stretched = np.array(apart) * np.sqrt(pools.POOLS / (pools.POOLS - 1))
            p = [_p(rule, size, *study[key]) for size, key in zip(stretched, keys, strict=True)]
            wrong[rule] += min(p) * len(keys) <= 0.05
            p = np.array([_p(rule, abs(study[k][0].tested.difference), *study[k]) for k in keys])
            for key, adjusted in zip(keys, holm(p), strict=True):
                declared[rule, key] += adjusted <= 0.05
    return wrong, declared, truth


def _largest(truth: dict[Key, float], family: tuple[str, ...]) -> list[Key]:
    """The pair that differs most in each metric of a family."""
    return [
        max((key for key in truth if key[0] == metric), key=lambda each: abs(truth[each]))
        for metric in family
    ]


def _p(rule: str, size: float, found: Paired, folds: Folds) -> float:
    """The two-sided p of a difference by a rule."""
    part = found.both if rule == "former" else found.tested
    images, heads, shown = part.variance - part.of_seeds, part.of_seeds, found.of_folds or 0.0
    if rule == "× 1.25, and beyond":
        beyond = max(0.0, shown - images - heads)
        images, heads = 1.25 * images + beyond, 1.25 * heads
    elif rule in ("× 1.25, folds at least", "present"):
        reserve = RESERVE if rule == "present" else 1.25
        if found.metric == "gap":
            images *= GAP
        images, heads = reserve * images, reserve * heads
        images += max(0.0, shown - images - heads)
    df = float(max(1, part.df_seeds))
    p = float(p_value(*map(np.array, (size, images, heads, float(part.df_units), df))))
    if rule == "former":
        t = student_p(np.array(size), np.array(folds.variance**0.5), np.array(float(folds.df)))
        p = max(p, float(t))
    return p


def _scored(
    pool: pools.Pool, differences: Differences, numbers: Sequence[int]
) -> list[tuple[str, float, float, bool]]:
    """Of each metric the naive and the expected score less the true one, and whether it is held."""
    best = max(numbers, key=lambda each: differences.mean(each, "accuracy"))
    rows = []
    for score in winner_scores(differences, best, "accuracy", among=numbers):
        if score.metric != "accuracy":
            continue  # heads were scored elsewhere at the epochs of best accuracy alone
        true = float(pool.elsewhere[numbers.index(best), ..., 0].mean())
        held = score.low is not None and score.high is not None and score.low <= true <= score.high
        rows.append((score.metric, score.naive - true, score.score - true, held))
    return rows


def _winner_rows(scores: list[list[tuple[str, float, float, bool]]]) -> Iterator[list[object]]:
    for rows in zip(*scores, strict=True):
        naive, expected = (float(np.mean([row[place] for row in rows])) for place in (1, 2))
        held = sum(row[3] for row in rows)
        yield [rows[0][0], f"{naive:+.4f}", f"{expected:+.4f}", share(held, len(rows))]
