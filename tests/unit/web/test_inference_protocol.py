"""Version 2 of the Open Inference Protocol: what is told, asked, answered and refused."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.unit.web.fake_models import CLASSES, SEVERAL, THRESHOLDS, FakeShelf, serving_fakes
from tests.unit.web.test_service_app import PICTURES, row


@pytest.fixture(scope="module")
def shelf() -> Iterator[FakeShelf]:
    with serving_fakes("pets", SEVERAL) as found:
        yield found


@pytest.fixture
def client(shelf: FakeShelf) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shelf.address, timeout=60) as found:
        yield found


def ask(client: httpx.Client, document: Any, **more: Any) -> httpx.Response:
    return client.post("/v2/models/pets/infer", json=document, **more)


def request(*names: str) -> dict[str, Any]:
    data = [base64.b64encode(PICTURES.get(name, b"no")).decode() for name in names]
    tensor = {"name": "image", "shape": [len(data)], "datatype": "BYTES", "data": data}
    return {"id": "7", "inputs": [tensor]}


def test_it_says_what_there_is(client: httpx.Client) -> None:
    assert client.get("/v2").json()["name"] == "manyheads"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    about = client.get("/v2/models/pets").json()
    assert about["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert about["outputs"][0]["shape"] == [-1, 3]
    assert about["parameters"]["classes"] == list(CLASSES)
    assert client.get("/v2/models/pets/ready").json() == {"name": "pets", "ready": True}
    assert client.get("/v2/models/no/ready").status_code == 404


def test_several_labels_have_an_output_of_their_own(client: httpx.Client, shelf: FakeShelf) -> None:
    about = client.get(f"/v2/models/{SEVERAL}").json()
    assert about["outputs"][2] == {"name": "labels", "datatype": "BOOL", "shape": [-1, 3]}
    assert about["parameters"] == {"classes": list(CLASSES), "thresholds": list(THRESHOLDS)}
    address, names = f"/v2/models/{SEVERAL}/infer", ("1.png", "2.png", "3.png")
    rows = [json.loads(row(shelf, name, SEVERAL, several=True)) for name in names]
    said = [label in each["labels"] for each in rows for label in CLASSES]
    found = client.post(address, json=request(*names)).json()
    assert [each["name"] for each in found["outputs"]] == ["probabilities", "label", "labels"]
    assert found["outputs"][1]["data"] == [each["label"] for each in rows]
    assert found["outputs"][2] == {
        "name": "labels", "datatype": "BOOL", "shape": [3, 3], "data": said
    }  # fmt: skip
    asked = request(*names) | {"outputs": [{"name": "labels", "parameters": {"binary_data": True}}]}
    answer = client.post(address, json=asked)
    assert answer.content[int(answer.headers["Inference-Header-Content-Length"]) :] == bytes(said)
    answer = ask(client, request("1.png") | {"outputs": [{"name": "labels"}]})
    assert answer.status_code == 400
    assert "the outputs probabilities and label, found others" in answer.json()["error"]


def test_it_answers_as_predict_does(client: httpx.Client, shelf: FakeShelf) -> None:
    found = ask(client, request("1.png", "2.png")).json()
    rows = [json.loads(row(shelf, name)) for name in ("1.png", "2.png")]
    chances = [value for each in rows for value in each["probabilities"].values()]
    assert found["id"] == "7"
    assert found["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [2, 3], "data": chances},
        {
            "name": "label", "datatype": "BYTES", "shape": [2],
            "data": [each["label"] for each in rows],
        },
    ]  # fmt: skip


def test_images_and_answers_may_be_binary(client: httpx.Client) -> None:
    usual = ask(client, request("1.png", "2.png")).json()["outputs"]
    raw = b"".join(
        struct.pack("<I", len(PICTURES[name])) + PICTURES[name] for name in ("1.png", "2.png")
    )
    tensor = {
        "name": "image", "shape": [2], "datatype": "BYTES",
        "parameters": {"binary_data_size": len(raw)},
    }  # fmt: skip
    document = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post("/v2/models/pets/infer", content=head + raw, headers=headers)
    length = int(answer.headers["inference-header-content-length"])
    told, behind = json.loads(answer.content[:length]), answer.content[length:]
    assert [each["name"] for each in told["outputs"]] == ["probabilities", "label"]
    chances = np.frombuffer(behind[:24], "<f4")
    np.testing.assert_array_equal(chances, np.array(usual[0]["data"], np.float32))
    (size,) = struct.unpack("<I", behind[24:28])
    assert behind[28 : 28 + size].decode() == usual[1]["data"][0]


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": []}, {"inputs": None}, {"inputs": [1]}, {"inputs": [{"name": "image"}]},
        {"outputs": [{"name": "no"}]}, {"outputs": "label"}, {"outputs": [3]},
    ],
)  # fmt: skip
def test_other_requests_are_refused(client: httpx.Client, change: Any) -> None:
    answer = ask(client, request("1.png") | change)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith("expected ")


@pytest.mark.parametrize(
    "change", [{"shape": [2]}, {"shape": "x"}, {"datatype": "FP32"}, {"data": ["*"]},
               {"data": [1]}, {"data": []}, {"parameters": {"binary_data_size": 3}}],
)  # fmt: skip
def test_other_tensors_are_refused(client: httpx.Client, change: Any) -> None:
    asked = request("1.png")
    asked["inputs"][0] |= change
    assert ask(client, asked).status_code == 400


def test_what_is_no_json_is_refused(client: httpx.Client) -> None:
    for text in (b"", b"[]", b"{", b"[" * 100_000, b'{"a": NaN}', b"\xff", b"1" * 10_000):
        answer = client.post("/v2/models/pets/infer", content=text)
        assert answer.status_code == 400, text[:9]
    for length in ("-1", "x", "99", "9" * 5000, "²"):
        headers = [(b"inference-header-content-length", length.encode("latin-1"))]
        answer = client.post("/v2/models/pets/infer", content=b"{}", headers=headers)
        assert answer.status_code in (400, 431), length[:9]


def test_an_image_that_cannot_be_read_is_an_error(client: httpx.Client) -> None:
    answer = ask(client, request("1.png", "notes.txt"))
    assert answer.status_code == 400
    assert "image-2: no image" in answer.json()["error"]
