"""A studio's Use answers as a service does, and keeps few models open."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from manyheads.errors import ModelError
from manyheads.study.folder import RunFolder
from manyheads.web.service import about_model, served_models
from manyheads.web.service.served_models import ServedModel, ServingOptions
from manyheads.web.studio.studio_app import studio_app
from tests.image_files import encoded
from tests.strategies import distinct_image
from tests.unit.web.fake_models import CLASSES, FakeShelf, serving_fakes
from tests.web_servers import serving_app

GOLDEN = Path(__file__).parents[2] / "golden" / "run"
ADDRESS = "/api/use/predict?run=runs/old&top=3"


@pytest.fixture
def shelf() -> FakeShelf:
    return FakeShelf()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("old", "second", "third"):
        shutil.copytree(GOLDEN, tmp_path / "place" / "runs" / name)
    return tmp_path / "place"


@pytest.fixture
def client(
    place: Path, shelf: FakeShelf, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    monkeypatch.setattr(served_models, "opened", shelf.open)
    with (
        serving_app(studio_app(place)) as address,
        httpx.Client(base_url=address, timeout=30) as made,
    ):
        yield made


def sent(*names: str) -> list[tuple[str, Any]]:
    return [("image", (name, encoded(distinct_image(name, 40)), "image/png")) for name in names]


def test_answers_are_a_service_s(client: httpx.Client) -> None:
    found = client.post(f"{ADDRESS}&unknown=0.1", files=sent("1.png", "2.png")).json()
    with serving_fakes("old") as served:
        same = httpx.post(
            f"{served.address}/predict?top=3&unknown=0.1", files=sent("1.png", "2.png")
        )
    assert found["predictions"] == same.json()["predictions"]
    assert [each["image"] for each in found["predictions"]] == ["1.png", "2.png"]
    assert all("unknown" in each for each in found["predictions"])
    unreadable = client.post(ADDRESS, files=[("image", ("3.png", b"none", "image/png"))])
    assert unreadable.status_code == 422
    assert client.post(f"{ADDRESS}&unknown=0.9", files=sent("1.png")).status_code == 400


def test_what_is_known_of_the_model_is_what_a_service_tells(client: httpx.Client) -> None:
    answer = client.get("/api/use/models", params={"run": "runs/old"})
    (told,) = answer.json()["models"]
    assert (told["name"], told["classes"]) == ("runs/old", list(CLASSES))
    assert told["expect"]["accuracy"]["value"] > 0
    assert told["risk"]
    assert told["unknown"]["held_out"] == 39


def test_it_looks_at_the_run_again_once_the_test_set_is_open(
    client: httpx.Client, place: Path, shelf: FakeShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def about(name: str, path: Path, _: object) -> dict[str, Any]:
        read.append(name)
        return {"name": name, "test": RunFolder(path).test_log.is_file()}

    def told() -> dict[str, Any]:
        return client.get("/api/use/models", params={"run": "runs/old"}).json()["models"][0]

    monkeypatch.setattr(about_model, "about", about)
    assert not told()["test"]
    assert not told()["test"]
    assert read == ["runs/old"]
    RunFolder(place / "runs/old").test_log.write_text("{}", encoding="utf-8")
    assert told()["test"]
    assert len(shelf.opened["old"]) == 1  # the model is the same


def test_a_model_that_was_replaced_is_opened_anew_and_few_stay_open(
    client: httpx.Client, place: Path, shelf: FakeShelf
) -> None:
    for _ in range(2):
        client.post(ADDRESS, files=sent("1.png"))
    assert len(shelf.opened["old"]) == 1
    model = RunFolder(place / "runs/old").best
    os.utime(model, (1, 1))
    client.post(ADDRESS, files=sent("1.png"))
    assert len(shelf.opened["old"]) == 2
    for name in ("second", "third"):
        client.get("/api/use/models", params={"run": f"runs/{name}"})
    client.post(ADDRESS, files=sent("1.png"))
    assert len(shelf.opened["old"]) == 3  # the first of three was closed


def test_a_model_that_does_not_open_says_why(client: httpx.Client, shelf: FakeShelf) -> None:
    shelf.failing = ModelError("a Keras file at /secret/place/best.keras", "none", "export it")
    answer = client.get("/api/use/models", params={"run": "runs/old"})
    assert answer.status_code == 400
    assert "/secret" not in answer.json()["error"]
    shelf.failing = None
    assert client.get("/api/use/models", params={"run": "runs/old"}).status_code == 200


def test_a_run_without_a_model_has_no_answers(client: httpx.Client, place: Path) -> None:
    RunFolder(place / "runs/old").best.unlink()
    answer = client.post(ADDRESS, files=sent("1.png"))
    assert (answer.status_code, "finish the run first" in answer.json()["error"]) == (400, True)


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("run", ["..", "/etc", "runs", ""])
def test_no_name_leads_to_a_model_elsewhere(client: httpx.Client, run: str) -> None:
    for method, address in (("GET", "models"), ("POST", "predict")):
        answer = client.request(method, f"/api/use/{address}", params={"run": run}, content=b"x")
        assert answer.status_code == 404


def test_the_page_of_a_service_is_sent_too(client: httpx.Client) -> None:
    page = client.get("/static/service/index.html").text
    use = client.get("/static/studio/use.js").text
    for name in ("choose", "lead", "classes", "intake", "status", "results", "about", "detail"):
        assert f'id="{name}"' in page
        assert f'"{name}"' in use


def test_a_model_that_is_closed_is_let_go_at_once(
    shelf: FakeShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_models, "opened", shelf.open)
    model = ServedModel("old", Path("old"), ServingOptions())
    model.open()
    edition, (answer,) = model.submit([encoded(distinct_image("1", 40))])
    assert answer.result().label in CLASSES
    known = weakref.ref(edition)
    gc.disable()  # which comes by hours later, where there is little else to do
    try:
        model.close()
        del model, edition, answer
        assert known() is None
    finally:
        gc.enable()
