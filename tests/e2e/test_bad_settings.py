"""Bad settings, from the command line: one clear line and exit code 1, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Command, refused

pytestmark = pytest.mark.usefixtures("free")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--droprate", "0", "1.0"), "--droprate to be a number from 0 and below 1, found 1.0"),
        (("--droprate", "-0.1"), "found -0.1"),
        (("--droprate", "abc"), "found 'abc'; give --droprate as a plain number"),
        (("--droprate", "NaN"), "found NaN"),
        (("--droprate", "0.5", "0.50"), "each droprate once"),
        (("--learning-rate", "0"), "--learning-rate to be a number above 0 to 10, found 0"),
        (("--size-inner", "-1"), "--size-inner to be a whole number from 0 to 65536, found -1"),
        (("--size-inner", "1.5"), "found '1.5'"),
        (("--epochs", "0"), "--epochs to be a whole number from 1 to 100000, found 0"),
        (("--seeds", "0"), "--seeds to be a whole number"),
        (("--batch-size", "none"), "--batch-size"),
        (("--image-size", "20"), "--image-size to be a whole number from 32"),
        (("--image-size", "32"), "an image size of at least 71 for xception, found 32"),
        (("--interpolation", "magic"), "--interpolation to be one of nearest"),
        (("--validation-share", "0.9"), "validation share"),
        (("--test-share", "-1"), "test share"),
        (("--split-seed", "x"), "split seed"),
        (("--select", "luck"), "--select to be one of best_accuracy"),
        (("--patience", "0"), "--patience to be a whole number from 1"),
        (("--patience", "5", "--select", "last"), "a rule that has a best epoch to wait for"),
        (("--prune",), "at least two candidates, of which prune keeps the best, found one candid"),
        (("--prune", "--droprate", "0", "0.5"), "at least 9 epochs for prune 3"),
        (("--prune", "1", "--droprate", "0", "0.5"), "--prune to be a whole number from 2 to 100"),
        (("--engine", "steam"), "--engine to be one of auto, fused, stacked, keras"),
        (("--runtime", "abacus"), "--runtime to be one of auto, openvino, keras"),
        (("--keep-heads", "0"), "--keep-heads"),
        (("--seeds", "100000", "--droprate", *(f"0.{n:02}" for n in range(11))), "1,000,000 tri"),
        (("--checkpoint-pattern", "{wrong}"), "checkpoint pattern"),
        (("--backbone", "exception"), "the name of a backbone, found 'exception'; did you mean xc"),
        (("--backbone", "EfficientNetV9B0"), "did you mean efficientnet"),
    ],
)
def test_a_bad_setting(sweep, photos: Path, options: tuple[str, ...], words: str) -> None:
    refused(sweep(photos, *options), words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--droprate", "1.5"), "droprate"),
        (("--size-inner", "0"), "a size_inner above 0 for the dropout stage"),
        (("--size-inner", "-1"), "--size-inner"),
        (("--droprate-epochs", "0"), "--droprate-epochs"),
        (("--epochs", "x"), "epochs"),
    ],
)
def test_a_bad_setting_of_any_stage_is_found_before_the_first(
    command: Command, photos: Path, options: tuple[str, ...], words: str
) -> None:
    refused(command("lesson", photos, "--out", "run", *options), words)


def test_a_list_without_values_is_wrong_usage(sweep, photos: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        sweep(photos, "--droprate")
    assert ended.value.code == 2


def test_debug_adds_the_traceback(sweep, photos: Path) -> None:
    said = sweep(photos, "--epochs", "0", "--debug")
    assert said.code == 1
    assert "Traceback (most recent call last)" in said.err
    assert said.complaint.startswith("manyheads: expected --epochs")
