"""Alterations: pure, in the order they are given, and told apart by their descriptions."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from manyheads.data.alterations import Altered, describe, random_of
from manyheads.data.augmentation import Augmentation, View

NONE = Augmentation.none()
CONTENTS = [f"{number:064x}" for number in range(4)]
EVERYTHING = Altered(
    (
        View(number=1, augmentation=Augmentation(), hide_pixels=0.2),
        View(number=2, augmentation=Augmentation(shift=0.5, zoom=0.5, rotation=180)),
    )
)


def picture(size: int = 48) -> np.ndarray:
    """A gradient in two directions: no part is like another."""
    ramp = np.linspace(0, 255, size)
    columns, rows = np.meshgrid(ramp, ramp)
    return np.stack([columns, rows, (columns + rows) / 2], axis=-1).astype(np.uint8)


def view_of(number: int = 1, hide_pixels: float = 0.0, **amounts: Any) -> View:
    return View(number=number, augmentation=replace(NONE, **amounts), hide_pixels=hide_pixels)


def fingerprint() -> str:
    """One digest over all that the alterations make."""
    made = [EVERYTHING(picture(), content).tobytes() for content in CONTENTS]
    return hashlib.sha256(b"".join(made)).hexdigest()


@pytest.mark.when_changed("data")
@pytest.mark.parametrize("seed", ["0", "1"])
def test_another_process_makes_the_same(seed: str) -> None:
    """Also where Python hashes differently, so that no order of a set or a dict shapes pixels."""
    program = "from tests.unit.data.test_alterations import fingerprint; print(fingerprint())"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environment, text=True
    )
    assert done.stdout.strip() == fingerprint()


def test_steps_are_taken_in_their_order() -> None:
    dark, hidden = view_of(brightness=0.5), view_of(number=4, hide_pixels=0.3)
    image = picture()
    wanted = hidden(dark(image, CONTENTS[1]), CONTENTS[1])
    np.testing.assert_array_equal(Altered((dark, hidden))(image, CONTENTS[1]), wanted)
    other = dark(hidden(image, CONTENTS[1]), CONTENTS[1])
    assert not np.array_equal(wanted, other)


def test_descriptions_tell_alterations_apart_and_are_json() -> None:
    steps = [
        view_of(1), view_of(2), view_of(1, hide_pixels=0.1), view_of(1, flip=True),
        Altered((view_of(1), view_of(2))), Altered((view_of(2), view_of(1))),
    ]  # fmt: skip
    told = {json.dumps(describe(step), sort_keys=True) for step in steps}
    assert len(told) == len(steps)


def test_draws_are_decided_by_content_and_purpose() -> None:
    one = random_of("a", "view", 1).random()
    assert random_of("a", "view", 1).random() == one
    assert len({one, random_of("a", "view", 2).random(), random_of("b", "view", 1).random()}) == 3
    assert one == 0.8124152582450835  # the same on every machine
