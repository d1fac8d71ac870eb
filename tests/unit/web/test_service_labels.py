"""A model that may say several labels of an image, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.models.explain.explanation import Explanation
from tests.unit.web.fake_models import CLASSES, SEVERAL, THRESHOLDS, FakeShelf, serving_fakes
from tests.unit.web.test_service_app import PICTURES, form, row


@pytest.fixture(scope="module")
def shelf() -> Iterator[FakeShelf]:
    with serving_fakes("pets", SEVERAL) as found:
        yield found


@pytest.fixture
def client(shelf: FakeShelf) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shelf.address, timeout=60) as found:
        yield found


def test_several_labels_are_answered_as_the_command_does(
    client: httpx.Client, shelf: FakeShelf
) -> None:
    address = f"/models/{SEVERAL}/predict"
    names = [f"{number}.png" for number in range(10)]
    answer = client.post(address, files=form(*names))
    rows = [row(shelf, name, SEVERAL, several=True) for name in names]
    assert answer.text == f'{{"model": "{SEVERAL}", "predictions": [{", ".join(rows)}]}}'
    found = answer.json()["predictions"]
    assert len({len(each["labels"]) for each in found}) > 1
    for each in found:
        said = [c for c, t in zip(CLASSES, THRESHOLDS, strict=True) if each["probabilities"][c] > t]
        assert each["labels"] == said
        assert each["label"] == (";".join(said) or "(none)")


def test_a_withheld_answer_of_several_labels_says_none(client: httpx.Client) -> None:
    address = f"/models/{SEVERAL}/predict?min_confidence=0.6&unknown=0.3"
    found = client.post(address, files=form(*PICTURES)).json()["predictions"]
    assert {each["abstained"] for each in found} == {True, False}
    assert {each["unknown"] for each in found} == {True, False}
    for each in found:
        if each["unknown"]:
            assert (each["label"], each["labels"]) == ("unknown", [])
        elif each["abstained"]:
            assert (each["label"], each["labels"]) == (None, [])
        else:
            assert each["label"] == (";".join(each["labels"]) or "(none)")


def test_each_label_that_is_said_is_explained(
    client: httpx.Client, shelf: FakeShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    class Explains:
        def explain_labels(self, image: bytes, labels: tuple[str, ...]) -> list[Explanation]:
            asked.append(labels)
            given = {"image": "image", "source": image, "settings": ImageSettings(size=32)}
            flat = np.ones((2, 2), np.float32)
            return [
                Explanation(**given, target=name, occlusion=flat, without=flat, probability=1.0)
                for name in labels or ("cat",)
            ]

    for model in (SEVERAL, "pets"):
        monkeypatch.setattr(shelf.models[model].edition.maps, "_explainer", Explains())
    names = [f"{number}.png" for number in range(4)]
    found = client.post(f"/models/{SEVERAL}/predict?explain=1", files=form(*names)).json()
    for each, labels in zip(found["predictions"], asked, strict=True):
        chances = [each["probabilities"][label] for label in labels]
        assert sorted(labels) == each["labels"]
        assert chances == sorted(chances, reverse=True)
        maps = each["explanations"]
        assert [one["class"] for one in maps] == list(labels or ("cat",))
        assert all(one["map"].startswith("data:image/jpeg;base64,") for one in maps)
        assert "explanation" not in each
    (one,) = client.post("/predict?explain=1", files=form("1.png")).json()["predictions"]
    assert one["explanation"]["class"] == "cat"
    assert "explanations" not in one
    assert asked[-1] == ()
