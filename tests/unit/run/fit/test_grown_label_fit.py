"""A fit from a former run whose images may have several labels each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.errors import DataError
from manyheads.run.fit.fit_record import Fitted
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.former_run import read_former
from manyheads.run.fit.grown_fit import PlannedGrowth, plan_growth, planned_growth, run_growth
from manyheads.run.fit.growth import read_growth
from manyheads.run.pipeline import run_study
from tests.fits import free_fits
from tests.several_labels import labelled_table, pictures, write_rows
from tests.shortcuts import SIDE
from tests.small_study import small_settings

TABLE = TableSettings(label_column="labels", label_separator=";")

Rows = list[list[str]]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    """Two settings of the head, on a backbone that costs nothing."""
    del own_cache  # it is there
    with free_fits(monkeypatch):
        yield


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return labelled_table(tmp_path)


def fitted(table: Path, out: Path, **changes: Any) -> Fitted:
    asked = FitSettings(
        data=str(table), backbone="xception", size=SIDE, heads=2, folds=3, augment="none",
        split=SplitSettings(test=0.0), table=TABLE, budget=600.0,
    )  # fmt: skip
    return run_fit(replace(asked, **changes), out)


def change(table: Path, changed: Callable[[Rows], Rows]) -> None:
    """Write the table anew with other rows."""
    with table.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    write_rows(table, header, changed(rows))


def grow(table: Path) -> None:
    """Add 12 images, remove 2 and relabel 1; every third of the others gets a label more."""
    more = table.parent / "more"
    more.mkdir()
    added = [[f"more/{name}", ";".join(own)] for name, own in pictures(more, 12, seed=1)]

    def changed(rows: Rows) -> Rows:
        kept = [[name, labels] for name, labels in rows[2:]]
        kept[0][1] = "dark" if "dark" not in kept[0][1] else "red"
        for row in kept[1::3]:
            row[1] = ";".join(filter(None, [row[1], "third"]))
        return [*kept, *added]

    change(table, changed)


def planned(run: Path, table: Path, labels: TableSettings | None = None) -> PlannedGrowth:
    no_test = SplitSettings(test=0.0)
    asked = FitSettings(data=str(table), split=no_test, table=labels or TableSettings())
    return plan_growth(run, asked)


@pytest.mark.when_changed("studies")
def test_models_are_compared_by_the_labels_that_both_know(table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fitted(table, run)
    grow(table)
    plan = planned(run, table)
    assert plan.grown.changes.words == (
        "12 images added, 2 removed and 20 relabelled; label 'third' is new (19 images)"
    )
    (_, _, kept), *_ = planned_growth(plan).lines[:3], None
    assert kept == ("Kept", f"58 images of {run}, in their split and fold of then")
    found = run_growth(plan)
    growth = found.growth
    assert growth is not None
    assert growth.reason == ""
    before, now = read_former(run), read_former(found.path)
    shared = before.fold_of.keys() & now.fold_of.keys()
    assert len(shared) == 58
    assert all(now.fold_of[key] == before.fold_of[key] for key in shared)
    comparison = growth.comparison
    assert comparison is not None
    assert comparison.shared_labels == 3
    assert comparison.kept is not None
    assert comparison.changed is not None
    assert (comparison.kept.images, comparison.changed.images) == (57, 1)
    assert comparison.kept.difference.value == pytest.approx(
        comparison.kept.after - comparison.kept.before
    )
    assert comparison.new == ()
    (third,) = comparison.new_labels
    assert (third.label, third.images, third.positives) == ("third", 70, 19)
    assert growth.added is not None
    assert growth.added.images == 12
    said = str(growth)
    for words in (
        "by the 3 labels that both know", "the share of these labels told right",
        "Label 'third' is new: 19 of the 70 images", "12 added images, by the labels that both",
        "a share of",
    ):  # fmt: skip
        assert words in said
    assert growth == read_growth(found.path)
    scores = found.expected.label_scores
    assert scores is not None
    assert [each.label for each in scores.labels] == ["big", "dark", "red", "third"]


@pytest.mark.when_changed("studies")
def test_a_label_that_is_called_otherwise_is_the_same_and_a_further_fit_goes_on(
    table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    fitted(table, run)
    change(table, lambda rows: [[name, own.replace("red", "crimson")] for name, own in rows])
    plan = planned(run, table)
    assert plan.grown.changes.words == "label 'red' is now called 'crimson'"
    found = run_growth(plan)
    assert found.growth is not None
    assert found.growth.comparison is not None
    assert found.growth.comparison.shared_labels == 3
    assert found.growth.comparison.changed is None
    assert found.growth.comparison.new_labels == ()
    assert not planned(found.path, table).changed
    change(table, lambda rows: rows[1:])
    assert planned(found.path, table).grown.changes.words == "1 image removed"


@pytest.mark.when_changed("studies")
def test_validation_images_of_a_sweep_of_several_labels_judge_both_models(
    table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "sweep"
    run_study(
        small_settings(
            table, table=TABLE, image=ImageSettings(size=SIDE), select="best_loss", seeds=2
        ),
        run,
    )
    grow(table)
    plan = planned(run, table)
    found = run_growth(plan)
    growth = found.growth
    assert growth is not None
    assert growth.reason == ""
    assert growth.held_out == len(plan.grown.judges) > 10
    comparison = growth.comparison
    assert comparison is not None
    assert comparison.kept is not None
    assert "its whole model" in str(growth)
    images = comparison.kept.images + (comparison.changed.images if comparison.changed else 0)
    assert images + comparison.apart == growth.held_out


def test_one_class_and_several_labels_are_not_mixed(table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fitted(table, run)
    other = write_rows(tmp_path / "one.csv", ["path", "label"],
                       [[f"pictures/{n:03}.png", "ab"[n % 2]] for n in range(60)])  # fmt: skip
    with pytest.raises(DataError, match=r"several labels per image.*found one class per image"):
        planned(run, other, TableSettings(label_column="label"))


def test_without_a_label_that_both_know_there_is_no_verdict(table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fitted(table, run)
    change(
        table,
        lambda rows: [[name, "odd" if n % 2 else "even"] for n, (name, _) in enumerate(rows)],
    )
    growth = run_growth(planned(run, table)).growth
    assert growth is not None
    assert growth.comparison is None
    assert "labels that both" in growth.reason
