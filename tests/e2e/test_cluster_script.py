"""`scripts/cluster`: a Ray cluster whose nodes can be lost, and what a map over it gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "cluster"

Cluster = Callable[..., subprocess.CompletedProcess[str]]

# Loses a node once units have come back.
PROGRAM = """
import subprocess, sys
from collections import Counter
from manyheads.workers.opening import opened_workers
from tests.worker_tasks import with_pid
address, script = sys.argv[1:]
seen = Counter()
with opened_workers(address) as workers:
    for number, _ in workers.map(with_pid, 0.1, range(60)):
        seen[number] += 1
        if len(seen) == 10:
            print("ten", flush=True)
            sys.stdin.readline()
print("each once", sorted(seen) == list(range(60)) and set(seen.values()) == {1})
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """The script, with a folder of its own; the cluster ends with the test."""
    folder = Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp"))  # short, for sockets' names
    folder.rmdir()
    environment = {
        **os.environ, "CLUSTER_FOLDER": str(folder), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "CLUSTER_PORT": str(7000 + os.getpid() % 2500),
        "RAY": str(Path(sys.executable).with_name("ray")),
    }  # fmt: skip

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), *arguments],
            env=environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip

    run.environment = environment  # pyright: ignore[reportFunctionMemberAccess]
    yield run
    run("down")
    assert not folder.exists()


def test_without_a_word_it_says_what_it_does(cluster: Cluster) -> None:
    done = cluster()
    assert done.returncode == 2
    assert done.stdout.startswith("A Ray cluster on this machine")


def test_without_a_cluster_it_says_so_in_one_line(cluster: Cluster) -> None:
    for arguments in (["status"], ["run", "true"], ["kill", "1"]):
        done = cluster(*arguments)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.slow
@pytest.mark.programs
@pytest.mark.parametrize("kind", [[], ["--plain"]], ids=["namespaces if they can be", "plain"])
def test_a_lost_node_loses_nothing(cluster: Cluster, kind: list[str]) -> None:
    pytest.importorskip("ray")
    if shutil.which("ip") is None:
        kind = ["--plain"]
    done = cluster("up", "2", *kind)
    assert done.returncode == 0, done.stderr
    address = done.stdout.split()[-1]
    with subprocess.Popen(
        [str(SCRIPT), "run", sys.executable, "-c", PROGRAM, address, str(SCRIPT)],
        env=cluster.environment,  # pyright: ignore[reportFunctionMemberAccess]
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as driver:  # fmt: skip
        assert driver.stdin is not None
        assert driver.stdout is not None
        assert any("ten" in line for line in driver.stdout)
        assert cluster("kill", "2").returncode == 0
        driver.stdin.write("\n")
        driver.stdin.close()
        assert "each once True" in driver.stdout.read()
    assert "2 " in cluster("status").stdout
    assert cluster("start", "2").returncode == 0
