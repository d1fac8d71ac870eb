"""Score against setting: what is drawn, within limits that keep it readable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from manyheads.findings.scores_by_setting import ScoresBySetting
from manyheads.report import svg
from manyheads.report.figures import drawing
from manyheads.report.heat_map import HeatMap
from manyheads.report.panel import Panel
from manyheads.report.setting_plots import plot_words, scores_figure, setting_plots
from tests.report_scores import made_up_grid_scores, made_up_scores

SHAPES = {
    "one": made_up_scores(),
    "many": made_up_scores(24, 200),
    "one seed": made_up_scores(3, 1),
    "wide": made_up_scores(wide=3.0),
    "grid": made_up_grid_scores(),
    "effects alone": replace(made_up_grid_scores(effects=5), pair=None),
}
EVERY = pytest.mark.parametrize("name", SHAPES)


def panels(found: ScoresBySetting) -> list[Panel]:
    return [each for each in setting_plots(found) if isinstance(each, Panel)]


def heat_map(found: ScoresBySetting) -> HeatMap:
    (found_map,) = (each for each in setting_plots(found) if isinstance(each, HeatMap))
    return found_map


def test_one_hyperparameter_has_a_dot_for_each_run_a_mean_and_its_bar() -> None:
    found = made_up_scores(4, 5)
    accuracy, loss = panels(found)
    assert [each.title for each in (accuracy, loss)] == [
        "Validation accuracy", "Validation log loss",
    ]  # fmt: skip
    assert accuracy.y_label == "accuracy at its best epoch"
    dots, mean = accuracy.series
    assert (dots.drawn, mean.drawn) == ("dots", "points")
    assert len(dots.x) == 4 * 5
    assert np.round(dots.x).tolist() == np.repeat(np.arange(4), 5).tolist()
    assert dots.y.tolist() == [run for level in found.by_value[0].levels for run in level.runs]
    assert mean.y.tolist() == [level.mean.value for level in found.by_value[0].levels]
    assert mean.low is not None
    assert mean.low.tolist() == [level.mean.low for level in found.by_value[0].levels]
    assert mean.highlight_point == (2.0, mean.y[2])
    assert accuracy.x_axis.ticks == ((0, "0"), (1, "0.25"), (2, "0.5"), (3, "0.75"))
    assert accuracy.highlight_words == "selected"


def test_main_effects_share_their_scale_and_say_of_how_many_settings_they_are() -> None:
    effects = panels(made_up_grid_scores())
    assert len({each.y_axis for each in effects}) == 1
    assert effects[0].title == "Main effect of droprate"
    assert effects[0].x_label == "droprate (4 of 6 settings)"
    assert all([series.drawn for series in each.series] == ["points"] for each in effects)


@EVERY
def test_limits_hold_what_is_drawn_and_long_bars_flatten_nothing(name: str) -> None:
    found = SHAPES[name]
    shown = panels(found)
    together = [shown] if len(found.varying) > 1 else [[each] for each in shown]
    for alike in together:  # main effects have one scale
        axis = alike[0].y_axis
        points = np.concatenate([series.y for panel in alike for series in panel.series])
        assert axis.low < points.min() <= points.max() < axis.high
        assert axis.high - axis.low <= 4 * (points.max() - points.min())
    words = plot_words(found, setting_plots(found))
    assert ("one that ends at the edge goes on" in words) == (name == "wide")
    assert ("no interval is known" in words) == (name == "one seed")
    assert words.endswith("Measured on 341 validation images.")


@EVERY
def test_what_is_drawn_is_bounded_and_its_words_have_room(name: str) -> None:
    for plot in setting_plots(SHAPES[name]):
        ticks = plot.x_axis.ticks
        assert sum(len(words) + 1 for _, words in ticks) <= 60
        assert len(ticks) >= 2
        if isinstance(plot, Panel):
            assert sum(len(series.x) for series in plot.series) <= 24 * 31
            drawn = svg.draw_panel(plot)
            assert all(len(each.dots) < 24 * 30 * 20 for each in drawn.series)


def test_a_heat_map_is_placed_cell_by_cell() -> None:
    found = heat_map(made_up_grid_scores(3, 2))
    assert found.shares[np.isfinite(found.shares)].min() == 0
    assert np.nanmax(found.shares) == 1
    drawn = svg.draw_heat_map(found)
    assert len(drawn.cells) == 5  # one is empty
    assert drawn.ring is not None
    assert (drawn.ring.left, drawn.ring.top) == (drawn.left + drawn.width, svg.TOP)
    assert max(cell.left + drawn.width for cell in drawn.cells) == svg.RIGHT
    assert max(cell.top + drawn.height for cell in drawn.cells) == pytest.approx(svg.BOTTOM, 1e-3)
    assert [words for _, words in drawn.y_ticks] == ["10", "11", "12"]
    assert drawn.y_ticks[0][0] > drawn.y_ticks[2][0]  # the first row is the lowest
    best = np.unravel_index(np.nanargmax(found.values), found.values.shape)
    assert f"{found.values[best]:.3f}" in found.description


def test_a_heat_map_of_equal_numbers_and_one_of_none() -> None:
    found = heat_map(made_up_grid_scores(3, 2))
    same = replace(found, values=np.full((3, 2), 0.8))
    assert set(same.shares.ravel()) == {0.5}
    with pytest.raises(ValueError, match="a number in one cell"):
        replace(found, values=np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="each of 3 × 2 cells"):
        replace(found, values=np.zeros((2, 3)))


@pytest.mark.when_changed("pages")
@EVERY
def test_figures_have_all_of_it_and_nothing_overlaps(name: str) -> None:
    with drawing([]):
        figure = scores_figure(SHAPES[name])
        figure.canvas.draw()
    (title,) = figure.texts
    whole, title = figure.bbox, title.get_window_extent()
    boxes = [box for axes in figure.axes if (box := axes.get_tightbbox()) is not None]
    assert len(boxes) == len(setting_plots(SHAPES[name]))
    assert whole.x0 <= title.x0 < title.x1 <= whole.x1
    for box in boxes:
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert figure.legends[0].get_window_extent().y1 <= box.y0 < box.y1 <= title.y0
    assert not any(
        one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[place + 1 :]
    )
