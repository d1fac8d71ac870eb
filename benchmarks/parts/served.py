"""A server of models as a process, its clients, and what it is compared with."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.machine import answer

_COMMAND = "import sys; from manyheads.cli.main import main; sys.exit(main())"


@contextmanager
def server(run: str, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """`manyheads serve` at a free port: its address, and the number of its process."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _COMMAND, "serve", run, "--port", "0"],
        env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Stop"):
                break
        found = re.search(r"http://[\w.:]+", said)
        assert found is not None, said
        yield found[0], process.pid
    finally:
        process.terminate()
        process.communicate()


def resident(process: int) -> int:
    """Bytes of memory that a process has now (on Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def streamed(run: str, files: list[str]) -> dict[str, float]:
    """Images a second of `Classifier.stream` without a cache, after a first batch."""
    from manyheads import load

    model = load(run)
    list(model.stream(files[:32], cache=False))
    started = time.perf_counter()
    found = sum(entry.error is None for entry in model.stream(files, cache=False))
    return {"rate": found / (time.perf_counter() - started)}


def asked(address: str, files: list[str], clients: int, count: int) -> dict[str, Any]:
    """Images a second, and seconds of each answer, of so many clients that each wait for theirs.

    Together they send `count` images, in turn those of `files`, which are read before.
    """
    bodies = [Path(file).read_bytes() for file in files]
    turns = iter(range(count + 2 * clients))
    taken: list[float] = []
    statuses: set[int] = set()
    lock = threading.Lock()

    def ask(connection: HTTPConnection, number: int) -> float:
        began = time.perf_counter()
        headers = {"Content-Type": "application/octet-stream"}
        connection.request("POST", "/predict", bodies[number % len(bodies)], headers)
        response = connection.getresponse()
        response.read()
        statuses.add(response.status)
        return time.perf_counter() - began

    at = urlsplit(address)
    starting = threading.Barrier(clients + 1)

    def client() -> None:
        connection = HTTPConnection(at.hostname or "", at.port or 80, timeout=300)
        for number in range(2):
            ask(connection, number)
        starting.wait()
        while True:
            with lock:
                number = next(turns, None)
            if number is None or number >= count:
                return
            took = ask(connection, number)
            with lock:
                taken.append(took)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    starting.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    assert statuses == {200}, statuses
    ordered = sorted(taken)
    return {
        "rate": len(taken) / seconds,
        "median": ordered[len(ordered) // 2],
        "slow": ordered[int(0.99 * (len(ordered) - 1))],
    }


def listed(data: str, count: int) -> list[str]:
    """The first `count` files of a data set."""
    from manyheads.data.dataset import open_dataset

    return [str(path) for path in islice(open_dataset(data).paths, count)]


if __name__ == "__main__":
    answer(globals())
