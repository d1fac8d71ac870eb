"""A run folder, opened from Python: finished, begun, or none."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads import OpenedStudy, Study, open_study, write_report
from manyheads.errors import Interrupted, MissingExtraError, RunError, SettingError
from manyheads.findings.finding import Finding
from manyheads.report.notebook_figure import NotebookFigure
from manyheads.run.pipeline import Finished, run_study
from manyheads.study.events import TrialEnded
from manyheads.study.space import Grid
from tests.jobs import StoppingJob
from tests.small_study import finished_study
from tests.studies import rows_of

PLAIN = int | float | str | None


@pytest.fixture
def opened(small_study: Finished, tmp_path: Path) -> OpenedStudy:
    """A copy of a finished study's run folder, opened."""
    return open_study(shutil.copytree(small_study.folder.path, tmp_path / "run"))


def test_a_finished_study_needs_no_settings(opened: OpenedStudy, small_study: Finished) -> None:
    assert opened.settings == small_study.settings
    assert opened.path.name == "run"
    state = opened.state
    assert (state.trials, state.done, state.left, state.finished) == (2, 2, 0, True)
    assert str(state) == "2 of 2 trials done"
    assert [row["droprate"] for row in opened.results] == [0.0, 0.5]
    history = opened.history
    assert len(history) == 6
    for row, text in zip(history, rows_of(opened.path / "history.csv"), strict=True):
        assert {name: str(value) for name, value in row.items()} == text
        assert all(isinstance(value, PLAIN) for value in row.values())
    assert list(opened.scores) == [0.0, 0.5]
    assert opened.verdict().sentences == small_study.findings.verdict.sentences  # pyright: ignore[reportOptionalMemberAccess]
    assert opened.test_log == []
    assert opened.claims == {}
    assert "← selected" in repr(opened)


def test_it_goes_on_and_finds_nothing_to_train(opened: OpenedStudy) -> None:
    before = opened.results
    assert opened.run() is opened
    assert opened._finished is not None
    assert opened._finished.trained == 0
    assert opened.results == before


def test_a_study_that_was_begun_tells_what_it_has(tmp_path: Path, small_study: Finished) -> None:
    settings = replace(small_study.settings, seeds=300)
    with pytest.raises(Interrupted):
        run_study(settings, tmp_path / "run", job=StoppingJob(TrialEnded))
    study = open_study(tmp_path / "run")
    state = study.state
    assert 0 < state.done < 600
    assert not state.finished
    assert state.left == 600 - state.done
    assert str(state) == f"{state.done} of 600 trials done, {state.left} left"
    assert repr(study).endswith(f">\n{state}")
    assert len(study.history) == 3 * state.done
    assert sum(row["trials"] for row in study.results) == state.done
    with pytest.raises(RunError, match="one with heads still to train"):
        study.verdict()


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(RunError, match="a run folder at"):
            open_study(place)


def test_heads_that_have_not_begun_are_an_error(opened: OpenedStudy) -> None:
    (opened.path / "study.sqlite").unlink()
    assert opened.state.left == 2
    with pytest.raises(RunError, match="has not trained any yet"):
        list(opened.results)


@pytest.mark.when_changed("studies")
def test_data_that_were_moved_are_found(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    moved = (tmp_path / "images").rename(tmp_path / "elsewhere")
    page = open_study(finished.folder.path, data=moved).report(tmp_path / "moved.html")
    assert "could not be read again" not in page.read_text(encoding="utf-8")
    assert "could not be read again" in write_report(finished.folder.path).read_text("utf-8")


def test_the_best_model_is_opened_once_and_again_if_it_has_changed(opened: OpenedStudy) -> None:
    first = opened.best
    assert opened.best is first
    file = opened.path / "best.keras"
    os.utime(file, ns=(1, 1))
    assert opened.best is not first
    head = opened.head()
    assert head.parameters.bias.shape == (3,)
    assert opened.head(1 + 2 - head.candidate).candidate != head.candidate
    with pytest.raises(SettingError, match="candidate"):
        opened.head(3)


def test_a_new_study_and_an_opened_one_share_their_answers() -> None:
    own = set(vars(Study)) - {"__doc__", "__module__", "__init__", "_choose_folder"}
    assert {name for name in own if not name.startswith("__")} == set()
    assert isinstance(Study("photos"), OpenedStudy)


def test_margins_are_points(opened: OpenedStudy) -> None:
    margins = opened.verdict(margin_accuracy=2.0, margin_log_loss=0.1).comparisons.margins
    assert (margins.accuracy, margins.log_loss) == (0.02, 0.1)
    with pytest.raises(SettingError, match="in points to be a number above 0 to 100"):
        opened.verdict(margin_accuracy=0)


class Answer(Finding):
    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences  # pyright: ignore[reportAttributeAccessIssue]


def test_a_finding_shows_itself(opened: OpenedStudy) -> None:
    pandas = pytest.importorskip("pandas")
    claim = opened.ensemble_claim(candidate=2)
    assert str(claim) == "\n".join(claim.sentences)
    assert opened.claims["ensemble"] == claim
    assert Answer("a < b.", "Then.")._repr_html_() == (
        "<p><strong>a &lt; b.</strong></p>\n<p>Then.</p>"
    )
    frame = claim.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["kind"]) == [way.kind for way in claim.ways]
    assert list(frame["accuracy_value"]) == [way.accuracy.value for way in claim.ways]
    verdict = opened.verdict()
    assert len(verdict.to_frame()) == len(verdict.entries)
    posteriors = opened.posteriors()
    assert len(posteriors.sentences) == max(len(posteriors), 1)
    longer = opened.longer_claim(epochs=5, patience=2)
    assert list(longer.to_frame()["candidate"]) == [1, 2]


def test_without_pandas_the_error_says_what_to_install(
    opened: OpenedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pip install pandas"):
        opened.verdict().to_frame()


def test_its_plots_are_figures_that_a_notebook_shows(opened: OpenedStudy) -> None:
    scores, curves = opened.plot(), opened.plot_curves()
    titles = [[axes.get_title(loc="left") for axes in each.axes] for each in (scores, curves)]
    assert titles[0] == ["Validation accuracy", "Validation log loss"]
    assert titles[1][0] == "Validation accuracy"
    assert len(titles[1]) == 4
    for figure in (scores, curves):
        assert isinstance(figure, NotebookFigure)
        assert figure._repr_png_().startswith(b"\x89PNG")
    words = scores.get_suptitle()
    assert words.startswith("A dot is one seed; ")


def test_curves_of_a_study_that_runs_are_plotted_and_its_scores_are_not(
    tmp_path: Path, small_study: Finished
) -> None:
    settings = replace(small_study.settings, seeds=300)
    with pytest.raises(Interrupted):
        run_study(settings, tmp_path / "run", job=StoppingJob(TrialEnded))
    study = open_study(tmp_path / "run")
    assert len(study.plot_curves().axes) == 4
    with pytest.raises(RunError, match="one with heads still to train"):
        study.plot()


def test_a_study_of_one_candidate_has_nothing_to_plot_by_setting(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, grid=Grid((0.001,), (8,), (0.5,)))
    with pytest.raises(RunError, match="two values of a hyperparameter"):
        open_study(finished.folder.path).plot()
