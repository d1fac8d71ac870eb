"""The lesson's stages: which values they try, and who goes on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from manyheads.errors import RunError, SettingError
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.lesson import stages as module
from manyheads.lesson.stages import LessonSettings, run_stages
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.studies import study_settings


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[StudySettings, Path]]:
    """Studies that are asked for; each ranks its candidates from the last to the first."""
    asked: list[tuple[StudySettings, Path]] = []

    def run_study(settings: StudySettings, out: Path, **_: object) -> Any:
        asked.append((settings, out))
        count = len(settings.grid)
        ranking = [SimpleNamespace(candidate=number) for number in range(count, 0, -1)]
        if settings.seeds == 7:  # every head with an inner layer diverges
            ranking = [r for r in ranking if not settings.grid[r.candidate - 1].size_inner]
        result = SimpleNamespace(
            ranking=ranking, hyperparameters=lambda number: settings.grid[number - 1]
        )
        return SimpleNamespace(settings=settings, result=result)

    monkeypatch.setattr(module, "run_study", run_study)
    return asked


def test_the_lessons_own_values(asked) -> None:
    stages = list(run_stages(study_settings(), LessonSettings(), "out"))
    assert [settings.grid for settings, _ in asked] == [
        Grid((0.0001, 0.001, 0.01, 0.1), (0,), (0.0,), epochs=(10,)),
        Grid((0.1,), (0, 10, 100, 1000), (0.0,), epochs=(10,)),
        Grid((0.1,), (1000,), (0.0, 0.2, 0.5, 0.8), epochs=(30,)),
    ]
    names = ["1-learning-rate", "2-size-inner", "3-droprate"]
    assert [out for _, out in asked] == [Path("out") / name for name in names]
    assert [stage.name for stage in stages] == names
    assert stages[-1].winner == Hyperparameters(learning_rate=0.1, size_inner=1000, droprate=0.8)


def test_the_best_with_an_inner_layer_goes_on_to_the_dropout_rates(asked) -> None:
    lesson = LessonSettings(size_inner=(10, 100, 0))
    stages = list(run_stages(study_settings(), lesson, "out"))
    assert stages[1].winner.size_inner == 100
    assert asked[2][0].grid.size_inner == (100,)
    assert "dropout needs units to hide" in stages[1].rule


def test_without_a_head_that_has_an_inner_layer_there_is_no_third_stage(asked) -> None:
    with pytest.raises(RunError, match="at least one head with an inner layer that trains"):
        list(run_stages(study_settings(seeds=7), LessonSettings(), "out"))
    assert len(asked) == 2


def test_stages_are_yielded_as_they_are_finished(asked) -> None:
    stages = run_stages(study_settings(), LessonSettings(), "out")
    next(stages)
    assert len(asked) == 1


def test_everything_else_is_as_asked(asked) -> None:
    base = study_settings(seeds=4, batch_size=8, select="best_loss", backbone="vgg16")
    list(run_stages(base, LessonSettings(epochs=2, droprate_epochs=3), "out"))
    for settings, _ in asked:
        assert (settings.seeds, settings.grid.batch_size) == (4, (8,))
        assert (settings.select, settings.backbone) == ("best_loss", "vgg16")
    assert [settings.epochs for settings, _ in asked] == [2, 2, 3]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size_inner": (0,)}, "a size_inner above 0 for the dropout stage"),
        ({"size_inner": ("0",)}, "a size_inner above 0 for the dropout stage"),
        ({"size_inner": ()}, "at least one size_inner"),
        ({"droprate": (0.5, 1.0)}, "droprate"),
        ({"learning_rate": (0,)}, "learning_rate"),
        ({"epochs": 0}, "epochs"),
        ({"droprate_epochs": "x"}, "droprate_epochs"),
    ],
)
def test_a_bad_value_of_any_stage_is_refused_at_once(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        LessonSettings(**changes)


def test_text_becomes_numbers() -> None:
    text: list[Any] = [("0.1",), ("0", "5"), ("0.5",), "3", "4"]
    assert LessonSettings(*text) == LessonSettings((0.1,), (0, 5), (0.5,), 3, 4)
