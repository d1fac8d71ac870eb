"""Understanding a run, as a page asks for it: mistakes, doubts, and whether relabelling helped."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from manyheads.data.dataset import open_dataset
from manyheads.run.run_answers import read_answers
from tests.unit.web.studio_kit import CLASSES, StudioClient, coloured_photos, small_run

FIRST, SECOND = "runs/first", "runs/deep/second"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A place with wrong labels, and a run on them before and after they were put right."""
    place = tmp_path_factory.mktemp("place")
    right = coloured_photos(place)
    small_run(place, "photos.csv", FIRST, seeds=3)
    client = StudioClient(place)
    client.open("photos.csv")
    for label in CLASSES:
        names = [name for name, of in right.items() if of == label]
        client.decide("relabel", *names, value=label)
    assert client.desk.manifest == place / "photos-decided.csv"
    small_run(place, "photos-decided.csv", SECOND, models=False, seeds=3)
    return place, right


@pytest.fixture
def place(finished: tuple[Path, dict[str, str]], tmp_path: Path) -> Path:
    """The place anew, with nothing open and nothing decided; the runs know where their data are."""
    shutil.copytree(finished[0], tmp_path / "place")
    shutil.rmtree(tmp_path / "place" / ".manyheads-studio")
    return tmp_path / "place"


@pytest.fixture
def studio(place: Path) -> StudioClient:
    return StudioClient(place)


def told(studio: StudioClient, run: str = FIRST) -> dict[str, Any]:
    studio.get("understand/run", run=run)
    while (answer := studio.get("understand/run", run=run))["found"] is None:
        pass
    return answer["found"]


@pytest.mark.when_changed("commands")
def test_runs_are_listed_by_their_names(studio: StudioClient) -> None:
    assert sorted(studio.get("understand/runs")["runs"]) == [SECOND, FIRST]


def test_a_study_is_told_with_its_evidence(studio: StudioClient) -> None:
    found = told(studio)
    assert found["kind"] == "study"
    assert found["answer"][0].startswith("Use")
    assert found["verdict"]
    assert {each["metric"] for each in found["expected"]} == {"accuracy", "log loss"}
    assert found["images"] == 24
    assert [each["title"] for each in found["panels"]] == ["Reliability", "Risk by coverage"]
    assert {each["outcome"] for each in found["comparisons"]} <= {
        "better", "worse", "equivalent", "undecided",
    }  # fmt: skip
    counts = found["confusion"]["counts"]
    assert sum(map(sum, counts)) == 24
    assert sum(counts[n][n] for n in range(3)) == 24 - found["wrong"]


def test_a_cell_of_the_confusion_opens_its_images(studio: StudioClient) -> None:
    confusion = told(studio)["confusion"]
    for row, label in enumerate(confusion["classes"]):
        for column, answer in enumerate(confusion["classes"]):
            page = studio.get("understand/images", run=FIRST, label=label, answer=answer)
            assert page["total"] == confusion["counts"][row][column]
            assert all((i["label"], i["predicted"]) == (label, answer) for i in page["images"])
    assert "choose one" in studio.get(
        "understand/images", 400, run=FIRST, label="x", answer="cat"
    )["error"]  # fmt: skip


def test_wrong_images_come_by_confidence_and_are_those_with_wrong_labels(
    studio: StudioClient, finished: tuple[Path, dict[str, str]]
) -> None:
    page = studio.get("understand/images", run=FIRST, count=200)
    shares = [each["confidence"] for each in page["images"]]
    assert shares == sorted(shares, reverse=True)
    assert all(each["given"] < each["confidence"] for each in page["images"])
    planted = {name for name in finished[1] if "validation" in name}
    seen = {each["name"]: each for each in page["images"]}
    # Colours are easy: nearly all that is wrong is a wrong label.
    assert planted <= set(seen)
    assert all(seen[name]["predicted"] == finished[1][name] for name in planted)
    assert len(seen) <= len(planted) + 3
    parts = [studio.get("understand/images", run=FIRST, start=n, count=1) for n in range(3)]
    assert [each["images"][0] for each in parts] == page["images"][:3]


def test_pictures_are_found_by_their_content(studio: StudioClient) -> None:
    image = studio.get("understand/images", run=FIRST)["images"][0]
    answer = studio.ask("GET", f"understand/pictures/{image['image']}", params={"run": FIRST})
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)
    for query in ({"run": FIRST, "size": 100}, {"run": "runs/none"}, {"run": "../x"}):
        assert studio.ask("GET", "understand/pictures/0", params=query).status_code == 400
    assert "number of an image" in studio.get("understand/pictures/24", 400, run=FIRST)["error"]


