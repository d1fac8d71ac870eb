"""`Study`, from Python."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from PIL import Image

import manyheads
from manyheads import Study
from manyheads.data.data_settings import SplitSettings
from manyheads.errors import BackboneError, DataError, RunError, SettingError
from manyheads.study.space import Grid
from tests.small_study import small_images
from tests.studies import free_backbone, rows_of


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with free_backbone(monkeypatch):
        yield small_images(tmp_path / "photos")


SMALL: dict[str, Any] = {"size_inner": 4, "epochs": 3, "seeds": 2, "image_size": 71}


def small(**changes: Any) -> dict[str, Any]:
    """What makes a study small, but for `changes`."""
    return SMALL | changes


COSINE: dict[str, Any] = {"learning_rate_schedule": ("cosine",)}


def test_the_defaults_are_the_lessons_dropout_rates() -> None:
    study = Study("photos")
    assert study.settings.grid == Grid((0.001,), (100,), (0.0, 0.2, 0.5, 0.8), **COSINE)
    assert (study.settings.epochs, study.settings.seeds, study.settings.image.size) == (30, 10, 299)
    assert study.path == Path("runs/photos")
    assert Study("photos", backbone="mobilenet_v2").settings.image.size == 224
    assert Study("photos", out="here").path == Path("here")


def test_values_and_lists_of_any_kind_make_the_grid() -> None:
    study = Study("x", droprate=0.5, learning_rate=[0.1, 0.01], size_inner=range(1, 4))
    assert study.settings.grid == Grid((0.1, 0.01), (1, 2, 3), (0.5,), **COSINE)


@pytest.mark.parametrize(
    "options",
    [{"droprate": 1.0}, {"droprate": []}, {"learning_rate": "fast"}, {"epochs": 0}, {"seeds": 1.5},
     {"image_size": 1}, {"select": "luck"}],
)  # fmt: skip
def test_a_bad_value_is_refused_at_once(options) -> None:
    with pytest.raises(SettingError):
        Study("photos", **options)
    with pytest.raises(BackboneError, match="did you mean xception"):
        Study("photos", backbone="exception")


def test_before_it_is_run_there_are_no_results() -> None:
    study = Study("photos")
    for name in ("scores", "results", "history", "best", "claims", "test_log", "left_out"):
        with pytest.raises(RunError, match=r"call run\(\) first"):
            getattr(study, name)
    assert repr(study) == (
        "<Study of photos in runs/photos: learning_rate 0.001; size_inner 100; "
        "droprate 0 0.2 0.5 0.8; 10 seeds, as many epochs as suit the images>"
    )


def test_scores_are_the_lessons_dictionary(photos: Path) -> None:
    study = Study(photos, droprate=[0.0, 0.5], **SMALL)
    assert study.run() is study
    scores = study.scores
    assert list(scores) == [0.0, 0.5]
    means = defaultdict(list)
    for row in rows_of(study.path / "history.csv"):
        means[float(row["droprate"]), int(row["epoch"])].append(float(row["val_accuracy"]))
    for rate in (0.0, 0.5):
        assert list(scores[rate]) == ["accuracy", "loss", "val_accuracy", "val_loss"]
        expected = [fmean(means[rate, epoch]) for epoch in (1, 2, 3)]
        assert scores[rate]["val_accuracy"] == pytest.approx(expected)
        assert all(type(value) is float for value in scores[rate]["loss"])


@pytest.mark.when_changed("studies")
def test_of_several_hyperparameters_the_keys_are_tuples_of_one_they_are_values(photos) -> None:
    both = Study(photos, droprate=[0.0, 0.5], **small(size_inner=[2, 4], seeds=1))
    assert list(both.run().scores) == [(2, 0.0), (2, 0.5), (4, 0.0), (4, 0.5)]
    alone = Study(photos, droprate=0.5, out="alone", **small(seeds=1))
    assert list(alone.run().scores) == [0.5]


def test_a_pruned_candidate_has_short_lists_and_says_so(photos: Path) -> None:
    rates = [0.0, 0.3, 0.6]
    study = Study(photos, droprate=rates, prune=3, patience=9, **small(epochs=9)).run()
    (best,) = [row["candidate"] for row in study.results if row["rank"] == 1]
    lengths = {rate: len(curves["val_loss"]) for rate, curves in study.scores.items()}
    assert lengths == {rate: 9 if rates[best - 1] == rate else 3 for rate in rates}
    assert [row["pruned_after"] for row in study.results].count(3) == 2
    lines = repr(study).splitlines()[3:]
    assert [line.endswith("  pruned after epoch 3") for line in lines].count(True) == 2
    assert lines[best - 1].endswith("← selected")


@pytest.mark.when_changed("studies")
def test_of_very_many_candidates_a_notebook_shows_the_best(photos: Path) -> None:
    rates = [number / 30 for number in range(25)]
    study = Study(photos, droprate=rates, **small(seeds=1, epochs=1)).run()
    lines = repr(study).splitlines()
    assert len(lines) == 3 + 20 + 1
    assert lines[-1] == "… 5 more in .results"


def test_results_are_rows_of_numbers(photos: Path) -> None:
    study = Study(photos, droprate=[0.0, 0.5], **small(seeds=1)).run()
    rows = study.results
    assert [row["candidate"] for row in rows] == [1, 2]
    assert sorted(row["rank"] for row in rows) == [1, 2]
    assert [row["droprate"] for row in rows] == [0.0, 0.5]
    for row, text in zip(rows, rows_of(study.path / "results.csv"), strict=True):
        assert row["min_val_loss_mean"] == float(text["min_val_loss_mean"])
        assert row["min_val_loss_std"] is None
        assert isinstance(row["trials"], int)


@pytest.mark.when_changed("studies")
def test_running_again_trains_nothing_and_says_the_same(photos: Path) -> None:
    first = Study(photos, **SMALL).run()
    again = Study(photos, **SMALL).run()
    assert again._finished is not None
    assert again._finished.trained == 0
    assert again._finished.features.passes == 0
    assert again.scores == first.scores
    with pytest.raises(RunError, match=r"grid\.epochs: 3 → 4"):
        Study(photos, out=first.path, **small(epochs=4)).run()


@pytest.mark.when_changed("studies")
def test_usual_epochs_are_known_once_a_study_has_run(photos: Path) -> None:
    study = Study(photos, droprate=0.5, **small(epochs=None, seeds=1)).run()
    assert study.settings.epochs == 1000  # an epoch of 21 images is one step
    assert len(study.scores[0.5]["loss"]) == 1000
    again = Study(photos, droprate=0.5, **small(epochs=None, seeds=1)).run()
    assert again.path == study.path
    assert again._finished is not None
    assert again._finished.trained == 0


@pytest.mark.when_changed("studies")
def test_a_changed_cell_runs_beside_the_study_before(photos: Path) -> None:
    made_before = Study(photos, **small(epochs=4))  # while the usual folder was free
    first = Study(photos, **SMALL).run()
    changed = Study(photos, **small(epochs=4))
    assert first.path == Path("runs/photos")
    assert changed.path.parent == Path("runs")
    assert changed.path.name.startswith("photos-")
    assert made_before.run().path == changed.run().path
    assert Study(photos, **SMALL).path == first.path
    assert Study(photos, **small(epochs=5)).path not in (first.path, changed.path)
    assert manyheads.open_study(changed.path).settings.epochs == 4


def test_it_shows_itself_in_a_notebook(photos: Path) -> None:
    study = Study(photos, droprate=[0.0, 0.5], **SMALL).run()
    lines = repr(study).splitlines()
    assert lines[0].startswith("<Study of photos in runs/photos: ")
    assert lines[1].split() == ["val_accuracy", "val_loss"] * 2
    assert lines[2].split()[:3] == ["droprate", "last", "epoch"]
    assert len(lines) == 5
    assert [line.endswith("← selected") for line in lines[3:]].count(True) == 1
    html = study._repr_html_()
    assert html.startswith("<p>Study of photos in runs/photos: ")
    assert html.count("<tr>") == 3
    assert html.endswith("</table>")


@pytest.mark.when_changed("studies")
def test_the_split_may_be_chosen(photos: Path) -> None:
    split = SplitSettings(validation=0.3, seed=4)
    study = Study(photos / "train", split=split, **SMALL).run()
    assert study._finished is not None
    assert study._finished.dataset.divided == split


def test_studies_of_a_folder_and_of_its_full_path_are_one(photos: Path) -> None:
    assert Study("photos").settings == Study(photos).settings
    assert Study("clothing").settings.data == "clothing"
    assert manyheads.Study is Study


@pytest.mark.when_changed("studies")
def test_paths_with_labels_are_the_study_of_their_manifest(photos: Path) -> None:
    paths = sorted(photos.glob("*/*/*.png"))
    columns = {
        "path": list(map(str, paths)),
        "label": [path.parent.name for path in paths],
        "split": [path.parents[1].name for path in paths],
    }
    study = Study(columns, droprate=[0.0, 0.5], **SMALL).run()
    of_folder = Study(photos, droprate=[0.0, 0.5], out="folder", **SMALL).run()
    assert study.scores == of_folder.scores
    assert study.path.name == Path(study.settings.data).stem
    again = Study(columns, droprate=[0.0, 0.5], **SMALL)
    assert (again.path, again.state.finished) == (study.path, True)
    assert again.run().scores == study.scores


@pytest.mark.when_changed("studies")
def test_images_in_memory_are_taken_by_every_verb(photos: Path, tmp_path: Path) -> None:
    paths = sorted(photos.glob("*/*/*.png"))
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    given = (pixels, [path.parent.name for path in paths])
    assert f"{len(paths)} images, " in str(manyheads.check(given))
    seen = manyheads.extract(given, image_size=71)
    assert len(seen.names) == len(paths)
    counts = manyheads.split(given, tmp_path / "divided.csv")
    assert sum(sum(each.values()) for each in counts.values()) == len(paths)
    study = Study(given, **SMALL).run()
    assert Study(given, **SMALL).state.finished
    assert study.path.name.startswith("images-")


@pytest.mark.parametrize("data", [7, ["a.png", "b.png"], np.zeros((2, 8, 8, 3))])
def test_data_of_another_type_are_told_with_what_is_taken(data: Any) -> None:
    for verb in (Study, manyheads.fit, manyheads.check, manyheads.extract, manyheads.run_lesson):
        with pytest.raises(DataError, match="a data frame with the columns path and label"):
            verb(data)
    with pytest.raises(SettingError, match=r"the file of an array \(.npy\).* save them"):
        Study("photos", features=np.zeros((2, 3)))  # pyright: ignore[reportArgumentType]
