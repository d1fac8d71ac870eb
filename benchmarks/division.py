"""How close do divided images come to their shares, and how many does one image more move?

    python -m benchmarks.division               two minutes on two cores

Tables are made up like one that was reported: 5,096 photographs of 17 classes by 351 people, one of
whom has 12 % of them. Each is divided by every rule with several split seeds, and again with one
photograph more, by somebody who is there already.
"""

from __future__ import annotations

import hashlib
import time

import numpy as np

from benchmarks.machine import parser, table, write_result
from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import SPLIT_RULES, SplitSettings
from manyheads.data.splits import SPLITS, assign_splits

PHOTOGRAPHS, PEOPLE, CLASSES, LARGEST = 5096, 351, 17, 0.12
ADDED = 10  # photographs, one at a time


def main() -> None:
    options = parser("How close divisions come to their shares, and how stable they are.")
    options.add_argument("--tables", type=int, default=10)
    args = options.parse_args()
    tables = [_table(seed) for seed in range(2 if args.quick else args.tables)]
    rows: list[list[object]] = [
        ["rule", "a split off its share, mean", "at most", "a class off its share, mean",
         "splits without a class", "moved by a photograph more, median", "at most"]
    ]  # fmt: skip
    rows += [_row(rule, tables) for rule in reversed(SPLIT_RULES)]
    large = 100_000 if args.quick else 1_000_000
    lines = [*table(rows), "", "Shares in points, moved photographs in % of all.", ""]
    write_result(args.results, "division", [*lines, *_times(large)])


def _table(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The class and the person of each photograph."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, PEOPLE + 1)
    weights[0] = 0
    weights *= (1 - LARGEST) / weights.sum()
    weights[0] = LARGEST
    others = random.choice(PEOPLE, PHOTOGRAPHS - PEOPLE, p=weights)
    people = np.concatenate([np.arange(PEOPLE), others])
    probabilities = np.maximum(random.dirichlet(np.full(CLASSES, 0.7)), 0.004)
    habits = random.dirichlet(20 * probabilities / probabilities.sum(), PEOPLE)
    labels = np.array([random.choice(CLASSES, p=habits[person]) for person in people])
    return labels, people


def _digests(count: int, name: str) -> Digests:
    return Digests.of(hashlib.sha256(f"{name} {n}".encode()).hexdigest() for n in range(count))


def _row(rule: str, tables: list[tuple[np.ndarray, np.ndarray]]) -> list[object]:
    splits, classes, lacking, moved = [], [], 0, []
    for number, (labels, people) in enumerate(tables):
        names = tuple(f"{number} {person}" for person in range(PEOPLE))
        digests = _digests(PHOTOGRAPHS + ADDED, str(number))
        for seed in range(3):
            settings = SplitSettings(seed=seed, rule=rule)
            wanted = np.array([1 - settings.validation - settings.test, settings.validation,
                               settings.test])  # fmt: skip
            found = _divided(labels, digests[:PHOTOGRAPHS], names, people, settings)
            held = np.zeros((CLASSES, 3))
            np.add.at(held, (labels, found), 1)
            splits.append(np.abs(held.sum(0) / PHOTOGRAPHS - wanted).max())
            classes.append(np.abs(held / held.sum(1, keepdims=True) - wanted).mean())
            lacking += int((held == 0).sum())
            for added in range(ADDED):
                like = added * PHOTOGRAPHS // ADDED
                rows = np.append(np.arange(PHOTOGRAPHS), PHOTOGRAPHS + added)
                again = _divided(
                    np.append(labels, labels[like]), digests.take(rows), names,
                    np.append(people, people[like]), settings,
                )  # fmt: skip
                moved.append(float(np.mean(again[:-1] != found)))
    return [
        rule, f"{100 * np.mean(splits):.1f}", f"{100 * np.max(splits):.1f}",
        f"{100 * np.mean(classes):.1f}", f"{lacking} of {len(splits) * CLASSES * 3}",
        f"{100 * np.median(moved):.1f} %", f"{100 * np.max(moved):.1f} %",
    ]  # fmt: skip


def _divided(
    labels: np.ndarray,
    digests: Digests,
    names: tuple[str, ...],
    people: np.ndarray,
    settings: SplitSettings,
) -> np.ndarray:
    found = assign_splits(labels, digests, Categorical(names, people.astype(np.int32)), settings)
    return np.array([SPLITS.index(name) for name in found.names])[found.codes]


def _times(images: int) -> list[str]:
    random = np.random.default_rng(0)
    digests = Digests(random.integers(0, 256, (images, 32), np.uint8))
    labels = random.integers(0, 100, images)
    people = Categorical(tuple(map(str, range(images // 3))),
                   random.integers(0, images // 3, images, np.int32))  # fmt: skip
    lines = []
    for words, groups in (("without groups", None), ("in groups of three", people)):
        began = time.perf_counter()
        assign_splits(labels, digests, groups, SplitSettings())
        seconds = time.perf_counter() - began
        lines.append(f"{images:,} images of 100 classes {words}: {seconds:.1f} s.")
    return lines


if __name__ == "__main__":
    main()
