"""Points of candidates that were drawn: where they lie, and which ticks their axes have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from manyheads.findings.scattered_scores import ScatteredScores
from manyheads.findings.scores_by_setting import ScoresBySetting
from manyheads.report import svg
from manyheads.report.figures import drawing
from manyheads.report.panel import Panel
from manyheads.report.scatter_plots import scatter_panel, scatter_table
from manyheads.report.setting_plots import plot_words, scores_figure, setting_plots

RATES = ScatteredScores(
    hyperparameter="learning_rate", metric="accuracy", values=(0.0001, 0.001, 0.02, 0.1),
    scores=np.array([0.5, 0.7, 0.9, 0.2]), is_log=True, selected=2,
)  # fmt: skip
WORDS = replace(
    RATES, hyperparameter="optimizer", values=("adam", "adam", "sgd", "sgd"), is_log=False
)


def test_a_logarithmic_axis_has_powers_of_ten() -> None:
    panel = scatter_panel(RATES, "accuracy", "selected")
    points, ringed = panel.series
    assert points.x == pytest.approx([-4, -3, np.log10(0.02), -1])
    assert [words for _, words in panel.x_axis.ticks] == ["0.0001", "0.001", "0.01", "0.1"]
    assert ringed.highlight_point == pytest.approx((np.log10(0.02), 0.9))
    assert "Selected: 0.02." in panel.description
    assert "The best: 0.900 at learning_rate 0.02." in panel.description


def test_a_short_logarithmic_axis_has_more_ticks_and_zero_a_place_before_it() -> None:
    sizes = replace(RATES, hyperparameter="size_inner", values=(0, 50, 120, 400), selected=None)
    panel = scatter_panel(sizes, "accuracy", "selected")
    assert [words for _, words in panel.x_axis.ticks] == ["0", "50", "100", "200"]
    assert panel.x_axis.ticks[0][0] == panel.series[0].x[0] < np.log10(50)
    assert len(panel.series) == 1
    assert scatter_table(sizes).rows[0] == ("none", "0.500")


def test_words_have_their_points_side_by_side() -> None:
    panel = scatter_panel(WORDS, "accuracy", "selected")
    assert panel.x_axis.ticks == ((0.0, "adam"), (1.0, "sgd"))
    assert np.round(panel.series[0].x).tolist() == [0, 0, 1, 1]
    assert len(set(panel.series[0].x)) == 4


def test_a_study_of_drawn_candidates_has_its_points_on_page_and_figure() -> None:
    found = ScoresBySetting(
        varying=("learning_rate", "optimizer"), by_value=(), pair=None,
        epochs={"accuracy": "at its best epoch"}, runs="seed", measured_on="60 validation images",
        paired=False, scattered=(RATES, WORDS),
    )  # fmt: skip
    plots = setting_plots(found)
    assert [each.x_label for each in plots] == ["learning_rate (logarithmic)", "optimizer"]
    assert plot_words(found, plots).endswith("Measured on 60 validation images.")
    for plot in plots:
        assert isinstance(plot, Panel)
        assert len(svg.draw_panel(plot).series) == 2
    with drawing([]):
        assert len(scores_figure(found).axes) == 2
