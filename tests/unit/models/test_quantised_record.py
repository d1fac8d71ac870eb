"""How a quantised export is asked for, and what its side file keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from manyheads.core.settings import plain, restored
from manyheads.errors import SettingError
from manyheads.findings.quantisation_cost import QuantisationCost, ScoreChange
from manyheads.models.quantised_record import Quantisation, Quantised
from manyheads.stats.intervals import Estimate


def cost(**changes: Any) -> QuantisationCost:
    """A cost that is small, but for `changes`."""
    accuracy = ScoreChange(
        metric="accuracy", float32=0.84, quantised=0.837,
        difference=Estimate(-0.003, -0.014, 0.008), outcome="undecided",
    )  # fmt: skip
    log_loss = ScoreChange(
        metric="log_loss", float32=0.52, quantised=0.53,
        difference=Estimate(0.01, -0.002, 0.022), outcome="undecided",
    )  # fmt: skip
    given: dict[str, Any] = {
        "kind": "int8", "runtime": "ONNX Runtime 1.32.0", "images": 341,
        "source": "validation images", "scores": (accuracy, log_loss),
        "equal_labels": Estimate(0.982, 0.962, 0.992), "size": 21_600_000,
        "float32_size": 84_300_000, "milliseconds": 12.0, "float32_milliseconds": 30.0,
        "threads": 2, "processor": "a processor",
    }  # fmt: skip
    return QuantisationCost(**(given | changes))


def test_what_is_kept_is_read_again() -> None:
    record = Quantised(kind="int8", calibrated="200 training images", max_loss=1.0, cost=cost())
    assert restored(Quantised, json.loads(json.dumps(plain(record)))) == record
    bare = Quantised(kind="f16", calibrated="", max_loss=1.0)
    assert restored(Quantised, json.loads(json.dumps(plain(bare)))) == bare


def test_no_kind_is_no_quantisation() -> None:
    assert Quantisation.asked(None, 200, 1.0) is None
    assert Quantisation.asked("int8", "50", "2.5") == Quantisation(
        kind="int8", calibration=50, max_loss=2.5
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("int4", 200, 1.0), "`quantize` to be one of int8, f16"),
        (("int8", 5, 1.0), "`calibration` to be a whole number from 10"),
        (("int8", "many", 1.0), "`calibration` to be a whole number from 10"),
        (("int8", 200, 0), "`max_loss` to be a number above 0 to 100"),
        ((None, 100, 1.0), "`quantize` beside `calibration`, found none"),
        ((None, 200, 3), "`quantize` beside `max_loss`, found none"),
    ],
)
def test_what_cannot_be_asked(asked: tuple[Any, Any, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Quantisation.asked(*asked)


def test_the_cost_in_words() -> None:
    assert cost().sentences == (
        "98.2 [96.2, 99.2] % of the 341 validation images get the same label.",
        "These images exclude a loss of more than 1.4 points of accuracy and of 0.022 in log loss "
        "(95 % confidence).",
    )
    rows = cost().table.rows
    assert rows[0] == ("Accuracy", "0.840", "0.837", "−0.3 [−1.4, 0.8] points")
    assert rows[2] == ("Megabytes", "84.3", "21.6", "−74 %")
    assert rows[3] == ("Milliseconds", "30.0", "12.0", "−60 %")


def test_what_limits_the_cost_is_said() -> None:
    slow = cost(milliseconds=40.0, source="images that the model was trained on")
    assert slow.sentences[-2:] == (
        "The model was trained on these images, so its scores are too high; their differences are "
        "what counts.",
        "Int8 is slower on this processor: smaller, not faster.",
    )
    accuracy, log_loss = cost().scores
    worse = replace(log_loss, outcome="worse")
    assert "The loss in log loss is significant." in cost(scores=(accuracy, worse)).sentences
    alike = tuple(replace(each, outcome="equivalent") for each in cost().scores)
    said = "Accuracy and log loss are equivalent within ±1 point and ±0.02."
    assert said in cost(scores=alike).sentences
