"""Figures for papers, as PNG and SVG."""

from __future__ import annotations

import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy.sparse import csr_array

from manyheads.findings.held_out_scores import ClassRecall
from manyheads.report import figure_files, fonts
from manyheads.report.content import ReportContent
from manyheads.report.differences import comparison_plots
from manyheads.report.figure_files import write_figures
from manyheads.report.parts import Classes, Compared
from manyheads.stats.comparisons import Comparisons, Margins
from tests.reports import bare_report, comparison, made_up_report

NAMES = ("scores", "comparisons", "curves", "reliability", "confusion")


def test_an_interval_that_goes_on_beyond_the_plot_has_an_arrow() -> None:
    entries = tuple(comparison("accuracy", 0.01, wide) for wide in (0.01, 0.02, 0.03, 40))
    compared = Compared(family=Comparisons(entries, Margins()), names={1: "a", 2: "b"})
    (axes,) = figure_files._comparisons(comparison_plots(compared)).axes
    marks = [line.get_marker() for line in axes.get_lines()]
    assert (marks.count("<"), marks.count(">")) == (1, 1)


@pytest.mark.when_changed("pages")
@pytest.mark.parametrize(
    "content",
    [
        made_up_report(),
        made_up_report(candidates=30, epochs=150, classes=40, wrong=0),
        made_up_report(prefix="_$x_{\\q 猫\0<b>& ", epochs=1, trials=1),
    ],
)
def test_every_figure_is_written_twice(tmp_path: Path, content: ReportContent) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = write_figures(tmp_path / "figures", content)
    figures = [f"{name}.{suffix}" for name in NAMES for suffix in ("png", "svg")]
    lacking = "\0" in content.classes.recalls[0].name if content.classes else False
    assert [path.name for path in written] == figures + ["classes.txt"] * lacking
    assert sorted((tmp_path / "figures").iterdir()) == sorted(written)
    for path in written:
        if path.suffix == ".txt":
            assert path.read_text("utf-8").startswith("1 ")
        elif path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
        else:
            with Image.open(path) as image:
                colours = image.convert("RGB").getcolors(10**6)
                assert colours is not None
                assert len(colours) > 20


@pytest.mark.when_changed("pages")
def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    content = made_up_report(epochs=3)
    files = [[p.read_bytes() for p in write_figures(tmp_path / n, content)] for n in "ab"]
    assert files[0] == files[1]


def test_a_part_that_is_missing_is_no_figure(tmp_path: Path) -> None:
    assert write_figures(tmp_path / "figures", bare_report()) == []


def test_names_that_no_font_has_are_numbers_with_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fonts, "_installed", lambda _: {})
    fonts._found.cache_clear()
    names = ["猫", "犬", "t-shirt", "鳥"]
    recalls = tuple(ClassRecall(name=name, images=4, share=0.0, recall=None) for name in names)
    counts = csr_array(np.full((4, 4), 1))
    assert (
        figure_files._numbered(Classes(measured_on="x", recalls=recalls, confusion=counts)) == names
    )
    figure = figure_files._confusion(Classes(measured_on="x", recalls=recalls, confusion=counts))
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["class 1", "class 2", "t-shirt", "class 4"]


def test_long_names_leave_room_for_the_plot() -> None:
    names = [f"a class whose name goes on and on and on until number {number}" for number in "123"]
    recalls = tuple(ClassRecall(name=name, images=4, share=0.0, recall=None) for name in names)
    counts = csr_array(np.full((3, 3), 1))
    figure = figure_files._confusion(Classes(measured_on="x", recalls=recalls, confusion=counts))
    figure.canvas.draw()
    axes = figure.axes[0]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert len(set(shown)) == 3
    assert all(len(name) <= fonts.LONGEST for name in shown)
    whole = figure.bbox
    assert axes.get_window_extent().width > whole.width / 5
    for label in [*axes.get_yticklabels(), *axes.get_xticklabels()]:
        box = label.get_window_extent()
        assert box.x0 >= whole.x0
        assert box.y0 >= whole.y0