@pytest.mark.when_changed("pages")
def test_where_the_model_looked_is_told_on_demand(studio: StudioClient) -> None:
    image = studio.get("understand/images", run=FIRST)["images"][0]["image"]
    seen = studio.get(f"understand/pictures/{image}/explanation", run=FIRST)
    assert seen["label"] in CLASSES
    assert 0 <= seen["confidence"] <= 1
    assert seen["overlay"].startswith("data:image/jpeg;base64,")
    assert "probability" in seen["words"]


def test_a_doubt_needs_data_that_hold_the_image(studio: StudioClient) -> None:
    image = studio.get("understand/images", run=FIRST)["images"][0]
    assert image["known"] == 0
    body = {"run": FIRST, "image": image["image"], "kind": "relabel", "value": "cat"}
    assert "open" in studio.post("understand/decide", 400, **body)["error"]


@pytest.mark.parametrize("data", ["photos.csv", "photos-decided.csv"])
def test_a_doubt_is_a_decision_about_whichever_data_hold_the_image(
    studio: StudioClient, data: str
) -> None:
    studio.open(data)
    page = studio.get("understand/images", run=FIRST)
    image = next(each for each in page["images"] if each["name"].endswith("-00.png"))
    assert image["known"] == 1
    body = {"run": FIRST, "image": image["image"], "kind": "relabel", "value": "lynx"}
    answer = studio.post("understand/decide", **body)
    assert answer["said"] == f"{image['name']}: label 'lynx'"
    assert answer["image"]["now"] == "lynx"
    assert answer["image"]["label"] == image["label"]  # what it was in the run
    manifest = studio.desk.manifest
    assert manifest is not None
    decided = open_dataset(manifest)
    row = [decided.name_of(n) for n in range(len(decided))].index(image["name"])
    assert decided.classes[decided.labels[row]] == "lynx"


def test_relabelling_is_judged_on_images_whose_labels_stayed(studio: StudioClient) -> None:
    found = studio.get("understand/compare", a=FIRST, b=SECOND)
    assert found["kept"]["images"] == 18
    assert found["changed"]["images"] == 6
    low, high = (found["kept"]["difference"][end] for end in ("low", "high"))
    assert low <= found["kept"]["difference"]["value"] <= high
    assert found["changed"]["after"] >= found["changed"]["before"]
    headline, changed, *rest = found["sentences"]
    assert headline.startswith("On 18 images that both runs held out")
    assert "Not in this verdict: 6 images" in changed
    assert "favours the later run" in changed
    assert any("test images" in each for each in rest)
    assert found["command"] == f"manyheads compare {FIRST} {SECOND}"


def test_the_other_way_round_the_difference_has_the_other_sign(studio: StudioClient) -> None:
    one = studio.get("understand/compare", a=FIRST, b=SECOND)["kept"]
    other = studio.get("understand/compare", a=SECOND, b=FIRST)["kept"]
    assert one["difference"]["value"] == pytest.approx(-other["difference"]["value"])
    assert (one["before"], one["after"]) == (other["after"], other["before"])


def test_a_run_is_not_compared_with_itself(studio: StudioClient) -> None:
    assert "twice" in studio.get("understand/compare", 400, a=FIRST, b=FIRST)["error"]


def test_a_run_whose_images_are_gone_is_still_told(
    finished: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    place = tmp_path / "place"
    shutil.copytree(finished[0] / "runs", place / "runs")
    document = place / FIRST / "study.toml"
    text = document.read_text(encoding="utf-8")
    document.write_text(text.replace(str(finished[0]), str(tmp_path / "gone")), encoding="utf-8")
    studio = StudioClient(place)
    found = told(studio)
    assert (found["pictures"], found["data"]) == (False, None)
    image = studio.get("understand/images", run=FIRST)["images"][0]
    assert image["file"] is False
    answer = studio.ask("GET", f"understand/pictures/{image['image']}", params={"run": FIRST})
    assert "no such file" in answer.text
    address = f"understand/pictures/{image['image']}/explanation"
    assert "restore" in studio.get(address, 400, run=FIRST)["error"]


def test_an_unfinished_run_says_so(place: Path) -> None:
    (place / "runs" / "empty").mkdir()
    studio = StudioClient(place)
    for name in ("runs/empty", "runs/none", "../x", ""):
        assert "expected" in studio.get("understand/run", 400, run=name)["error"]


def test_answers_are_those_of_heads_that_did_not_train_on_the_image(place: Path) -> None:
    found = read_answers("x", place / FIRST)
    assert found.whole.shape == (3, 24, 3)
    assert len(found.names) == len(found.labels) == 24
    assert set(found.names) == {
        f"pictures/validation/{label}-{number:02d}.png" for label in CLASSES for number in range(8)
    }
