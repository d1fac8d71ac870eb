"""Cores and memory: the least limit of the control groups holds, of either version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.core import machine

VERSION_2 = "25 20 0:22 {inner} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate"
VERSION_1 = (
    "31 30 0:28 {inner} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:29 {inner} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
)
NO_LIMIT = "9223372036854771712"  # as version 1 writes it


def made_up(root: Path, groups: str, mounts: str, files: dict[str, str]) -> Path:
    """A system below `root` in which this process is in `groups`."""
    process = root / "proc/self"
    process.mkdir(parents=True)
    (process / "cgroup").write_text(groups + "\n")
    (process / "mountinfo").write_text(f"20 1 0:19 / / rw - ext4 /dev/x rw\n{mounts}\n")
    (root / "proc/meminfo").write_text("MemTotal:       65536000 kB\nMemFree: 1 kB\n")
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return root


def version_2(root: Path, files: dict[str, str], group: str = "/a/b", inner: str = "/") -> Path:
    """One of version 2."""
    (root / f"sys/fs/cgroup{group}").mkdir(parents=True)
    return made_up(root, f"0::{group}", VERSION_2.format(inner=inner), files)


def version_1(root: Path, files: dict[str, str], group: str = "/a/b", inner: str = "/") -> Path:
    """One of version 1."""
    for name in ("cpu,cpuacct", "memory"):
        (root / f"sys/fs/cgroup/{name}{group if inner == '/' else ''}").mkdir(parents=True)
    groups = f"4:memory:{group}\n2:cpu,cpuacct:{group}\n1:name=systemd:{group}"
    return made_up(root, groups, VERSION_1.format(inner=inner), files)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"a/b/cpu.max": "max 100000"}, None),
        ({"a/b/cpu.max": "200000 100000"}, 2.0),
        ({"a/b/cpu.max": "50000 100000"}, 0.5),
        ({"a/b/cpu.max": "400000 100000", "a/cpu.max": "150000 100000"}, 1.5),
        ({"a/b/cpu.max": "100000 100000", "a/cpu.max": "800000 100000"}, 1.0),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "30000 10000", "cpu.max": "9 1"}, 3.0),
        ({"a/c/cpu.max": "10000 100000"}, None),  # another process's
        ({"a/b/cpu.max": ""}, None),
        ({"a/b/cpu.max": "what is this"}, None),
    ],
)
def test_the_least_quota_of_all_parents_in_version_2(
    files: dict[str, str], quota: float | None, tmp_path: Path
) -> None:
    assert machine.cpu_quota(version_2(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("own", "parent", "quota"),
    [("-1", "-1", None), ("250000", "-1", 2.5), ("-1", "100000", 1.0), ("300000", "200000", 2.0)],
)
def test_the_least_quota_of_all_parents_in_version_1(
    own: str, parent: str, quota: float | None, tmp_path: Path
) -> None:
    files = {
        "cpu,cpuacct/a/b/cpu.cfs_quota_us": own,
        "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000",
        "cpu,cpuacct/a/cpu.cfs_quota_us": parent,
        "cpu,cpuacct/a/cpu.cfs_period_us": "100000",
    }
    assert machine.cpu_quota(version_1(tmp_path, files)) == quota


@pytest.mark.parametrize("inner", ["/docker/abc", "/"])
def test_a_container_that_sees_its_own_group_as_the_top(inner: str, tmp_path: Path) -> None:
    """Its group's path is the one outside; the folder with the limits is where it is mounted."""
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "200000",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": str(2**30),
    }
    root = version_1(tmp_path, files, group="/docker/abc", inner=inner)
    assert machine.cpu_quota(root) == 2.0
    assert machine.memory(root) == 2**30


def test_a_group_outside_of_what_is_mounted(tmp_path: Path) -> None:
    root = version_2(tmp_path, {"cpu.max": "200000 100000"}, group="/../../outside")
    assert machine.cpu_quota(root) == 2.0


@pytest.mark.parametrize(
    ("own", "parent", "wanted"),
    [
        ("max", "max", 65536000 * 1024),
        (str(2**31), "max", 2**31),
        ("max", str(2**30), 2**30),
        (str(2**40), NO_LIMIT, 65536000 * 1024),  # more than there is
    ],
)
def test_the_least_of_memory_and_its_limits(
    own: str, parent: str, wanted: int, tmp_path: Path
) -> None:
    second = version_2(tmp_path / "2", {"a/b/memory.max": own, "a/memory.max": parent})
    assert machine.memory(second) == wanted
    none = {"max": NO_LIMIT}
    first = version_1(
        tmp_path / "1",
        {
            "memory/a/b/memory.limit_in_bytes": none.get(own, own),
            "memory/a/memory.limit_in_bytes": none.get(parent, parent),
        },
    )
    assert machine.memory(first) == wanted


def test_a_system_without_groups(tmp_path: Path) -> None:
    assert machine.cpu_quota(tmp_path) is None
    assert machine.memory(tmp_path) > 0 or not hasattr(os, "sysconf")


@pytest.mark.parametrize(
    ("affinity", "quota", "wanted"),
    [(64, None, 64), (64, 2.0, 2), (64, 1.2, 2), (64, 0.1, 1), (2, 8.0, 2), (4, 3.0000000001, 3)],
)
def test_a_quota_is_rounded_up(affinity: int, quota: float | None, wanted: int) -> None:
    assert machine.quota_cores(affinity, quota) == wanted


def test_libraries_are_told_only_under_a_quota_and_what_is_set_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free: dict[str, str] = {}
    monkeypatch.setattr(machine, "cpu_quota", lambda: None)
    machine.limit_threads(free)
    assert free == {}
    assert machine.library_threads() == 0

    monkeypatch.setattr(machine, "affinity_cores", lambda: 64)
    monkeypatch.setattr(machine, "cpu_quota", lambda: 2.0)
    told = {"OMP_NUM_THREADS": "1"}
    machine.limit_threads(told)
    assert told == dict.fromkeys(machine.THREAD_VARIABLES, "2") | {"OMP_NUM_THREADS": "1"}


COUNTED = """
import os
from manyheads.core import machine
machine.affinity_cores, machine.cpu_quota = lambda: 64, lambda: 3.0
from manyheads.core import places, openvino_runtime
from manyheads.heads.fused import blocks
import numba
assert numba.config.NUMBA_NUM_THREADS == 3, numba.config.NUMBA_NUM_THREADS
core = openvino_runtime.core()
assert core.get_property("CPU", "INFERENCE_NUM_THREADS") == 3
assert not core.get_property("CPU", "ENABLE_CPU_PINNING")
assert core.get_property("CPU", "INFERENCE_PRECISION_HINT").to_string() == "f32"  # AMX: bfloat16
from manyheads.core import threads
import threading
list(threads.map_in_threads(lambda item: threading.get_ident(), range(9), what="it"))
assert os.environ["TF_NUM_INTRAOP_THREADS"] == os.environ["NPROC"] == "3"
print("well")
"""


def test_two_cores_of_many_start_as_many_threads() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in machine.THREAD_VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", COUNTED], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr
