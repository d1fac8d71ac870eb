"""Studies that grow until they are decided: what they train, when they stop, how they resume."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import RunError, SettingError
from manyheads.findings.looks import Looks, planned_looks, read_looks
from manyheads.findings.study_findings import read_findings
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.run.until_decided import run_until_decided
from manyheads.stats.paired import ALPHA
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from tests.jobs import HeardJob
from tests.studies import outcome_of

QUICK = RunOptions(models=False)


@pytest.fixture
def study(tmp_path: Path) -> StudySettings:
    """A table of two classes that overlap, and two candidates that are as good as the same."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % 2
    values = random.standard_normal((240, 6)).astype(np.float32) + 1.2 * labels[:, None]
    np.save(tmp_path / "features.npy", values)
    rows = [f"{'cat' if label else 'dog'},{'train' if n < 120 else 'validation'}"
            for n, label in enumerate(labels)]  # fmt: skip
    (tmp_path / "table.csv").write_text("\n".join(["label,split", *rows, ""]))
    return StudySettings(
        data=str(tmp_path / "table.csv"),
        features=(str(tmp_path / "features.npy"),),
        grid=Grid(learning_rate=(0.01, 0.0101), size_inner=(4,), droprate=(0.0,), epochs=(2,)),
        seeds=2,
    )


@pytest.mark.parametrize(("repeats", "count"), [(None, 3), (1, 4), (2, 4)])
def test_looks_grow_and_spend_five_percent_together(repeats: int | None, count: int) -> None:
    looks = planned_looks(10, repeats)
    assert len(looks) == count
    assert sum(look.alpha for look in looks) == pytest.approx(ALPHA)
    assert all(look.alpha > 0 for look in looks)
    heads = [look.seeds * (look.repeats or 1) for look in looks]
    assert heads == sorted(set(heads))
    assert looks[0].seeds == 10


@pytest.mark.parametrize("folds", [None, 3])
def test_a_study_that_grew_equals_one_that_began_so_large(
    study: StudySettings, tmp_path: Path, folds: int | None
) -> None:
    small = replace(study, folds=folds, repeats=None if folds is None else 1)
    large = replace(small, seeds=4, repeats=None if folds is None else 2)
    run_study(small, tmp_path / "grown", options=QUICK)
    run_study(large, tmp_path / "grown", options=QUICK, grows=True)
    run_study(large, tmp_path / "at once", options=QUICK)
    assert outcome_of(tmp_path / "grown") == outcome_of(tmp_path / "at once")
    with Store(tmp_path / "grown" / "study.sqlite") as grown:
        assert [r.trial for r in grown.trials()] == list(large.trials())
        assert grown.has_predictions(after="last")


def test_a_study_does_not_grow_unasked_nor_shrink(study: StudySettings, tmp_path: Path) -> None:
    run_study(study, tmp_path / "run", options=QUICK)
    with pytest.raises(RunError, match=r"study\.seeds: 2 → 4"):
        run_study(replace(study, seeds=4), tmp_path / "run", options=QUICK)
    run_study(replace(study, seeds=3), tmp_path / "run", options=QUICK, grows=True)
    with pytest.raises(RunError, match=r"study\.seeds: 3 → 2"):
        run_study(study, tmp_path / "run", options=QUICK, grows=True)


def test_what_is_alike_on_few_images_is_hopeless_and_said_so(
    study: StudySettings, tmp_path: Path
) -> None:
    run_until_decided(study, tmp_path / "run", options=QUICK)
    folder = RunFolder(tmp_path / "run")
    looks = read_looks(folder)
    assert looks is not None
    assert (looks.outcome, looks.done) == ("hopeless", 1)
    findings = read_findings(folder)
    assert any("Look 1 of 3 (2 seeds)" in note for note in findings.verdict.notes)
    again = run_until_decided(study, tmp_path / "run", options=QUICK)
    assert again.trained == 0
    assert read_looks(folder) == looks


def test_a_large_difference_is_settled(study: StudySettings, tmp_path: Path) -> None:
    grid = replace(study.grid, learning_rate=(0.00001, 0.03), epochs=(6,))
    run_until_decided(replace(study, grid=grid, seeds=4), tmp_path / "run", options=QUICK)
    looks = read_looks(RunFolder(tmp_path / "run"))
    assert looks is not None
    assert looks.outcome == "settled"
    assert len(read_findings(RunFolder(tmp_path / "run")).verdict.best[1].candidates) == 1


@pytest.mark.when_changed("studies")
def test_a_budget_ends_it_and_more_of_it_goes_on(
    study: StudySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyheads.run.until_decided.HOPELESS", -1.0)
    monkeypatch.setattr("manyheads.run.until_decided.estimate", lambda _: _Slow())
    run_until_decided(study, tmp_path / "run", budget=60, options=QUICK)
    folder = RunFolder(tmp_path / "run")
    looks = read_looks(folder)
    assert looks is not None
    assert (looks.outcome, looks.done) == ("budget", 1)
    assert 0 < looks.seconds < 60
    job = HeardJob()
    run_until_decided(study, tmp_path / "run", options=QUICK, job=job)
    looks = read_looks(folder)
    assert looks is not None
    assert (looks.outcome, looks.done) == ("exhausted", 3)
    assert "Look 3 of 3 (8 seeds) at a level of 2.5 % out of 5 %: not settled by any of them." in (
        job.notes
    )


class _Slow:
    training = 1000.0


def test_a_study_that_was_seen_before_has_no_looks_left(
    study: StudySettings, tmp_path: Path
) -> None:
    run_study(study, tmp_path / "run", options=QUICK)
    with pytest.raises(RunError, match="may have been looked at already"):
        run_until_decided(study, tmp_path / "run", options=QUICK)
    with pytest.raises(SettingError, match="at least 2 seeds to begin with"):
        run_until_decided(replace(study, seeds=1), tmp_path / "other", options=QUICK)


def test_other_looks_than_those_begun_with_are_refused(
    study: StudySettings, tmp_path: Path
) -> None:
    run_until_decided(study, tmp_path / "run", options=QUICK)
    with pytest.raises(RunError, match="others, the first at 3 seeds"):
        run_until_decided(replace(study, seeds=3), tmp_path / "run", options=QUICK)


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"done": 7}, {"outcome": "won"}, {"planned": []}, {"planned": [{"seeds": 1}]}],
)
def test_a_damaged_record_is_an_error_and_never_none(tmp_path: Path, change: dict) -> None:
    looks = Looks(planned_looks(2, None))
    document = {
        "format": 1, "planned": [vars(look) for look in looks.planned], "done": 0, "seconds": 0.0,
        "outcome": "open",
    }  # fmt: skip
    folder = RunFolder(tmp_path)
    folder.looks.write_text(json.dumps(document))
    assert read_looks(folder) == looks
    folder.looks.write_text(json.dumps(document | change))
    with pytest.raises(RunError, match="the record of looks"):
        read_looks(folder)
