"""The limit of memory, as a user writes it."""

from __future__ import annotations

import os

import pytest

from manyheads.data.image_memory import memory_for, memory_limit
from manyheads.errors import ImageLimitError, SettingError


@pytest.mark.parametrize(
    ("text", "limit"),
    [("", 2**31), ("4G", 2**32), ("1.5 GiB", 3 * 2**29), ("500m", 500 * 2**20), ("4096", 4096),
     ("2T", 2**41), ("64kB", 2**16)],
)  # fmt: skip
def test_forms(monkeypatch: pytest.MonkeyPatch, text: str, limit: int) -> None:
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", text)
    assert memory_limit() == limit


@pytest.mark.parametrize("text", ["much", "-1", "0", "4X", "G"])
def test_what_is_no_size(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", text)
    with pytest.raises(SettingError, match="MANYHEADS_IMAGE_MEMORY to be a number of bytes"):
        memory_limit()


def test_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", "1M")
    for _ in range(3):
        with pytest.raises(RuntimeError), memory_for(2**20, "a", "pixels"):
            raise RuntimeError
    with pytest.raises(ImageLimitError), memory_for(2**20 + 1, "a", "pixels"):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.timeout(30)
def test_a_fork_waits_for_no_thread_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_IMAGE_MEMORY", "1M")
    with memory_for(2**20, "a", "pixels"):
        child = os.fork()
        if not child:
            with memory_for(2**20, "a", "pixels"):
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
