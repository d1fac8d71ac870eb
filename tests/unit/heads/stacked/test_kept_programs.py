"""Compiled programs are kept: found again, not trusted where they are damaged, the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("jax")

import jax
from jax.experimental.compilation_cache import compilation_cache

from manyheads.heads.stacked import kept_programs
from manyheads.heads.stacked.kept_programs import keep_programs
from manyheads.heads.stacked.stacked_engine import StackedEngine
from manyheads.heads.stacked.tiles import Capacity
from tests.banks import generated_fold, same, settings, train

pytestmark = pytest.mark.when_changed("stacked engine")

CONFIG: Any = jax.config
PROCESSOR: Any = SimpleNamespace(platform="cpu")


@pytest.fixture
def undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache folder of a process in which JAX keeps nothing yet."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(CONFIG, name) for name in names}
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    CONFIG.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()
    yield tmp_path / "cache"
    for name, value in before.items():
        CONFIG.update(name, value)
    compilation_cache.reset_cache()
    jax.clear_caches()


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The events that JAX tells of itself."""
    events: list[str] = []

    def listen(event: str, **_: str | int) -> None:
        events.append(event)

    jax.monitoring.register_event_listener(listen)
    yield events
    jax.monitoring.unregister_event_listener(listen)


def test_a_second_process_compiles_nothing_and_trains_the_same_bits(
    undecided: Path, heard: list[str]
) -> None:
    fold, head = generated_fold(), [settings(droprate=0.5)]

    def trained() -> Any:
        jax.clear_caches()  # as a new process has it
        compilation_cache.reset_cache()
        heard.clear()
        return train(StackedEngine(Capacity(lanes=1, parameters=4096, call=1 << 40)), head, [fold])

    first = trained()
    kept = sorted(undecided.glob("jax/*/jit_train_steps*-cache"))
    assert len(kept) == 1
    again = trained()
    assert same(first[0], again[0])
    assert "/jax/compilation_cache/cache_hits" in heard
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # as a kill in the middle leaves it
    assert same(first[0], trained()[0])


def test_each_kind_of_processor_has_its_own(
    undecided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    for name, count in (("avx2", 2), ("avx2, avx512f", 2), ("avx2", 1)):
        monkeypatch.setattr(kept_programs, "processor", lambda name=name: name)
        monkeypatch.setattr(kept_programs, "cores", lambda count=count: count)
        CONFIG.update("jax_compilation_cache_dir", None)
        keep_programs(PROCESSOR)
        folders.append(Path(CONFIG.jax_compilation_cache_dir))
    assert len(set(folders)) == 3
    assert {folder.parent for folder in folders} == {undecided / "jax"}
    CONFIG.update("jax_compilation_cache_dir", None)
    keep_programs(SimpleNamespace(platform="gpu"))
    assert Path(CONFIG.jax_compilation_cache_dir) == undecided / "jax"


def test_a_folder_that_the_user_has_named_stays(undecided: Path, tmp_path: Path) -> None:
    CONFIG.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    keep_programs(PROCESSOR)
    assert CONFIG.jax_compilation_cache_dir == str(tmp_path / "mine")
    assert not undecided.exists()
