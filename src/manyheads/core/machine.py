"""What this machine is, and how much of it this process may use."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

CORES = "MANYHEADS_CORES"
"""The variable with the number of cores that a process may use, where that is not all it could."""

_VECTORS = ("avx512_bf16", "amx_bf16", "avx512_vnni", "avx512f", "avx_vnni", "avx2", "avx", "asimd")


def cores() -> int:
    """The cores that this process may use: its own share, if `use_cores` has given it one."""
    given = os.environ.get(CORES, "")
    share = int(given) if given.isdecimal() and int(given) else None
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    return there if share is None else min(share, there)


def has_share() -> bool:
    """Whether this process may use fewer cores than the machine has."""
    return cores() < (os.cpu_count() or 1)


def use_cores(count: int) -> None:
    """Let this process, and those that it starts, use so many cores; before libraries are loaded.

    Those whose number of threads is not given to them by manyheads read it from the environment.
    """
    os.environ[CORES] = str(count)
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(count)


def memory() -> int:
    """The bytes of memory that this machine has; 0 if that is unknown."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


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
