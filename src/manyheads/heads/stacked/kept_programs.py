"""Compiled programs are kept from one command to the next, by JAX, in the cache folder."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import jax

from manyheads.core.machine import cores, processor
from manyheads.core.places import scratch_dir
from manyheads.core.settings import digest
from manyheads.errors import DiskError

_WORTH_KEEPING = 0.1  # seconds of compiling; JAX keeps what takes one, and most here takes less


def keep_programs(device: Any) -> None:
    """Let JAX keep what it compiles for `device`, unless the user has named a folder for that.

    JAX finds a program by what it computes, by its options and by the versions. What is compiled
    for a processor also depends on its vector instructions and its cores: each kind of machine that
    shares a cache has a folder of its own. An entry that is damaged is compiled again.
    """
    config: Any = jax.config
    if config.jax_compilation_cache_dir is not None:
        return
    # JAX warns of entries that it cannot read or write, and goes on without them.
    warnings.filterwarnings("ignore", message=".*persistent compilation cache")
    with suppress(DiskError):
        folder = scratch_dir("jax")
        if device.platform == "cpu":
            folder /= digest([processor(), cores()])[:16]
        config.update("jax_compilation_cache_dir", str(folder))
        config.update("jax_persistent_cache_min_compile_time_secs", _WORTH_KEEPING)
