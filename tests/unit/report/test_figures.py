"""Panels as figures: all of it seen, nothing over the curves, drawn without a warning."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from manyheads.report.figures import MARKERS, drawing, panels_figure
from manyheads.report.palette import COLOURS, MARKS
from manyheads.report.panel import Panel, Series
from manyheads.report.plots import curve_panels, reliability_panel
from tests.reports import made_up_report

LONG = "learning_rate 0.0005, size_inner 1000, droprate 0.25, input_droprate 0.1, label_smoothing "


def figure_of(panels: list[Panel], title: str = ""):
    with drawing([]):
        figure = panels_figure(panels, title)
        figure.canvas.draw()
    return figure


def curves(**options) -> list[Panel]:
    return list(curve_panels(made_up_report(**options).candidates).values())


def test_every_mark_has_its_marker() -> None:
    assert set(MARKERS) == set(MARKS)
    assert len(set(MARKERS.values())) == len(MARKS)


@pytest.mark.when_changed("pages")
@pytest.mark.parametrize(
    "options",
    [{}, {"candidates": 8}, {"candidates": 1, "epochs": 1}, {"candidates": 4, "prefix": LONG},
     {"candidates": 20, "prefix": LONG}],
)  # fmt: skip
def test_title_panels_and_legend_do_not_overlap(options: dict) -> None:
    figure = figure_of(curves(**options), "clothing\nmean over 5 trials")
    (legend,) = figure.legends
    key, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= key.x0 < key.x1 <= whole.x1
    assert whole.y0 <= key.y0
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert len(boxes) == 4
    for box in filter(None, boxes):
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert key.y1 <= box.y0 < box.y1 <= whole.y1
        assert box.width > whole.width / 3
    assert not any(
        one.overlaps(other)
        for n, one in enumerate(filter(None, boxes))
        for other in filter(None, boxes[n + 1 :])
    )


def test_training_and_validation_have_panels_of_their_own_and_share_their_epochs() -> None:
    figure = figure_of(curves())
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Validation accuracy", "Validation log loss", "Training accuracy", "Training log loss",
    ]  # fmt: skip
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "epoch", "epoch"]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1


def test_panels_of_other_epochs_have_words_of_their_own() -> None:
    long, short = curves(epochs=30), curves(epochs=9)
    figure = figure_of([*long[:2], *short[2:]])
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch"] * 4
    figure = figure_of(long[:3])
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch"] * 3


def test_enormous_numbers_leave_room_for_the_curves() -> None:
    candidates = made_up_report(candidates=1).candidates
    curve = candidates[0].curves["val_loss"]
    for array in (curve.mean, curve.low, curve.high):
        array *= 1e38
    figure = figure_of([curve_panels(candidates)["val_loss"]])
    (axes,) = figure.axes
    assert axes.get_window_extent().width > figure.bbox.width / 3


def test_the_legend_names_lines_in_order_and_says_what_is_marked() -> None:
    (legend,) = figure_of(curves(candidates=3)).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "droprate 0", "droprate 0.333 (selected)", "droprate 0.667", "chosen epoch (mean)",
    ]  # fmt: skip


def test_a_chosen_epoch_is_a_hollow_mark_on_its_line() -> None:
    panels = curves(candidates=2)
    for axes, panel in zip(figure_of(panels).axes, panels, strict=True):
        hollow = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
        points = [tuple(np.asarray(line.get_xydata())[0]) for line in hollow]
        assert points == [series.highlight_point for series in panel.series]
        assert [line.get_color() for line in hollow] == [*COLOURS[:2]]


def test_a_single_epoch_is_seen() -> None:
    panels = curves(epochs=1, trials=1)
    for axes, panel in zip(figure_of(panels).axes, panels, strict=True):
        assert axes.get_xticks().tolist() == [1]
        low, high = axes.get_ylim()
        assert all(low < series.y[0] < high for series in panel.series)


def test_a_diverging_candidate_does_not_flatten_the_others() -> None:
    x = np.arange(1.0, 31)
    report = made_up_report(candidates=4)
    panel = curve_panels(report.candidates)["val_loss"]
    usual = panel.y_axis
    curve = report.candidates[0].curves["val_loss"]
    for array in (curve.mean, curve.low, curve.high):
        array[:] = 1e6 * x
    axis = curve_panels(report.candidates)["val_loss"].y_axis
    assert axis.high < 3 * usual.high
    assert axis.low <= min(series.y.min() for series in panel.series[1:])


def test_bars_and_references_are_drawn_as_the_page_draws_them() -> None:
    confidence = made_up_report().calibration
    assert confidence is not None
    panel = reliability_panel(confidence.diagram)
    assert panel is not None
    figure = figure_of([panel])
    (axes,) = figure.axes
    reference, points = axes.get_lines()
    assert reference.get_zorder() < points.get_zorder()
    assert to_hex(points.get_color()) == COLOURS[0].lower()
    assert not figure.legends
    assert axes.get_xlim() == axes.get_ylim() == (0, 1)


def test_given_ticks_stand_beside_the_axis() -> None:
    x = np.array([0.0, 1.0, 2.0])
    series = (Series(name="s", x=x, y=x),)
    ticks = ((0.0, "1"), (1.0, "10"), (2.0, "100"))
    panel = Panel(title="t", x_label="n", y_label="y", series=series, description="d",
                  x_ticks=ticks)  # fmt: skip
    (axes,) = figure_of([panel]).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "10", "100"]
