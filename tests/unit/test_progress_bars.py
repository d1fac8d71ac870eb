"""Progress of long calls: in a terminal, in a notebook, to a function, and nowhere else."""

from __future__ import annotations

import io
import sys
import types
from contextlib import nullcontext
from typing import Any

import pytest
from rich.console import Console

from manyheads import extract
from manyheads.api import progress_bars
from manyheads.api.progress_bars import reported
from manyheads.core.job import Progress
from tests.small_study import small_images


@pytest.mark.when_changed("studies")
def test_a_function_is_told_every_step(tmp_path) -> None:
    told: list[tuple[str, int, int]] = []
    small_images(tmp_path / "photos")
    how: dict[str, Any] = {"backbone": "mobilenet", "weights": "random:0", "image_size": 33}
    seen = extract(tmp_path / "photos", progress=lambda *step: told.append(step), **how)
    assert seen.features.shape == (33, 1024)
    assert told
    assert {step for step, _, _ in told} >= {"reading", "extracting", "loading mobilenet"}
    assert told.index(("loading mobilenet", 0, 1)) < told.index(("loading mobilenet", 1, 1))
    assert told[-1][1] == told[-1][2] == seen.passes
    told.clear()
    assert extract(tmp_path / "photos", progress=False, **how).passes == 0


@pytest.mark.parametrize("progress", [True, False])
def test_a_script_is_silent(progress: bool, capfd: pytest.CaptureFixture[str]) -> None:
    with reported(progress) as job:
        job.progress("extracting", 1, 2)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_a_bar_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=80)
    with progress_bars._terminal(terminal) as show:
        show(Progress("preparing xception", 0, 1, ""))
        show(Progress("preparing xception", 1, 1, ""))
        show(Progress("extracting", 1, 2, "images"))
        show(Progress("extracting", 2, 2, "images"))
        show(Progress("training", 3, 4, "epochs of heads"))
    last = screen.getvalue().rsplit("extracting", 1)[1]
    assert "preparing" not in last
    assert "2/2" in last
    assert "training" in last
    assert "3/4" in last

    monkeypatch.setattr("rich.console.Console", lambda **_: terminal)
    shown: list[object] = []
    monkeypatch.setattr(progress_bars, "_terminal", lambda _: nullcontext(shown.append))
    for progress in (True, False):
        with reported(progress) as job:
            job.progress("extracting", 1, 2)
    assert shown == [Progress("extracting", 1, 2, "images")]


def test_a_notebook_changes_one_page_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []

    class Handle:
        def update(self, page: str) -> None:
            pages[-1] = page

    def display(page: str, *, display_id: bool) -> Handle:
        assert display_id
        pages.append(page)
        return Handle()

    fake: Any = types.ModuleType("IPython.display")
    fake.HTML, fake.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)

    monkeypatch.setattr("rich.console.Console", lambda **_: Console(force_jupyter=True))
    with reported(True) as job:
        job.progress("extracting", 1, 3)
        job.progress("extracting", 2, 3)  # too soon after the one before
        assert pages == ['extracting <progress value="1" max="3"></progress> 1/3']
        job.progress("extracting", 3, 3)
        job.progress("comparing", 4, 4)
        with job.step("preparing xception"):
            assert pages[0].endswith("<br>preparing xception <progress></progress>")
    assert pages == [
        'extracting <progress value="3" max="3"></progress> 3/3<br>'
        'comparing <progress value="4" max="4"></progress> 4/4'
    ]
