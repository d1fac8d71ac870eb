"""The subsets of the photographs that budgets are measured on."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from benchmarks.budgets import subset, words


def test_a_subset_has_every_class_by_its_share(tmp_path: Path) -> None:
    for split, name, count in (
        ("train", "hat", 40),
        ("validation", "hat", 20),
        ("train", "sock", 6),
    ):
        folder = tmp_path / split / name
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number}.png").touch()
    with subset(tmp_path, 22, tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["label"] for row in rows) == {"hat": 20, "sock": 3}
    assert len({row["path"] for row in rows}) == len(rows)
    assert all(Path(row["path"]).is_file() for row in rows)
    assert subset(tmp_path, None, tmp_path / "none.csv") == tmp_path


def test_what_came_of_a_fit_in_words() -> None:
    document = {
        "chosen": {"size": 224},
        "tried": [{"size": 224}, {"size": 224}, {"size": 150}],
        "heads": 8,
        "expected": {"scores": {"accuracy": {"value": 0.7849}}},
    }
    assert words(document) == "224 px of 2 sizes tried, 2 settings, 8 heads: accuracy 0.78"
