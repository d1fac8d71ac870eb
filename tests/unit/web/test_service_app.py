"""Models over HTTP: what is asked, what is answered, and what happens under load."""

from __future__ import annotations

import io
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from manyheads.errors import ModelError
from manyheads.models.prediction_rows import RowForm, json_text
from manyheads.models.unknown_answers import UnknownRule
from tests.strategies import distinct_image
from tests.unit.web.fake_models import CLASSES, UNLIKENESS, FakeShelf, serving_fakes

TOKEN = "a token of sixteen letters or more"


def picture(name: str) -> bytes:
    content = io.BytesIO()
    distinct_image(name, 40).save(content, "PNG")
    return content.getvalue()


PICTURES = {f"{number}.png": picture(str(number)) for number in range(40)}


@pytest.fixture(scope="module")
def shelf() -> Iterator[FakeShelf]:
    with serving_fakes("pets", "others") as found:
        yield found


@pytest.fixture
def client(shelf: FakeShelf) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shelf.address, timeout=60) as found:
        yield found


def form(*names: str) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (name, PICTURES.get(name, b"nothing"))) for name in names]


def row(shelf: FakeShelf, name: str, model: str = "pets", **how: Any) -> str:
    """What `manyheads predict --jsonl` prints of a picture."""
    classifier = shelf[model]
    (found,) = classifier.predict_prepared(classifier.pixels(PICTURES[name])[np.newaxis])
    entry = replace(found, image=name, features=None)
    return json_text(RowForm(classes=CLASSES, **how).document(entry))


