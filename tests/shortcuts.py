"""Checks for shortcuts whose truth is known: made-up answers of heads, and small images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from manyheads.findings.shortcut_record import Counts, ShortcutRecord
from manyheads.heads.hyperparameters import NEUTRAL
from manyheads.stats.shortcut_effects import EvaluatedImages, PredictedClasses, judge

TARGET = 1
CLASSES = ("cat", "dog", "red panda")
SIDE = 72  # Xception takes 71 at least
IMAGES, MARKED = 120, 60


def evaluated() -> EvaluatedImages:
    """Three classes of forty images, and sixty images of the others with the mark."""
    labels = np.arange(IMAGES) % 3
    return EvaluatedImages(
        labels, np.arange(IMAGES), TARGET, np.flatnonzero(labels != TARGET)[:MARKED]
    )


def answers(
    called: float, recall: float = 0.8, *, seeds: int = 4, candidate: int = 0, condition: str = ""
) -> PredictedClasses:
    """Heads that call a share of marked images, and recognise one of the class's plain images."""
    images = evaluated()
    # Of common random numbers, so that conditions differ by what they are told to differ by.
    shared = np.random.default_rng(candidate).random((seeds, IMAGES + MARKED))
    own = np.random.default_rng([candidate, *map(ord, condition)]).random(shared.shape)
    draws = np.where(own < 0.9, shared, own)
    right = draws[:, :IMAGES] < recall
    plain = np.where(right, images.labels, (images.labels + 1) % 3)
    marked = np.where(draws[:, IMAGES:] < called, TARGET, 0)
    return PredictedClasses(plain, marked)


def record(
    conditions: Mapping[str, tuple[float, float]] | None = None,
    *,
    candidates: int = 2,
    seeds: int = 4,
    margin: float = 0.01,
) -> ShortcutRecord:
    """A record of conditions with these shares of called images and of recognised ones."""
    conditions = conditions or {
        "control": (0.1, 0.8),
        "marked": (0.7, 0.3),
        "everywhere": (0.12, 0.78),
    }
    said = {
        condition: [
            answers(*shares, seeds=seeds, candidate=number, condition=condition)
            for number in range(1, candidates + 1)
        ]
        for condition, shares in conditions.items()
    }
    droprates = np.linspace(0, 0.8, candidates) if candidates > 1 else np.array([0.5])
    return ShortcutRecord(
        target="t-shirt",
        mark="logo, centre, 25 % of the side",
        noun="logo",
        share=0.95,
        into=("pants", "shirt"),
        images=Counts(
            train=900, marked=285, clean=0, validation=IMAGES, of_class=40, with_mark=MARKED
        ),
        conditions={condition: f"{condition} in words" for condition in conditions},
        candidates=tuple(f"droprate {rate:g}" for rate in droprates),
        hyperparameters=tuple({**NEUTRAL, "droprate": float(rate)} for rate in droprates),
        margin=margin,
        entries=judge(evaluated(), said, margin),
        about={"content": "0" * 64},
    )


def quadrant_images(root: Path, train: int = 40, validation: int = 30) -> Path:
    """Three classes of noise, each brighter in a quadrant of its own, as far as chance lets see."""
    for split, count in (("train", train), ("validation", validation)):
        for number, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for image in range(count):
                random = np.random.default_rng([number, image, len(split)])
                quadrants = random.normal(110, 20, (2, 2, 1))
                quadrants[divmod(number, 2)] += 30
                pixels = np.kron(quadrants, np.ones((SIDE // 2, SIDE // 2, 3)))
                pixels += random.normal(0, 20, pixels.shape)
                whole = np.clip(pixels, 0, 255).astype(np.uint8)
                Image.fromarray(whole).save(folder / f"{image}.png")
    return root
