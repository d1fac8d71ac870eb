"""Understanding fits: what one head of the chosen setting said of images that it was kept from."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.data.dataset import open_dataset
from manyheads.data.manifest_writer import write_manifest
from manyheads.errors import RunError
from manyheads.run.fit import image_options
from manyheads.run.fit.fit_answers import FILE
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings, search_grid
from manyheads.run.run_answers import read_answers
from manyheads.study.space import Grid
from manyheads.web.studio.run_documents import run_document
from tests.shortcuts import SIDE, quadrant_images
from tests.studies import free_backbone
from tests.unit.web.studio_kit import StudioClient


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, own_cache: Path, tmp_path: Path) -> Path:
    """A fit of a folder, and one of a table of it without some images, on a free backbone."""
    del own_cache  # it is there

    def grid(copies: int) -> Grid:
        return Grid(
            (0.01, 0.05), (6,), (0.2,), augmented_copies=search_grid(copies).augmented_copies,
            learning_rate_schedule=("cosine",), epochs=(20,),
        )  # fmt: skip

    monkeypatch.setattr(image_options, "search_grid", grid)
    data = quadrant_images(tmp_path / "photos", 20, 5)
    write_manifest(tmp_path / "fewer.csv", open_dataset(data).without([0, 1, 2]))
    with free_backbone(monkeypatch, extraction=0.01):
        for name, source in (("whole", data), ("fewer", tmp_path / "fewer.csv")):
            asked = FitSettings(
                data=str(source), backbone="xception", size=SIDE, heads=2, budget=600.0
            )
            run_fit(asked, tmp_path / "runs" / name)
    return tmp_path


@pytest.mark.when_changed("commands")
def test_a_fit_is_told_by_what_is_expected_of_it(place: Path) -> None:
    studio = StudioClient(place)
    while (answer := studio.get("understand/run", run="runs/whole"))["found"] is None:
        pass
    found = answer["found"]
    assert found["kind"] == "fit"
    assert found["answer"][0].startswith("Expected on new images like these: accuracy ")
    assert found["images"] == 75
    assert "when it was left out of training" in found["measured_on"]
    assert found["comparisons"] == []
    assert len(found["tables"][0]["rows"]) >= 2
    # The images are shown with what the average said, whose accuracy is the expected one.
    assert found["answered_by"] == "an average of heads"
    assert found["verdict"][0].startswith("The model averages 2 heads. The images show what an av")
    accuracy = next(each for each in found["expected"] if each["metric"] == "accuracy")
    assert found["wrong"] / 75 == pytest.approx(1 - accuracy["value"])
    assert "at temperatures that were fitted on other images" in found["calibration"]
    assert sum(map(sum, found["confusion"]["counts"])) == 75
    page = studio.get("understand/images", run="runs/whole")
    assert page["total"] == found["wrong"]
    compared = studio.get("understand/compare", a="runs/whole", b="runs/fewer")
    assert compared["kept"]["images"] == 72
    assert compared["changed"] is None
    assert compared["command"] is None
    assert "one head per image" in " ".join(compared["sentences"])
    assert "3 images that only one run held out do not count" in " ".join(compared["sentences"])


@pytest.mark.when_changed("commands")
def test_a_fit_of_an_earlier_version_is_told_by_one_head_and_one_without_its_search_not(
    place: Path,
) -> None:
    path = place / "runs" / "whole"
    assert read_answers("runs/whole", path).averaged
    (path / FILE).unlink()
    former = run_document(read_answers("runs/whole", path))
    assert former["answered_by"] == "one head"
    assert "one head of this setting" in former["verdict"][0]
    for folder in (path / "search").iterdir():
        folder.rename(folder.with_name(f"other {folder.name}"))
    with pytest.raises(RunError, match="the study"):
        read_answers("runs/whole", path)
