"""Checks for shortcuts whose truth is known: made-up answers of heads, and small images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from manyheads.evidence.shortcut_record import Counts, ShortcutRecord
from manyheads.evidence.shortcuts import MEASURES, Answers, Question, judge

TARGET = 1
IMAGES, MARKED = 120, 60


def question() -> Question:
    """Three classes of forty images, and sixty images of the others with the mark."""
    labels = np.arange(IMAGES) % 3
    return Question(labels, np.arange(IMAGES), TARGET, np.flatnonzero(labels != TARGET)[:MARKED])


def answers(
    called: float, recall: float = 0.8, *, seeds: int = 4, candidate: int = 0, arm: str = ""
) -> Answers:
    """Heads that call a share of marked images, and recognise one of the class's plain images."""
    asked = question()
    # Of common random numbers, so that arms differ by what they are told to differ by.
    shared = np.random.default_rng(candidate).random((seeds, IMAGES + MARKED))
    own = np.random.default_rng([candidate, *map(ord, arm)]).random(shared.shape)
    draws = np.where(own < 0.9, shared, own)
    right = draws[:, :IMAGES] < recall
    plain = np.where(right, asked.labels, (asked.labels + 1) % 3)
    marked = np.where(draws[:, IMAGES:] < called, TARGET, 0)
    return Answers(plain, marked)


def record(
    arms: Mapping[str, tuple[float, float]] | None = None, *, candidates: int = 2, seeds: int = 4
) -> ShortcutRecord:
    """A record of arms with these shares of called images and of recognised ones."""
    arms = arms or {"control": (0.1, 0.8), "marked": (0.7, 0.3), "everywhere": (0.12, 0.78)}
    said = {
        arm: [
            answers(*shares, seeds=seeds, candidate=number, arm=arm)
            for number in range(1, candidates + 1)
        ]
        for arm, shares in arms.items()
    }
    droprates = np.linspace(0, 0.8, candidates) if candidates > 1 else [0.5]
    from manyheads.heads.hyperparameters import NEUTRAL

    return ShortcutRecord(
        target="t-shirt",
        mark="logo, centre, 25 % of the side",
        noun="logo",
        share=0.95,
        into=("pants", "shirt"),
        images=Counts(train=900, marked=285, clean=0, validation=IMAGES, of_class=40, asked=MARKED),
        arms={arm: f"{arm} in words" for arm in arms},
        candidates=tuple(f"droprate {rate:g}" for rate in droprates),
        hyperparameters=tuple({**NEUTRAL, "droprate": float(rate)} for rate in droprates),
        margin=0.01,
        entries=judge(question(), said, 0.01),
        about={"content": "0" * 64},
    )


def striped_images(root: Path, train: int = 40, validation: int = 20) -> Path:
    """Three classes that differ in the slant of faint stripes under noise: hard to tell apart."""
    for split, count in (("train", train), ("validation", validation)):
        for number, name in enumerate(("cat", "dog", "red panda")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for image in range(count):
                random = np.random.default_rng([number, image, len(split)])
                noise = random.normal(128, 40, (32, 32, 3))
                rows, columns = np.mgrid[:32, :32]
                slant = (rows, columns, rows + columns)[number]
                stripes = 25 * np.sin(slant * 1.2 + random.uniform(0, 6))
                pixels = np.clip(noise + stripes[..., None], 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{image}.png")
    return root


__all__ = ["MEASURES", "TARGET", "answers", "question", "record", "striped_images"]
