"""What a fit keeps of its average's answers, and when they are not to be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manyheads.run.fit.fit_answers import FILE, keep_answers, kept_answers

LABELS = np.array([0, 1, 2, 1])
SCORED = np.array([True, True, True, False])
ANSWERS = np.log(
    np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.9, 0.05, 0.05]])
).astype(np.float32)


@pytest.fixture
def fit(tmp_path: Path) -> Path:
    keep_answers(tmp_path, ANSWERS, SCORED)
    return tmp_path


def test_they_come_back_with_the_images_that_are_scored(fit: Path) -> None:
    found = kept_answers(fit, LABELS, 2 / 3)
    assert found is not None
    np.testing.assert_array_equal(found[0], ANSWERS)
    np.testing.assert_array_equal(found[1], SCORED)


def test_those_of_another_model_are_none(fit: Path) -> None:
    """A larger budget makes another model: a fit that is killed may have the answers of both."""
    assert kept_answers(fit, LABELS, 0.5) is None
    assert kept_answers(fit, LABELS[:3], 2 / 3) is None


def test_without_a_file_or_with_a_damaged_one_there_are_none(fit: Path) -> None:
    content = (fit / FILE).read_bytes()
    for damaged in (b"", content[:40], content[:-30], b"not a zip file"):
        (fit / FILE).write_bytes(damaged)
        assert kept_answers(fit, LABELS, 2 / 3) is None
    np.savez(fit / FILE, answers=ANSWERS[0], scored=SCORED)
    assert kept_answers(fit, LABELS, 2 / 3) is None
    (fit / FILE).unlink()
    assert kept_answers(fit, LABELS, 2 / 3) is None
