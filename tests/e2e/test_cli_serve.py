"""`manyheads serve` as a process: its answers, its signals, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import httpx
import pytest

from manyheads.cli.main import main
from manyheads.study.folder import RunFolder
from tests.processes import ROOT

PROGRAM = [sys.executable, "-m", "manyheads.cli.main", "serve"]
_PATIENCE = 120.0  # seconds until a server listens, on a busy machine


class Service:
    """A server as a process: where it listens, and what it has said."""

    def __init__(self, process: subprocess.Popen[str], errors: TextIO) -> None:
        self.process, self.errors = process, errors
        self.lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("Stop"):
                break
        found = re.search(r"http://[\w.:\[\]-]+", "\n".join(self.lines))
        self.address = "" if found is None else found[0]

    def end(self, number: int = signal.SIGTERM) -> str:
        """What it said on stderr."""
        self.process.send_signal(number)
        self.process.communicate(timeout=_PATIENCE)
        self.errors.seek(0)
        return self.errors.read()


@contextmanager
def served(*arguments: str | Path, **environment: str) -> Iterator[Service]:
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments), "--port", "0"], cwd=ROOT, text=True,
            env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        try:
            yield Service(process, errors)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def images(small_run: RunFolder) -> list[Path]:
    return sorted((small_run.path.parent / "images").glob("*/*/*.png"))


def rows_of(run: Path, images: list[Path], capfd: pytest.CaptureFixture[str]) -> list[str]:
    capfd.readouterr()
    assert main(["predict", str(run), *map(str, images), "--jsonl", "--no-cache"]) == 0
    return capfd.readouterr().out.splitlines()


def test_answers_are_those_of_predict_byte_for_byte_at_any_load(
    small_run: RunFolder, images: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(small_run.path, images, capfd)
    # The command calls an image by its path, and the service by its name alone.
    wanted = [
        row.replace(json.dumps(str(path)), json.dumps(path.name), 1)
        for row, path in zip(rows, images, strict=True)
    ]
    with served(f"small={small_run.path}") as service, httpx.Client(timeout=60) as client:

        def ask(place: int) -> str:
            path = images[place % len(images)]
            files = {"image": (path.name, path.read_bytes())}
            return client.post(f"{service.address}/predict", files=files).text

        def answer(row: str) -> str:
            return f'{{"model": "small", "predictions": [{row}]}}'

        assert ask(0) == answer(wanted[0])  # alone
        with ThreadPoolExecutor(24) as pool:
            for place, found in enumerate(pool.map(ask, range(6 * len(images)))):
                assert found == answer(wanted[place % len(images)])
        together = client.post(
            f"{service.address}/predict",
            files=[("image", (path.name, path.read_bytes())) for path in images],
        )
        assert together.text == f'{{"model": "small", "predictions": [{", ".join(wanted)}]}}'
        sizes = client.get(f"{service.address}/metrics").text
        (passes,) = re.findall(r'batch_images_count{model="small"} (\d+)', sizes)
        assert float(passes) < 7 * len(images)  # there were batches
        errors = service.end()
    assert service.process.returncode == 0
    assert "Traceback" not in errors
    assert service.lines[0].startswith("Serving   small: mobilenet at 32 pixels, 3 classes")


@pytest.mark.when_changed("commands")
def test_where_the_model_looked_is_a_picture(small_run: RunFolder, images: list[Path]) -> None:
    with served(small_run.path) as service:
        answer = httpx.post(
            f"{service.address}/predict?explain=1", content=images[0].read_bytes(), timeout=120
        )
        (row,) = answer.json()["predictions"]
        told = row["explanation"]
        if "error" not in told:  # one cell alone is no map
            assert told["map"].startswith("data:image/jpeg;base64,")
            assert told["class"] == row["label"]
        assert str(small_run.path) not in answer.text
        about = httpx.get(f"{service.address}/api/models", timeout=60)
        assert about.json()["models"][0]["classes"] == ["cat", "dog", "red panda"]
        assert str(small_run.path.parent) not in about.text


@pytest.mark.when_changed("commands")
def test_a_signal_opens_the_model_anew_and_another_ends_it(
    small_run: RunFolder, images: list[Path], tmp_path: Path
) -> None:
    copy = tmp_path / "pets"
    shutil.copytree(small_run.path, copy)
    data = images[0].read_bytes()
    with served(copy) as service:
        answers: list[int] = []
        going_on = threading.Event()

        def ask() -> None:
            with httpx.Client(timeout=60) as client:
                while not going_on.is_set():
                    answers.append(
                        client.post(f"{service.address}/predict", content=data).status_code
                    )

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            service.process.send_signal(signal.SIGHUP)
            time.sleep(1)
        (copy / "best.keras").rename(copy / "gone.keras")
        service.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        going_on.set()
        for thread in threads:
            thread.join()
        assert set(answers) == {200}
        answer = httpx.post(f"{service.address}/models/pets/reload", timeout=60)
        assert answer.status_code == 409
        assert str(tmp_path) not in answer.text
        errors = service.end(signal.SIGINT)
    assert service.process.returncode == 0
    assert "opened pets anew" in errors
    assert "pets stays as it was opened before" in errors


@pytest.mark.when_changed("commands")
def test_what_is_in_flight_is_answered_before_the_end(
    small_run: RunFolder, images: list[Path]
) -> None:
    files = [("image", (path.name, path.read_bytes())) for path in images] * 3
    with served(small_run.path) as service, ThreadPoolExecutor(4) as pool:
        address = f"{service.address}/predict"
        asked = [pool.submit(httpx.post, address, files=files, timeout=60) for _ in range(2)]
        while "queue_images" not in (told := httpx.get(f"{service.address}/metrics").text) or (
            'queue_images{model="run"} 0.0' in told
        ):
            if all(each.done() for each in asked):
                break
        service.end()
        answers = [each.result() for each in asked]
    assert [each.status_code for each in answers] == [200, 200]
    assert [len(each.json()["predictions"]) for each in answers] == [len(files)] * 2


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["serve", *map(str, arguments)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_cannot_be_served_is_one_line(
    small_run: RunFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MANYHEADS_TOKEN", raising=False)
    run = small_run.path
    line = refused(capsys, run, "--host", "0.0.0.0")
    assert "expected a token" in line
    assert "--token-file" in line
    assert "MANYHEADS_TOKEN" in line
    short = tmp_path / "token"
    short.write_text("short\n")
    assert "16 letters" in refused(capsys, run, "--token-file", short)
    assert "a file with a token" in refused(capsys, run, "--token-file", tmp_path / "none")
    assert "nothing at" in refused(capsys, tmp_path / "none")
    assert "run twice" in refused(capsys, run, run)
    for option, value in (
        ("--port", "x"), ("--port", "70000"), ("--queue", "0"), ("--timeout", "nan"),
        ("--max-bytes", "lots"), ("--max-bytes", "1"), ("--max-batch", "0"), ("--device", "tpu"),
    ):  # fmt: skip
        assert f"{option}" in refused(capsys, run, option, value), option
    assert "a name of letters" in refused(capsys, tmp_path / "=%")


def test_an_address_in_use_is_one_line(
    small_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", str(small_run.path), "--port", port]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "another program that listens there" in line
    assert "--port" in line


def test_a_missing_extra_says_how_to_install_it(
    small_run: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyheads.web.shared.serve_extra.find_spec", lambda _: None)
    assert "pip install 'manyheads[serve]'" in refused(capsys, small_run.path)


@pytest.mark.when_changed("commands")
def test_with_a_token_every_machine_may_ask(small_run: RunFolder, images: list[Path]) -> None:
    token = "a-token-of-sixteen-letters"
    with served(small_run.path, "--host", "0.0.0.0", MANYHEADS_TOKEN=token) as service:
        address = f"http://127.0.0.1:{service.address.rpartition(':')[2]}"
        content = images[0].read_bytes()
        assert httpx.post(f"{address}/predict", content=content).status_code == 401
        known = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{address}/predict", content=content, headers=known, timeout=60)
        assert answer.status_code == 200
        errors = service.end()
    assert token not in errors + "".join(service.lines)
