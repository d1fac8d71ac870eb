"""What this process may use of its machine: cores and memory, within the limits of its container.

A container's share is a control group's: a quota of processor time, and a limit on memory. Both
versions of control groups are read, and every group above the process's own, because the least
limit holds. Neither `os.cpu_count` nor the libraries that start threads look there.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from functools import cache
from pathlib import Path

# How libraries are told the number of their threads, before they are imported: OpenMP (PyTorch and
# scikit-learn), OpenBLAS, MKL, Numba, TensorFlow, and XLA (JAX).
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC"),
)
CORES = "MANYHEADS_CORES"
"""The variable with the number of cores that a process may use, where that is not all it could."""

_VECTORS = ("avx512_bf16", "amx_bf16", "avx512_vnni", "avx512f", "avx_vnni", "avx2", "avx", "asimd")
_ROOT = Path("/")
_CPU, _MEMORY = "cpu", "memory"


def cores() -> int:
    """The cores that this process may use.

    Those it may run on, no more than its quota, and its own share, if `use_cores` has given it one.
    """
    found = quota_cores(affinity_cores(), cpu_quota())
    given = os.environ.get(CORES, "")
    share = int(given) if given.isdecimal() and int(given) else found
    return min(share, found)


def has_share() -> bool:
    """Whether this process may use fewer cores than it could run on."""
    return cores() < affinity_cores()


def use_cores(count: int) -> None:
    """Let this process, and those that it starts, use so many cores; before libraries are loaded.

    Those whose number of threads is not given to them by manyheads read it from the environment.
    """
    os.environ |= {CORES: str(count)} | dict.fromkeys(THREAD_VARIABLES, str(count))


def affinity_cores() -> int:
    """The cores that the system lets this process run on, whatever its share of their time."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota_cores(affinity: int, quota: float | None) -> int:
    """The cores worth using: `affinity`, or the `quota` rounded up if that is less; at least 1."""
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota - 1e-6)))


@cache
def cpu_quota(root: Path = _ROOT) -> float | None:
    """The seconds of processor time that this process may use in a second; None without a limit.

    `root` is the folder in which `proc` and the control groups are mounted. Read once.
    """
    shares = []
    for folder in _groups(root, _CPU):
        found = _numbers(folder / "cpu.max") or [
            *_numbers(folder / "cpu.cfs_quota_us"),
            *_numbers(folder / "cpu.cfs_period_us"),
        ]
        if len(found) == 2 and min(found) > 0:
            shares.append(found[0] / found[1])
    return min(shares, default=None)


@cache
def memory(root: Path = _ROOT) -> int:
    """The bytes of memory that this process may use; 0 where the system does not tell.

    The machine's memory, or the least limit of the control groups, found below `root`. Read once.
    """
    limits = [_physical_memory(root)]
    for folder in _groups(root, _MEMORY):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += _numbers(folder / name)
    return min((limit for limit in limits if limit > 0), default=0)


def library_threads() -> int:
    """How many threads to ask of a library: `cores()` where that is less, else 0, its own choice.

    Libraries see the cores that they may run on and not the quota: on 64 cores they would start 64
    threads that share the time of two.
    """
    return cores() if has_share() else 0


def limit_threads(environment: MutableMapping[str, str]) -> None:
    """Set the variables of `THREAD_VARIABLES` to `library_threads()`, unless it is 0.

    What the user has set in the `environment` stays.
    """
    if threads := library_threads():
        for name in THREAD_VARIABLES:
            environment.setdefault(name, str(threads))


def processor() -> str:
    """The processor's model and its vector instructions: what may decide the bits of a sum."""
    name, flags = platform.processor() or platform.machine(), ""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "model name":
                name = value
            elif key in ("flags", "Features"):
                flags = value
                break
    words = flags.split()
    return ", ".join([name, *(each for each in _VECTORS if each in words)])


def _physical_memory(root: Path) -> int:
    with suppress(OSError, ValueError):
        for line in (root / "proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError, ValueError, AttributeError):  # macOS
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the groups of this process that may limit what `controller` shares out.

    Of each hierarchy the own group and all above it, as far as they are mounted here.
    """
    memberships = _memberships(root)
    for inner, mounted, kind, controllers in _mounts(root):
        if kind == "cgroup2":
            group = memberships.get("")
        elif controller in controllers:
            group = memberships.get(controller)
        else:
            continue
        if group is None:
            continue
        top = root / mounted.lstrip("/")
        # A container may see its own group as the top, and be told the path outside.
        below = os.path.relpath(group, inner)
        folder = top if below.startswith("..") else Path(os.path.normpath(top / below))
        while True:
            if folder.is_dir():
                yield folder
            if folder == top:
                break
            folder = folder.parent


def _memberships(root: Path) -> dict[str, str]:
    """The path of this process's group by controller; that of version 2 by the empty name."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, names, path = line.split(":", 2)
            found |= dict.fromkeys(names.split(","), path)
    return found


def _mounts(root: Path) -> Iterator[tuple[str, str, str, set[str]]]:
    """Of each mounted hierarchy: its top group, the folder, the version, and its controllers."""
    with suppress(OSError):
        for line in (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
            place, _, system = line.partition(" - ")
            kind, _, options = system.partition(" ")
            if kind in ("cgroup", "cgroup2"):
                inner, mounted = place.split(" ")[3:5]
                yield inner, mounted, kind, set(options.split(" ")[-1].split(","))


def _numbers(file: Path) -> list[int]:
    """The numbers in a file of a control group; none if it is missing or says that all is free."""
    with suppress(OSError, ValueError):
        return [int(word) for word in file.read_text(encoding="utf-8").split()]
    return []
