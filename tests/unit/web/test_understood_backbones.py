"""Understanding a study of several backbones: what accuracy costs, as its report tells it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.studio_runs import two_backbones
from tests.unit.web.studio_kit import StudioClient


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page is told of a study of two backbones."""
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYHEADS_CACHE", str(place / "cache"))
        two_backbones(place, "runs/two", patch)
    studio = StudioClient(place)
    while (answer := studio.get("understand/run", run="runs/two"))["found"] is None:
        pass
    return answer["found"]


@pytest.mark.when_changed("commands")
def test_accuracy_and_cost_are_a_part_of_their_own(found: dict[str, Any]) -> None:
    told = found["backbones"]
    (panel,) = told["panels"]
    assert panel["x_label"] == "GFLOP per image"
    names = ["mobilenet_v3_small at 32", "mobilenet at 32"]
    assert [each["name"] for each in panel["series"]] == names  # the cheaper one first
    assert len({(each["colour"], each["mark"]) for each in panel["series"]}) == 2
    assert sum(each["ring"] is not None for each in panel["series"]) == 1
    assert all("`" not in each for each in told["sentences"])
    assert "the ring marks the selected one" in told["caption"]
    assert {row[0] for row in told["tables"][0]["rows"]} == {"mobilenet", "mobilenet_v3_small"}
    # What is not of backbones is as of every study.
    assert [each["title"] for each in found["panels"]] == ["Reliability", "Risk by coverage"]
    assert found["tables"] == []


def test_bars_end_where_accuracy_does(found: dict[str, Any]) -> None:
    """With few seeds an interval of a difference is wide; no accuracy is beyond 0 and 1."""
    (panel,) = found["backbones"]["panels"]
    ticks = [float(words) for _, words in panel["y_ticks"]]
    assert min(ticks) >= 0
    assert max(ticks) <= 1
