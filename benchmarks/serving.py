"""Does `manyheads serve` answer as many images a second as `predict` does?

    python -m benchmarks serving      an hour on two cores; with --quick, ten minutes

The same photographs through `Classifier.stream` and through a server with 32 clients on the same
machine, by turns, each without a cache of features. Then single clients, the start, and the memory
of a server over very many requests.
"""

from __future__ import annotations

import os
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.machine import (
    fresh_cache,
    gib,
    middle,
    parser,
    part,
    photographs,
    show,
    table,
    write_result,
)  # fmt: skip
from benchmarks.parts.served import listed, resident, server

CLIENTS = (1, 8, 32, 64)


def main() -> None:
    args = parser("A server beside predictions.").parse_args()
    data = photographs(args.data)
    images, turns, small = (320, 2, 5_000) if args.quick else (1_600, 5, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        cache = fresh_cache(Path(folder, "cache"))
        environment = {**os.environ, **cache}
        run = part("parts.predicting.model", cache, out=str(Path(folder, "run")))
        files = listed(str(data), images)
        lines = rates(run, files, turns, environment)
        lines += starts(run, files[0], 3 if args.quick else 9, environment)
        light = str(Path(folder, "light"))
        part("parts.predicting.small_model", cache, out=light, backbone="mobilenet", size=32)
        lines += memory(light, files[0], small, environment)
    write_result(args.results, "serving", lines)


def rates(run: str, files: list[str], turns: int, environment: dict[str, str]) -> list[str]:
    """Images a second by turns, and their ratio; and how long an answer takes."""
    rows: list[tuple[str, ...]] = [
        ("turn", "predict, images/s", "served to 32 clients, images/s", "its share")
    ]
    both: list[tuple[float, float]] = []
    served: dict[int, dict[str, float]] = {}
    for turn in range(1, turns + 1):
        alone = part("parts.served.streamed", environment, run=run, files=files)["rate"]
        with server(run, environment) as (address, _):
            found = _asked(address, files, 32)
        both.append((alone, found["rate"]))
        served[32] = found
        show(f"predict {alone:.1f}/s, served {found['rate']:.1f}/s")
        rows.append(
            (f"{turn}", f"{alone:.1f}", f"{found['rate']:.1f}", f"{found['rate'] / alone:.0%}")
        )
    share = sum(1 / a for a, _ in both) / sum(1 / s for _, s in both)
    delays: list[tuple[str, ...]] = [("clients", "images/s", "median, ms", "99 % within, ms")]
    with server(run, environment) as (address, _):
        for clients in CLIENTS:
            if clients not in served:
                few = files[: 8 * max(clients, 4)]
                served[clients] = _asked(address, few, clients)
    for clients, found in sorted(served.items()):
        ms = (1000 * found["median"], 1000 * found["slow"])
        delays.append((f"{clients}", f"{found['rate']:.1f}", f"{ms[0]:.0f}", f"{ms[1]:.0f}"))
    return [
        "## Images a second: Xception at 150 × 150",
        "",
        *table(rows),
        "",
        f"Over all turns the server answers at {share:.1%} of the rate of `predict`, on the same "
        f"{len(files):,} photographs, one in a request. The clients are on the same machine and "
        "take their part of it.",
        "",
        "## How long an answer takes",
        "",
        *table(delays),
        "",
    ]


def starts(run: str, file: str, times: int, environment: dict[str, str]) -> list[str]:
    """Seconds from the start of the program to the first answers."""
    listening, answered = [], []
    body = Path(file).read_bytes()
    for _ in range(times):
        started = time.perf_counter()
        with server(run, environment) as (address, _):
            _request(address, "GET", "/healthz", b"")
            listening.append(time.perf_counter() - started)
            _request(address, "POST", "/predict", body)
            answered.append(time.perf_counter() - started)
    show(f"healthz after {middle(listening):.2f} s, a photograph after {middle(answered):.2f} s")
    return [
        "## The start, from the compiled cache",
        "",
        f"`/healthz` answers {middle(listening):.2f} s after the program is started, and the first "
        f"photograph is answered after {middle(answered):.2f} s (medians of {times}).",
        "",
    ]


def memory(run: str, file: str, count: int, environment: dict[str, str]) -> list[str]:
    """Memory of a server after ever more requests of one image each."""
    rows: list[tuple[str, ...]] = [("requests", "memory", "images/s")]
    with server(run, environment) as (address, process):
        done = 0
        for upto in (count // 100, count // 10, count // 2, count):
            found = _asked(address, [file], 32, upto - done)
            done = upto
            show(f"{done:,} requests: {gib(resident(process))}")
            rows.append((f"{done:,}", gib(resident(process)), f"{found['rate']:.0f}"))
    return [
        "## Memory over many requests: MobileNet at 32 × 32",
        "",
        *table(rows),
        "",
    ]


def _asked(
    address: str, files: list[str], clients: int, count: int | None = None
) -> dict[str, float]:
    how = {"address": address, "files": files, "clients": clients, "count": count or len(files)}
    return part("parts.served.asked", None, **how)


def _request(address: str, method: str, path: str, body: bytes) -> None:
    at = urlsplit(address)
    connection = HTTPConnection(at.hostname or "", at.port or 80, timeout=300)
    connection.request(method, path, body, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()


if __name__ == "__main__":
    main()