def test_a_form_of_images_is_answered_as_the_command_does(
    client: httpx.Client, shelf: FakeShelf
) -> None:
    answer = client.post("/predict", files=form("1.png", "2.png"))
    assert answer.status_code == 200
    rows = f"{row(shelf, '1.png')}, {row(shelf, '2.png')}"
    assert answer.text == f'{{"model": "pets", "predictions": [{rows}]}}'
    answer = client.post("/predict?top=2", files=form("1.png"))
    assert row(shelf, "1.png", top=2) in answer.text
    answer = client.post("/models/others/predict", files=form("1.png"))
    assert answer.json()["model"] == "others"


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "image/jpeg", None])
def test_one_image_comes_as_it_is(client: httpx.Client, shelf: FakeShelf, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = client.post("/predict", content=PICTURES["1.png"], headers=headers)
    (found,) = answer.json()["predictions"]
    assert found == json.loads(row(shelf, "1.png")) | {"image": "image-1"}


def test_an_answer_that_is_not_sure_is_withheld(client: httpx.Client) -> None:
    whole = client.post("/predict", files=form(*PICTURES)).json()["predictions"]
    found = client.post("/predict?min_confidence=0.6", files=form(*PICTURES)).json()["predictions"]
    assert {each["abstained"] for each in found} == {True, False}
    for before, after in zip(whole, found, strict=True):
        assert after["abstained"] == (before["confidence"] < 0.6)
        assert after["label"] == (None if after["abstained"] else before["label"])
        assert after["probabilities"] == before["probabilities"]


def test_what_is_unlike_is_called_unknown(client: httpx.Client, shelf: FakeShelf) -> None:
    whole = client.post("/predict", files=form(*PICTURES)).json()["predictions"]
    found = client.post("/predict?unknown=0.3", files=form(*PICTURES)).json()["predictions"]
    assert {each["unknown"] for each in found} == {True, False}
    for before, after in zip(whole, found, strict=True):
        assert after["unknown"] == (after["unlike"] >= 0.7)
        assert after["label"] == ("unknown" if after["unknown"] else before["label"])
        assert after["probabilities"] == before["probabilities"]
    classifier = shelf["pets"]
    rule = UnknownRule(UNLIKENESS, 0.3, classifier.path)
    (said,) = classifier.predict_prepared(classifier.pixels(PICTURES["1.png"])[np.newaxis])
    wanted = RowForm(classes=CLASSES, unlike=True).document(rule.applied(said))
    assert found[1] == wanted | {"image": "1.png"}


@pytest.mark.parametrize(
    ("model", "rate", "words"),
    [
        (
            "others",
            "0.1",
            "others.unlike.safetensors beside others, for unknown images, found",
        ),
        ("pets", "0.01", "from 2.5 %, the least rate that the 39 held-out images of pets can hold"),
        ("pets", "0", "expected unknown as"),
        ("pets", "0.6", "expected unknown as"),
        ("pets", "nan", "expected unknown as"),
    ],
)
def test_unknown_images_that_cannot_be_told_are_one_line(
    client: httpx.Client, model: str, rate: str, words: str
) -> None:
    answer = client.post(f"/models/{model}/predict?unknown={rate}", files=form("1.png"))
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert "/secret" not in answer.text


def test_what_cannot_be_read_is_a_row(client: httpx.Client) -> None:
    answer = client.post("/predict", files=form("1.png", "notes.txt"))
    assert answer.status_code == 200
    assert answer.json()["predictions"][1] == {
        "image": "notes.txt", "label": None, "confidence": None, "probabilities": {},
        "error": "no image",
    }  # fmt: skip
    answer = client.post("/predict", files=form("notes.txt"))
    assert answer.status_code == 422
    assert answer.json()["error"] == (
        "expected an image that can be read, found notes.txt: no image; check the files"
    )
    assert len(answer.json()["predictions"]) == 1


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (400, {"content": b""}),
        (400, {"files": [("photo", ("a.png", b"x"))]}),
        (400, {"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
        (400, {"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}),
        (415, {"content": b"{}", "headers": {"Content-Type": "application/json"}}),
        (415, {"data": {"image": "a"}}),
        (400, {"content": b"x", "params": {"top": "0"}}),
        (400, {"content": b"x", "params": {"top": "1e3"}}),
        (400, {"content": b"x", "params": {"min_confidence": "nan"}}),
        (400, {"content": b"x", "params": {"min_confidence": "2"}}),
        (400, {"content": b"x", "params": {"explain": "perhaps"}}),
        (413, {"files": form(*["1.png"] * 257)}),
        (413, {"files": form(*["1.png"] * 17), "params": {"explain": "1"}}),
    ],
)
def test_what_is_wrong_with_a_request_is_one_line(
    client: httpx.Client, status: int, how: dict[str, Any]
) -> None:
    answer = client.post("/predict", **how)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith("expected ")
    assert "\n" not in answer.json()["error"]


def test_an_unknown_model_is_told_with_those_that_there_are(client: httpx.Client) -> None:
    answer = client.post("/models/no/predict", content=b"x")
    assert answer.status_code == 404
    assert answer.json() == {"error": "expected pets or others, found another model; name one"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\photos\\a.png", "a.png"), ("a\u202eb.png", "ab.png"),
        ("..", "image-1"), ("a/", "image-1"), ("<b>.png", "<b>.png"), ("é.png", "é.png"),
        ("x" * 300, "x" * 120),
    ],
)  # fmt: skip
def test_names_are_made_harmless(client: httpx.Client, given: str, shown: str) -> None:
    answer = client.post("/predict", files=[("image", (given, PICTURES["1.png"]))])
    assert answer.json()["predictions"][0]["image"] == shown


def test_an_image_of_very_many_pixels_is_not_decoded(
    client: httpx.Client, large_png: Callable[[int, int], bytes]
) -> None:
    for width, height in (
        (20_000, 20_000),
        (1, 80_000_000),
        (70_000, 1),
        (60_000, 60_000),
        (2**31 - 1, 2**31 - 1),
    ):
        answer = client.post("/predict", content=large_png(width, height))
        assert answer.status_code == 422
        assert "89,478,485" in answer.text or "damaged" in answer.text or "no image" in answer.text


@pytest.fixture
def large_png() -> Callable[[int, int], bytes]:
    """A PNG that claims so many pixels."""
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    def make(width: int, height: int) -> bytes:
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        data = zlib.compress(bytes(1 << 20))
        return (
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
        )

    return make


def test_a_fault_of_the_network_is_told_to_the_log_alone(
    client: httpx.Client, shelf: FakeShelf
) -> None:
    shelf["pets"].breaks = True
    answer = client.post("/predict", files=form("1.png"))
    shelf["pets"].breaks = False
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})
    assert client.post("/predict", files=form("1.png")).status_code == 200


def test_what_waits_is_batched_and_nothing_waits_for_a_batch(shelf: FakeShelf) -> None:
    model = shelf["pets"]
    model.batches.clear()
    model.gate.clear()
    names = list(PICTURES)[:21]
    with ThreadPoolExecutor(len(names)) as pool, httpx.Client(timeout=60) as client:

        def ask(name: str) -> str:
            answer = client.post(f"{shelf.address}/predict", files=form(name))
            return answer.text

        first = pool.submit(ask, names[0])
        while not model.batches:  # alone, at once
            time.sleep(0.01)
        rest = [pool.submit(ask, name) for name in names[1:]]
        while 'manyheads_queue_images{model="pets"} 21.0' not in metrics(shelf):
            time.sleep(0.01)
        time.sleep(0.3)  # the last is decoded
        model.gate.set()
        answers = [each.result() for each in (first, *rest)]
    assert model.batches == [1, 16, 4]
    for name, answer in zip(names, answers, strict=True):
        assert row(shelf, name) in answer


def metrics(shelf: FakeShelf) -> str:
    return httpx.get(f"{shelf.address}/metrics").text


