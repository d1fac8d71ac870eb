"""Figures for papers, as PNG and SVG."""

from __future__ import annotations

import warnings
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from manyheads.report.content import ReportContent
from manyheads.report.papers import write_figures
from tests.reports import bare_report, made_up_report

NAMES = ("comparisons", "curves", "reliability", "confusion")


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
    assert [path.name for path in written] == [f"{n}.{s}" for n in NAMES for s in ("png", "svg")]
    assert sorted((tmp_path / "figures").iterdir()) == sorted(written)
    for path in written:
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
        else:
            with Image.open(path) as image:
                colours = image.convert("RGB").getcolors(10**6)
                assert colours is not None
                assert len(colours) > 20


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    content = made_up_report(epochs=3)
    files = [[p.read_bytes() for p in write_figures(tmp_path / n, content)] for n in "ab"]
    assert files[0] == files[1]


def test_a_part_that_is_missing_is_no_figure(tmp_path: Path) -> None:
    assert write_figures(tmp_path / "figures", bare_report()) == []
