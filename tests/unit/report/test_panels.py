"""What is drawn of a content, and where."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyheads.findings.held_out_scores import ClassRecall
from manyheads.report import bounds, palette, svg
from manyheads.report.differences import comparison_plot, comparison_plots, parted
from manyheads.report.page_tables import panel_table, scores_table
from manyheads.report.panel import Panel, Series
from manyheads.report.parallel_plot import draw_parallel
from manyheads.report.parts import Candidate, Compared, Confidence, Curve
from manyheads.report.plots import (
    FEWEST,
    curve_panels,
    gap_panels,
    reliability_panel,
    risk_panel,
    risk_words,
)
from manyheads.stats.comparisons import Comparisons, Margins
from manyheads.stats.confidence import RiskCoverage
from manyheads.stats.intervals import Estimate
from tests.report_scores import made_up_parallel
from tests.reports import bare_report, comparison, made_up_report


def test_no_two_drawn_series_look_the_same() -> None:
    styles = [palette.style_of(place) for place in range(bounds.DRAWN)]
    assert len(set(styles)) == bounds.DRAWN
    assert set(svg.MARK_PATHS) == set(palette.MARKS)


@pytest.mark.parametrize("selected", [0, 19, 20, 29])
def test_the_selected_candidate_is_drawn_wherever_it_stands(selected: int) -> None:
    report = made_up_report(candidates=30, epochs=2)
    candidates = [replace(c, selected=n == selected) for n, c in enumerate(report.candidates)]
    drawn = bounds.drawn_candidates(candidates)
    assert len(drawn) == bounds.DRAWN
    assert [each.name for each in drawn if each.selected] == [candidates[selected].name]
    assert drawn[:19] == candidates[:19]


def test_candidates_are_drawn_in_the_grids_order_whatever_their_rank() -> None:
    candidates = made_up_report(candidates=30, epochs=2).candidates
    drawn = bounds.drawn_candidates(candidates[::-1])
    assert [each.number for each in drawn] == [*range(11, 30 + 1)]
    panel = curve_panels(candidates[::-1])["loss"]
    assert [line.name for line in panel.series] == [each.name for each in drawn]
    assert [line.style for line in panel.series] == [*range(bounds.DRAWN)]


@pytest.mark.parametrize("longest", [0, 1, 2, 99, 100, 101, 5000])
def test_drawn_epochs_are_bounded_and_reach_both_ends(longest: int) -> None:
    epochs = bounds.drawn_epochs(longest)
    assert epochs[0] == 1
    assert epochs[-1] == max(1, longest)
    assert len(epochs) == min(max(1, longest), bounds.EPOCHS)
    assert (np.diff(epochs) > 0).all()


def test_curves_that_end_early_keep_their_own_epochs() -> None:
    def curve(epochs: int) -> Curve:
        values = np.arange(1.0, epochs + 1)
        return Curve(mean=values, low=values - 0.5, high=values + 0.5)

    report = bare_report(
        candidates=tuple(
            Candidate(number=n, name=f"c{n}", trials=1, curves={"val_loss": curve(n)})
            for n in (10, 250)
        )
    )
    panel = curve_panels(report.candidates)["val_loss"]
    short, long = panel.series
    assert short.x.tolist() == short.y.tolist() == [1, 4, 6, 9]  # about every 2.5th
    assert long.x.tolist() == long.y.tolist() == bounds.drawn_epochs(250).tolist()
    table = panel_table(panel)
    assert table.rows[0] == ("1", "1.000 (0.500–1.500)", "1.000 (0.500–1.500)")
    assert table.rows[-1][1:] == ("–", "250.000 (249.500–250.500)")


def test_a_chosen_epoch_is_marked_where_the_curve_passes_it() -> None:
    given = made_up_report(candidates=2, epochs=250).candidates
    near, far = replace(given[0], chosen=17.5), replace(given[1], chosen=251.0)
    for metric, panel in curve_panels([near, far]).items():
        first, second = panel.series
        assert first.highlight_point == (17.5, np.interp(17.5, first.x, first.y))
        assert second.highlight_point is None  # no trial's curve goes so far
        assert panel.highlight_words == "chosen epoch (mean)"
        assert f"{near.name} 17.5" in panel.description
        (x, y) = svg.draw_panel(panel).series[0].highlight or (0, 0)
        assert svg.LEFT < x < svg.RIGHT, metric
        assert svg.TOP <= y <= svg.BOTTOM
    assert curve_panels([far])["loss"].highlight_words == ""
    alone = curve_panels([replace(near, trials=1)])["loss"]
    assert alone.highlight_words == "chosen epoch"


def test_axes_of_epochs_begin_at_the_first_and_hold_marks_at_both_ends() -> None:
    for epochs, words in (
        (1, ["1"]),
        (2, ["1", "2"]),
        (30, ["1", "5", "10", "15", "20", "25", "30"]),
    ):
        panel = curve_panels(made_up_report(epochs=epochs).candidates)["val_loss"]
        axis = panel.x_axis
        assert [text for _, text in axis.ticks] == words
        assert axis.low < 1 <= epochs < axis.high
        assert all(axis.low <= place <= axis.high for place, _ in axis.ticks)


def test_losses_keep_room_for_their_bands() -> None:
    panel = curve_panels(made_up_report(trials=20).candidates)["val_loss"]
    low, high, _ = panel.y_axis
    for line in panel.series:
        assert line.low is not None
        assert low < line.low.min() < high


def test_strong_lines_are_drawn_on_top_and_references_below() -> None:
    x = np.arange(3.0)
    series = (
        Series(name="strong", x=x, y=x, strong=True),
        Series(name="line", x=x, y=x),
        Series(name="reference", x=x, y=x, drawn="reference"),
    )
    panel = Panel(title="t", x_label="x", y_label="y", series=series, description="d")
    assert [each.name for each in panel.in_order] == ["reference", "line", "strong"]


def test_marks_of_neighbours_lie_apart() -> None:
    x = np.arange(30.0)
    marked = [Series(name="s", x=x, y=x, style=n).marked for n in range(bounds.PICTURED)]
    assert all(len(set(each)) == 5 for each in marked)
    assert all(0 <= place < 30 for each in marked for place in each)
    assert all(not set(one) & set(other) for one, other in pairwise(marked))


def test_series_stay_inside_their_panel() -> None:
    x = np.linspace(0, 1, 7)
    series = Series(name="s", x=x, y=x * 9, low=x * 9 - 1, high=x * 9 + 1)
    panel = Panel(title="t", x_label="x", y_label="y", series=(series,), description="d",
                  y_limits=(0, 4))  # fmt: skip
    (drawn,) = svg.draw_panel(panel).series
    points = [tuple(map(float, pair.split(","))) for pair in f"{drawn.points} {drawn.band}".split()]
    assert len(points) == 3 * 7
    assert all(svg.LEFT <= x <= svg.RIGHT and svg.TOP <= y <= svg.BOTTOM for x, y in points)


@pytest.mark.parametrize("y", [np.array([1.0, np.nan]), np.array([1.0])])
def test_a_series_is_finite_and_of_one_length(y: np.ndarray) -> None:
    with pytest.raises(ValueError, match="for 's'"):
        Series(name="s", x=np.array([0.0, 1.0]), y=y)


def test_bins_are_drawn_and_none_where_there_are_none() -> None:
    confidence = made_up_report().calibration
    assert isinstance(confidence, Confidence)
    diagram = confidence.diagram
    panel = reliability_panel(diagram)
    assert panel is not None
    assert len(panel.series[1].x) == len(diagram.images)
    assert "less often than it says" in panel.description
    columns = {field.name: getattr(diagram, field.name)[:0] for field in fields(diagram)}
    assert reliability_panel(replace(diagram, **columns)) is None
    assert confidence.risk is not None
    assert len(risk_panel(confidence.risk).series[0].x) == bounds.EPOCHS


def test_an_interval_lies_where_its_numbers_say() -> None:
    entry = comparison("log_loss", 0.048, 0.015)
    plot = comparison_plot("log_loss", [entry], {1: "a", 2: "b"}, Margins())
    (row,) = plot.rows
    for number, place in zip(
        (entry.difference, entry.adjusted_low, entry.adjusted_high, 0, -0.02, 0.02),
        (row.value, row.low, row.high, plot.zero, *plot.band),
        strict=True,
    ):
        assert plot.low + (plot.high - plot.low) * place / 100 == pytest.approx(number, abs=1e-4)
    assert plot.left_is_better
    assert not row.cut_low
    assert not row.cut_high


def test_one_wide_interval_does_not_rule_the_plot() -> None:
    entries = [comparison("accuracy", 0.01, wide) for wide in (0.01, 0.02, 0.03, 40)]
    plot = comparison_plot("accuracy", entries, {1: "a", 2: "b"}, Margins())
    assert plot.high < 0.2
    assert [row.cut_high for row in plot.rows] == [False, False, False, True]


def test_comparisons_with_the_selected_are_turned_and_sorted_and_others_parted() -> None:
    report = made_up_report(candidates=30, epochs=1)
    assert report.comparisons is not None
    names = {**report.comparisons.names, 98: "x", 99: "y"}
    others = [
        comparison("accuracy", size, 0.01, first=98, second=99) for size in (0.01, -0.03, 0.02)
    ]
    entries = (*others, *report.comparisons.family.entries)
    mixed = Compared(family=Comparisons(entries, Margins()), names=names)
    main, rest = parted(mixed, report.selected)
    assert main is not None
    assert rest is not None
    plot = comparison_plots(main)[0]
    assert plot.total == 29
    assert len(plot.rows) == bounds.DRAWN
    assert {row.entry.second for row in plot.rows} == {16}
    found = [row.entry.difference for row in plot.rows]
    assert found == sorted(found, reverse=True)
    losses = [each.difference for each in main.family.of("log_loss")]
    assert losses == sorted(losses)  # the best first
    assert [each.difference for each in rest.family.of("accuracy")][:3] == [-0.03, 0.02, 0.013]


def test_comparisons_with_a_baseline_stay_together_whatever_was_selected() -> None:
    report = made_up_report()
    entries = tuple(
        comparison("accuracy", 0.01 * each, 0.02, first=each, second=2) for each in (1, 3, 4)
    )
    names = {each: f"droprate 0.{each}" for each in range(1, 5)}
    compared = Compared(family=Comparisons(entries, Margins(), baseline=2), names=names)
    main, rest = parted(compared, report.selected)
    assert main is not None
    assert [each.first for each in main.family.entries] == [4, 3, 1]
    assert rest is None


def test_training_stands_beside_validation_of_each_candidate_on_one_scale() -> None:
    candidates = made_up_report(candidates=30).candidates
    panels = gap_panels(candidates)
    assert len(panels) == bounds.PICTURED
    assert sum("(selected)" in each.title for each in panels) == 1
    assert len({each.y_limits for each in panels}) == 1
    for panel in panels:
        validation, training = panel.series
        assert (validation.name, training.name) == ("validation", "training")
        name = panel.title.removesuffix(" (selected)")
        curves = next(each.curves for each in candidates if each.name == name)
        assert validation.y.tolist() == curves["val_loss"].mean.tolist()
        assert training.y.tolist() == curves["loss"].mean.tolist()
        assert validation.highlight_point
    assert gap_panels(bare_report().candidates) == []


def test_bins_of_few_images_have_no_bars() -> None:
    confidence = made_up_report().calibration
    assert confidence is not None
    images = confidence.diagram.images.copy()
    images[0] = FEWEST - 0.5
    panel = reliability_panel(replace(confidence.diagram, images=images))
    assert panel is not None
    bins, rare = panel.series[1:]
    assert bins.low is not None
    assert len(bins.x) == len(images) - 1
    assert (rare.drawn, rare.low, len(rare.x)) == ("dots", None, 1)


def test_the_risk_of_the_most_confident_is_said_in_words() -> None:
    risk = RiskCoverage(
        threshold=np.array([0.9, 0.6, 0.2]), coverage=np.array([0.5, 0.8, 1.0]),
        risk=np.array([0.02, 0.09, 0.155]), low=np.zeros(3), high=np.ones(3),
    )  # fmt: skip
    words = risk_words(risk)
    assert "the 80 % of images with a confidence of 0.60 or more" in words
    assert "9.0 % of the answers are wrong, of all 15.5 %" in words


def test_a_line_of_parallel_coordinates_passes_its_values_and_ends_at_its_score() -> None:
    found = made_up_parallel(6)
    drawn = draw_parallel(found)
    assert [axis.name for axis in drawn.axes] == [*found.hyperparameters, found.score]
    places = [{words: at for at, words in axis.ticks} for axis in drawn.axes[:-1]]
    for line, shown in zip(found.lines, drawn.lines, strict=True):
        points = [tuple(map(float, each.split(","))) for each in shown.path[1:].split("L")]
        assert [x for x, _ in points] == [axis.x for axis in drawn.axes]
        for (_, y), names, values, place in zip(
            points[:-1], places, found.values, line.places, strict=True
        ):
            assert y == names[values[place]]
    heights = [float(line.path.rsplit(",", 1)[1]) for line in drawn.lines]
    assert heights == sorted(heights, reverse=True)  # the better, the higher
    assert drawn.lines[-1].selected
    assert "Selected: setting 5" in drawn.description


def test_the_worst_classes_are_kept_and_the_most_confused() -> None:
    recalls = [
        ClassRecall(name=str(n), images=9, share=1 / 9, recall=Estimate(n / 9, 0, 1) if n else None)
        for n in range(9)
    ]
    assert bounds.worst_recalls(recalls, 9) == recalls
    assert [each.name for each in bounds.worst_recalls(recalls, 3)] == ["1", "2", "3"]
    confusion = np.diag(np.full(40, 100))
    confusion[3, 30] = confusion[35, 2] = 5
    shown = bounds.most_confused(csr_array(confusion))
    assert len(shown) == bounds.CONFUSED
    assert {2, 3, 30, 35} <= set(shown.tolist())
    assert shown.tolist() == sorted(shown.tolist())


def test_the_scores_of_the_selected_are_never_left_out() -> None:
    report = made_up_report(candidates=60, epochs=1)
    table = scores_table(report)
    assert len(table.rows) == bounds.DRAWN
    assert table.rows[-1][0] == "droprate 0.5"
    assert "20 of 60 candidates" in table.caption
