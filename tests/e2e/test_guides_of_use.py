"""The guides to a service, to a phone and to a notebook run: their own code, on small data."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

from manyheads import load
from manyheads.cli.main import main
from manyheads.core.settings import plain
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from tests.image_files import FILES
from tests.small_study import CLASSES, finished_study, small_images
from tests.strategies import distinct_image

GUIDES = Path(__file__).parents[2] / "docs/guides"
_PATIENCE = 120.0  # seconds until a service answers, on a busy machine


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a small finished study."""
    return finished_study(tmp_path_factory.mktemp("used")).folder.path


@pytest.fixture
def folder(tmp_path: Path, model: Path) -> Path:
    """Where a guide's reader works: photos, a photograph, and the model's run folder."""
    small_images(tmp_path / "photos")
    shutil.copyfile(tmp_path / "photos/train/cat/0.png", tmp_path / "photo.jpg")
    shutil.copytree(model, tmp_path / "runs/photos")
    return tmp_path


def python_of(guide: str) -> str:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return block


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The guide's service at work, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def pictures(folder: Path) -> Iterator[Path]:
    """Files of every kind whose pixels a decoder may get wrong, in `folder`."""
    for number, (name, data) in enumerate(FILES.items()):
        path = folder / f"{number} {name}"
        path.write_bytes(data)
        yield path
    path = folder / "large photograph.jpg"
    distinct_image("a", 200).save(path)
    yield path


@pytest.mark.parametrize("guide", ["phone.md", "export.md"])
def test_the_rule_that_is_written_out_is_the_products(guide: str, tmp_path: Path) -> None:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    (rule,) = re.findall(r"(def prepared\(.*?\n)(?=\n\n)", text, re.DOTALL)
    there: dict[str, Any] = {"np": np, "Image": Image, "ImageOps": ImageOps}
    exec(rule, there)
    for path in pictures(tmp_path):
        for settings in (
            ImageSettings(size=40),
            ImageSettings(size=32, interpolation="nearest", exif=False),
            ImageSettings(size=32, interpolation="lanczos", depth=12),
            ImageSettings(size=32, decode="scaled"),
        ):
            if settings.depth and "16-bit" in path.name and not path.name.endswith("grey"):
                continue  # Pillow has lost their lower half, as the guide says
            if "TIFF" in path.name and not settings.exif:
                continue  # Pillow turns them itself
            seen = there["prepared"](io.BytesIO(path.read_bytes()), plain(settings))
            np.testing.assert_array_equal(seen, load_pixels(path, settings), str(path))


@pytest.mark.when_changed("documents")
def test_the_service_answers(folder: Path) -> None:
    (folder / "service.py").write_text(python_of("service.md"), encoding="utf-8")
    photo = (folder / "photo.jpg").read_bytes()
    with served(folder) as address, httpx.Client(base_url=address, timeout=_PATIENCE) as client:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                answer = client.post("/predict", files={"image": photo})
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline, "the service did not start"
                time.sleep(0.2)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert set(said["probabilities"]) == set(CLASSES)
        assert said["label"] == max(said["probabilities"], key=said["probabilities"].get)
        model = load(folder / "runs/photos")
        for path in pictures(folder):
            answer = client.post("/predict", files={"image": path.read_bytes()})
            assert answer.status_code == 200, answer.text
            (wanted,) = model.predict(path)
            assert answer.json()["probabilities"] == wanted.probabilities, path.name
        refused = client.post("/predict", files={"image": b"no image"})
        assert refused.status_code == 422
        assert "no image" in refused.json()["detail"]


@pytest.mark.when_changed("documents")
def test_the_notebook_runs(folder: Path) -> None:
    shutil.rmtree(folder / "runs")
    for image in (folder / "photos").rglob("*.png"):
        image.rename(image.with_suffix(".jpg"))
    notebook = json.loads((GUIDES / "notebook.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(each["source"]) for each in notebook["cells"] if each["cell_type"] == "code"]
    program = "\n".join(cells)
    asked = 'fit("photos", budget="10m", image_size=150, '
    small = 'fit("photos", backbone="mobilenet", weights="random:0", image_size=32, heads=2, '
    assert program.count(asked) == 1
    done = subprocess.run(
        [sys.executable, "-c", program.replace(asked, small)],
        cwd=folder, env={**os.environ, "MPLBACKEND": "Agg"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "expected on new images: 0." in done.stdout
    assert "<5 predictions>" in done.stdout


@pytest.mark.slow
def test_the_phone_says_what_the_model_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    options = ["--format", "litert", "--out", "photos.tflite"]
    assert main(["export", "runs/photos", *options]) == 0
    done = subprocess.run(
        [sys.executable, "-c", python_of("phone.md")],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    label, probability = done.stdout.split()[-2:]
    said = json.loads(_predicted(folder))
    assert said["label"].split()[-1] == label
    assert abs(said["confidence"] - float(probability)) < 1e-3


def _predicted(folder: Path) -> str:
    command = ["-m", "manyheads.cli.main", "predict", "runs/photos", "photo.jpg", "--json"]
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.dumps(json.loads(done.stdout)[0])
