"""A small study of several labels per image: pictures that are red, big or dark, or none of it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("big", "dark", "red")
CHANCES = (0.4, 0.3, 0.5)


def pictures(folder: Path, count: int = 60, *, seed: int = 0) -> list[tuple[str, list[str]]]:
    """Write pictures below `folder`; of each its path from there, and its labels."""
    random = np.random.default_rng(seed)
    (folder / "pictures").mkdir()
    found = []
    for number in range(count):
        labels = [name for name, chance in zip(LABELS, CHANCES, strict=True)
                  if random.random() < chance]  # fmt: skip
        pixels = np.full((40, 40, 3), 40 if "dark" in labels else 130, np.int64)
        side = 18 if "big" in labels else 6
        row, column = random.integers(0, 40 - side, 2)
        colour = (220, 30, 30) if "red" in labels else (30, 200, 30)
        pixels[row : row + side, column : column + side] = colour
        pixels = (pixels + random.integers(-9, 10, pixels.shape)).clip(0, 255)
        name = f"pictures/{number:03}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        found.append((name, labels))
    return found


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    """A CSV table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def labelled_table(folder: Path, separator: str = ";", *, column: str = "labels") -> Path:
    """The pictures and a table of them, whose column has all labels of an image."""
    rows = [[name, separator.join(labels)] for name, labels in pictures(folder)]
    return write_rows(folder / "table.csv", ["path", column], rows)