def test_a_full_queue_is_told_to_wait() -> None:
    with serving_fakes("pets", queue=3) as shelf, httpx.Client(timeout=60) as client:
        shelf["pets"].gate.clear()
        with ThreadPoolExecutor(3) as pool:
            asked = [
                pool.submit(client.post, f"{shelf.address}/predict", files=form(name))
                for name in ("1.png", "2.png", "3.png")
            ]
            while 'queue_images{model="pets"} 3.0' not in metrics(shelf):
                time.sleep(0.01)
            answer = client.post(f"{shelf.address}/predict", files=form("4.png"))
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            shelf["pets"].gate.set()
            assert [each.result().status_code for each in asked] == [200] * 3
        assert client.post(f"{shelf.address}/predict", files=form("4.png")).status_code == 200
        assert 'manyheads_refused_total{status="503"} 1.0' in metrics(shelf)


def test_what_takes_too_long_is_given_up_and_takes_no_pass() -> None:
    with serving_fakes("pets", timeout=0.3) as shelf, httpx.Client(timeout=60) as client:
        model = shelf["pets"]
        model.gate.clear()
        for name in ("1.png", "2.png"):  # the first is in a pass, the second waits
            answer = client.post(f"{shelf.address}/predict", files=form(name))
            assert answer.status_code == 504
        model.gate.set()
        assert client.post(f"{shelf.address}/predict", files=form("3.png")).status_code == 200
        assert model.batches == [1, 1]
        assert 'queue_images{model="pets"} 0.0' in metrics(shelf)


def test_a_model_is_opened_anew_and_no_request_is_lost(shelf: FakeShelf) -> None:
    with serving_fakes("pets") as shelf, httpx.Client(base_url=shelf.address, timeout=60) as client:
        former = shelf["pets"]
        before = client.post("/predict", files=form("1.png")).text
        former.gate.clear()
        answers: list[str] = []
        asking = threading.Thread(
            target=lambda: answers.append(client.post("/predict", files=form("1.png")).text)
        )
        asking.start()
        while 'queue_images{model="pets"} 1.0' not in metrics(shelf):
            time.sleep(0.01)
        reloading = threading.Thread(target=client.post, args=("/models/pets/reload",))
        reloading.start()
        while len(shelf.opened["pets"]) < 2:
            time.sleep(0.01)
        after = client.post("/predict", files=form("1.png")).text
        assert after != before  # the new one answers while the former still does
        former.gate.set()
        asking.join()
        reloading.join()
        assert answers == [before]
        shelf.failing = ModelError("a model", "nothing at /secret/place", "give one")
        answer = client.post("/models/pets/reload")
        assert answer.status_code == 409
        assert "/secret" not in answer.text
        assert client.post("/predict", files=form("1.png")).text == after


def test_requests_while_a_model_is_opened_again_and_again_all_have_answers() -> None:
    with (
        serving_fakes("pets") as shelf,
        httpx.Client(base_url=shelf.address, timeout=60) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        asked = [
            pool.submit(client.post, "/predict", files=form(name)) for name in list(PICTURES) * 3
        ]
        for _ in range(5):
            assert client.post("/models/pets/reload").status_code == 200
        assert {each.result().status_code for each in asked} == {200}


def test_a_token_is_needed_for_all_but_health() -> None:
    with (
        serving_fakes("pets", token=TOKEN) as shelf,
        httpx.Client(base_url=shelf.address, timeout=60) as client,
    ):
        for path in ("/", "/metrics", "/openapi.json", "/api/models", "/v2/models/pets"):
            assert client.get(path).status_code == 401, path
        for path in ("/predict", "/models/pets/reload", "/v2/models/pets/infer"):
            assert client.post(path).status_code == 401, path
        for path in ("/healthz", "/v2/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200, path
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert client.post("/predict", files=form("1.png")).status_code == 200


def test_the_description_tells_every_address_with_examples(client: httpx.Client) -> None:
    told = client.get("/openapi.json").json()
    assert {"/predict", "/models/{name}/predict", "/v2/models/{name}/infer", "/healthz"} <= set(
        told["paths"]
    )
    predict = told["paths"]["/predict"]["post"]
    assert "multipart/form-data" in predict["requestBody"]["content"]
    examples = predict["responses"]["200"]["content"]["application/json"]["examples"]
    one, several = (each["value"]["predictions"] for each in examples.values())
    assert "labels" not in one[0]
    assert several[0]["label"] == ";".join(several[0]["labels"])
    assert {each["name"] for each in predict["parameters"]} == {
        "top", "min_confidence", "unknown", "explain",
    }  # fmt: skip
    assert client.get("/docs").status_code == 404


def test_the_page_and_its_files_are_sent(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/static/shared/base.css").status_code == 200
    assert client.get("/static/service/service.js").status_code == 200
