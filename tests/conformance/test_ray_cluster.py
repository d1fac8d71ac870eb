"""Workers of a Ray cluster that is there before: joined, refused, with a node or the head lost."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.programs,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]
ROOT = Path(__file__).parents[2]
# In a process of its own, because Ray decides about tokens when it is imported.
_DRIVER = """
import sys
from manyheads.errors import ManyheadsError
from manyheads.workers.opening import opened_workers
from tests import worker_tasks
address, units, pause = sys.argv[1:]
try:
    with opened_workers(address) as workers:
        print(workers.words, flush=True)
        found = workers.map(worker_tasks.with_pid, float(pause), range(int(units)))
        for number, (unit, pid) in found:
            assert number == unit
            print("unit", unit, pid, flush=True)
except ManyheadsError as error:
    print("refused", error, flush=True)
"""


class Cluster:
    """A head and nodes, which are processes of this machine, of one core each."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="mhc-")
        self.port, self.client_port = (free_port() for _ in range(2))
        self.environment = os.environ | {
            "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        }  # fmt: skip
        self.started = [
            self.start(
                "--head", f"--port={self.port}", f"--ray-client-server-port={self.client_port}",
                "--include-dashboard=false", f"--temp-dir={self.folder}",
            )
        ]  # fmt: skip
        deadline = time.monotonic() + 60
        while not all(map(answers, (self.port, self.client_port))):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
        common = ["--num-cpus=1", "--disable-usage-stats", "--object-store-memory=100000000"]
        return subprocess.Popen(
            [*command, *common], env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def add_node(self) -> subprocess.Popen[bytes]:
        self.started.append(self.start(f"--address=127.0.0.1:{self.port}"))
        return self.started[-1]

    def driver(self, address: str, units: int, pause: float, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _DRIVER, address, str(units), str(pause)], cwd=ROOT, text=True,
            env=self.environment | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def end(self, node: subprocess.Popen[bytes]) -> None:
        """Kill a node, all its processes at once."""
        for pid in descendants(node.pid):
            with_pid_killed(pid)
        node.wait()

    def close(self) -> None:
        for node in reversed(self.started):
            if node.poll() is None:
                self.end(node)
        shutil.rmtree(self.folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """A process and those that it has started, with theirs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in descendants(int(child)))]


def with_pid_killed(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port() -> int:
    """A port that Ray gives to no worker."""
    chance = secrets.SystemRandom()
    while True:
        port = chance.randrange(7000, 9900)
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port


def answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    opened = Cluster()
    yield opened
    opened.close()


def units_of(output: str) -> list[int]:
    return [int(line.split()[1]) for line in output.splitlines() if line.startswith("unit ")]


def test_a_cluster_is_joined_by_either_address_and_refuses_another_token(
    cluster: Cluster,
) -> None:
    direct, client = f"127.0.0.1:{cluster.port}", f"ray://127.0.0.1:{cluster.client_port}"
    for address in (direct, client):
        output, complaints = cluster.driver(address, 4, 0.01).communicate(timeout=120)
        assert f"the Ray cluster {address}, 1 node, 1 core" in output
        assert sorted(units_of(output)) == [0, 1, 2, 3], complaints
    for address in (direct, client):
        other = cluster.driver(address, 4, 0.01, RAY_AUTH_TOKEN=secrets.token_hex(32))
        output, complaints = other.communicate(timeout=120)
        assert "lets nobody in" in output, (output, complaints)
        assert "RAY_AUTH_TOKEN_PATH" in output
        assert len(output.splitlines()) == 1
        assert "Unauthenticated" not in complaints


def test_a_lost_node_costs_what_it_had_in_flight(cluster: Cluster) -> None:
    node = cluster.add_node()
    address = f"127.0.0.1:{cluster.port}"
    deadline = time.monotonic() + 60
    while "2 nodes" not in cluster.driver(address, 0, 0).communicate()[0]:
        assert time.monotonic() < deadline
    driver = cluster.driver(address, 60, 0.2)
    assert driver.stdout is not None
    lines: list[str] = []
    while len({line.split()[2] for line in lines if line.startswith("unit")}) < 2:
        lines.append(driver.stdout.readline())
    cluster.end(node)
    output, complaints = driver.communicate(timeout=120)
    found = units_of("".join(lines) + output)
    assert sorted(found) == list(range(60)), complaints
    assert "raylet" not in output + complaints


def test_a_lost_head_is_one_line(cluster: Cluster) -> None:
    driver = cluster.driver(f"127.0.0.1:{cluster.port}", 1000, 0.1)
    assert driver.stdout is not None
    while not driver.stdout.readline().startswith("unit"):
        pass
    cluster.end(cluster.started[0])
    lost = time.monotonic()
    output, complaints = driver.communicate(timeout=120)
    assert time.monotonic() - lost < 60
    last = output.splitlines()[-1]
    assert last.startswith("refused expected the Ray cluster"), (output, complaints)
    assert "repeat the command" in last
