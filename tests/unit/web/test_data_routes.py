"""Data, as a page asks for them: opening, looking, deciding, and the manifest that comes of it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from manyheads.data.dataset import open_dataset
from tests.strategies import distinct_image
from tests.unit.web.studio_kit import CLASSES, StudioClient, small_photos


@pytest.fixture
def place(tmp_path: Path) -> Path:
    small_photos(tmp_path)
    return tmp_path


@pytest.fixture
def studio(place: Path) -> StudioClient:
    client = StudioClient(place)
    client.open("photos")
    return client


def test_what_could_be_opened_is_listed(place: Path) -> None:
    (place / "list.csv").write_text("path,label\nphotos/a.png,cat\n")
    (place / "other.csv").write_text("epoch,loss\n1,2\n")
    (place / ".hidden" / "cat").mkdir(parents=True)
    (place / "runs" / "a").mkdir(parents=True)
    (place / "runs" / "a" / "study.toml").write_text("")
    small_photos(place / "more", name="inner")
    found = StudioClient(place).get("data/choices")["choices"]
    assert {(each["name"], each["kind"]) for each in found} == {
        ("list.csv", "manifest"), ("photos", "folder"), ("more/inner", "folder"),
        ("more", "folder"),
    } - {("more", "folder")}  # fmt: skip


def test_a_place_that_is_itself_a_data_set_is_its_first_choice(place: Path) -> None:
    found = StudioClient(place / "photos").get("data/choices")["choices"]
    assert found[0] == {"name": ".", "kind": "folder", "classes": 3}


def test_nothing_is_open_at_first(place: Path) -> None:
    client = StudioClient(place)
    state = client.get("data")
    assert (state["current"], state["opening"]) == (None, None)
    assert "open a folder" in client.get("data/check", 400)["error"]


def test_the_state_counts_classes_by_split(studio: StudioClient) -> None:
    state = studio.state()
    assert state["images"] == 24
    assert state["splits"] == ["train", "validation", "test"]
    assert [(each["name"], each["counts"]) for each in state["classes"]] == [
        (name, [4, 4, 0]) for name in CLASSES
    ]
    assert (state["changed"], state["out"], state["manifest"], state["problem"]) == (0, 0, None, "")
    assert state["commands"][1] == "manyheads fit photos"


@pytest.mark.parametrize("name", ["..", "/etc", "none", "photos/../..", ""])
def test_what_is_not_below_the_place_is_not_opened(studio: StudioClient, name: str) -> None:
    assert "expected" in studio.post("data/open", 400, name=name)["error"]
    assert studio.state()["name"] == "photos"


def test_data_that_cannot_be_used_say_why(place: Path) -> None:
    (place / "empty").mkdir()
    client = StudioClient(place)
    client.post("data/open", name="empty")
    state = client.get("data")
    assert state["current"] is None
    assert "expected" in state["opening"]["error"]


def test_images_come_in_pages_by_split_and_class(studio: StudioClient) -> None:
    token = studio.state()["token"]
    first = studio.get("data/images", of=token, split="train", label="dog", count=3)
    assert first["total"] == 4
    assert [each["name"] for each in first["images"]] == [f"train/dog/{n}.png" for n in range(3)]
    rest = studio.get("data/images", of=token, split="train", label="dog", count=3, start=3)
    assert [each["name"] for each in rest["images"]] == ["train/dog/3.png"]
    assert studio.get("data/images", of=token, state="changed")["total"] == 0
    for query in ({"split": "x"}, {"label": "x"}, {"state": "x"}):
        assert "expected" in studio.get("data/images", 400, of=token, **query)["error"]


def test_a_picture_is_small_and_known_by_its_content(studio: StudioClient) -> None:
    token, number = studio.state()["token"], studio.number("train/cat/0.png")
    query = {"of": token, "size": 96}
    answer = studio.ask("GET", f"data/pictures/{number}", params=query)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (40, 40)
    tag = {"If-None-Match": answer.headers["etag"]}
    again = studio.ask("GET", f"data/pictures/{number}", params=query, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert studio.ask("GET", "data/pictures/99", params=query).status_code == 400
    assert studio.ask("GET", "data/pictures/0", params=query | {"size": 97}).status_code == 400


def test_a_file_that_is_no_image_has_a_drawing_that_says_so(place: Path) -> None:
    (place / "photos" / "train" / "cat" / "0.png").write_bytes(b"no image at all")
    client = StudioClient(place)
    token = client.open("photos")["token"]
    number = client.number("train/cat/0.png")
    answer = client.ask("GET", f"data/pictures/{number}", params={"of": token})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "cannot be read" in answer.text


def test_numbers_of_data_that_have_changed_are_refused(studio: StudioClient, place: Path) -> None:
    old = studio.state()["token"]
    distinct_image("new", 40).save(place / "photos" / "train" / "cat" / "00.png")
    assert studio.open("photos")["token"] != old
    body = {"of": old, "kind": "leave out", "images": [0]}
    assert "load the page again" in studio.post("data/decide", 400, **body)["error"]
    assert "load the page again" in studio.get("data/images", 400, of=old)["error"]
    # A page that still shows them, whose pictures come late, has no error for that.
    assert "other data" in studio.ask("GET", "data/pictures/0", params={"of": old}).text


def test_a_relabelled_image_is_counted_and_shown_as_its_new_class(studio: StudioClient) -> None:
    name = "train/cat/0.png"
    answer = studio.decide("relabel", name, "train/cat/1.png", value="dog")
    assert answer["said"] == "2 images: label 'dog'"
    counts = {each["name"]: each["counts"] for each in answer["current"]["classes"]}
    assert counts == {"cat": [2, 4, 0], "dog": [6, 4, 0], "owl": [4, 4, 0]}
    token = answer["current"]["token"]
    (first, _) = studio.get("data/images", of=token, state="changed")["images"]
    assert (first["name"], first["label"], first["given"]) == (name, "dog", "cat")


def test_a_new_class_may_be_named_unless_it_is_like_another(studio: StudioClient) -> None:
    answer = studio.decide("relabel", "train/cat/0.png", value="lynx")
    assert answer["current"]["classes"][-1] == {"name": "lynx", "counts": [1, 0, 0], "new": True}
    refused = studio.decide("relabel", "train/cat/1.png", value="Cat", status=400)
    assert "'cat'" in refused["error"]


def test_the_manifest_holds_the_decisions_and_nothing_else(
    studio: StudioClient, place: Path
) -> None:
    before = {path: path.read_bytes() for path in (place / "photos").rglob("*.png")}
    studio.decide("relabel", "train/cat/0.png", value="dog")
    studio.decide("leave out", "train/owl/1.png")
    studio.decide("move", "train/owl/2.png", value="test")
    answer = studio.post("data/manifest", of=studio.state()["token"])
    assert answer["current"]["manifest"] == "photos-decided.csv"
    assert answer["current"]["commands"][1] == "manyheads fit photos-decided.csv"
    was, now = open_dataset(place / "photos"), open_dataset(place / "photos-decided.csv")
    rows = {now.name_of(i).removeprefix("photos/"): i for i in range(len(now))}
    assert len(now) == len(was) - 1
    for image in range(len(was)):
        name = was.name_of(image)
        if name == "train/owl/1.png":
            assert name not in rows
            continue
        label = "dog" if name == "train/cat/0.png" else was.classes[was.labels[image]]
        split = "test" if name == "train/owl/2.png" else was.splits[image]
        row = rows[name]
        assert (now.classes[now.labels[row]], now.splits[row]) == (label, split)
        assert now.digests[row] == was.digests[image]
    assert {path: path.read_bytes() for path in (place / "photos").rglob("*.png")} == before


def test_what_is_undone_is_as_given_and_has_no_manifest(studio: StudioClient) -> None:
    studio.decide("relabel", "train/cat/0.png", value="dog")
    token = studio.state()["token"]
    answer = studio.post("data/undo", of=token)
    assert answer["said"] == "Undone: train/cat/0.png: label 'dog'"
    assert (answer["current"]["changed"], answer["current"]["redo"]) == (
        0,
        "train/cat/0.png: label 'dog'",
    )
    assert studio.desk.manifest is None
    assert "something decided" in studio.post("data/manifest", 400, of=token)["error"]
    assert studio.post("data/redo", of=token)["current"]["changed"] == 1
    assert "none" in studio.post("data/redo", 400, of=token)["error"]


def test_manifests_are_never_written_over(studio: StudioClient, place: Path) -> None:
    studio.decide("relabel", "train/cat/0.png", value="dog")
    first = studio.desk.manifest
    assert first is not None
    content = first.read_bytes()
    studio.decide("relabel", "train/cat/1.png", value="dog")
    second = studio.desk.manifest
    assert second == place / "photos-decided-2.csv"
    assert first.read_bytes() == content
    studio.post("data/undo", of=studio.state()["token"])
    assert studio.desk.manifest == first  # the same decisions have a manifest already
    with first.open("a", encoding="utf-8") as file:
        file.write("photos/train/cat/9.png,cat,train,\n")
    assert studio.desk.manifest == place / "photos-decided-3.csv"  # it was changed by hand


def test_a_manifest_may_have_a_name(studio: StudioClient, place: Path) -> None:
    studio.decide("leave out", "train/cat/0.png")
    token = studio.state()["token"]
    for name in ("../x.csv", "a/b.csv", ".csv", "x.txt", "a\\b.csv"):
        assert "expected" in studio.post("data/manifest", 400, of=token, name=name)["error"]
    (place / "taken.csv").write_text("mine")
    assert "overwritten" in studio.post("data/manifest", 400, of=token, name="taken.csv")["error"]
    assert (place / "taken.csv").read_text() == "mine"
    studio.post("data/manifest", of=token, name="mended.csv")
    assert len(open_dataset(place / "mended.csv")) == 23


def test_decisions_outlive_the_server_and_find_their_images_again(place: Path) -> None:
    first = StudioClient(place)
    first.open("photos")
    first.decide("relabel", "train/cat/0.png", value="dog")
    first.decide("relabel", "train/cat/1.png", value="dog")
    distinct_image("another", 40).save(place / "photos" / "train" / "cat" / "1.png")
    later = StudioClient(place)
    later.desk.opened()
    state = later.state()
    assert (state["changed"], state["missing"], state["step_count"]) == (1, 1, 2)


def test_decisions_that_leave_nothing_to_train_on_say_so(studio: StudioClient) -> None:
    names = [f"{split}/{name}/{n}.png" for split in ("train", "validation")
             for name in CLASSES[1:] for n in range(4)]  # fmt: skip
    state = studio.decide("leave out", *names)["current"]
    assert "two or more classes" in state["problem"]
    assert "two or more" in studio.post("data/manifest", 400, of=state["token"])["error"]


def test_a_manifest_that_was_opened_has_its_next_beside_it(place: Path) -> None:
    client = StudioClient(place)
    client.open("photos")
    client.decide("relabel", "train/cat/0.png", value="dog")
    assert client.desk.manifest is not None
    client.open("photos-decided.csv")
    client.decide("relabel", "photos/train/cat/1.png", value="dog")
    assert client.desk.manifest == place / "photos-decided-2.csv"
    found = open_dataset(place / "photos-decided-2.csv")
    assert (found.labels == list(found.classes).index("dog")).sum() == 10


def test_a_place_that_is_the_data_keeps_its_manifest_inside(place: Path) -> None:
    client = StudioClient(place / "photos")
    client.open(".")
    client.decide("relabel", "train/cat/0.png", value="dog")
    assert client.desk.manifest == place / "photos" / "photos-decided.csv"
    assert len(open_dataset(place / "photos" / "photos-decided.csv")) == 24
    assert len(open_dataset(place / "photos")) == 24


def test_a_check_without_a_backbone_finds_files_and_contents(place: Path) -> None:
    photos = place / "photos"
    (photos / "train" / "cat" / "3.png").write_bytes(b"no image at all")
    shutil.copy(photos / "train" / "dog" / "0.png", photos / "validation" / "owl" / "copy.png")
    client = StudioClient(place)
    token = client.open("photos")["token"]
    client.post("data/check")
    found = _checked(client)
    assert [(each["kind"], each["total"], each["open"]) for each in found["sections"]] == [
        ("unreadable", 1, 1),
        ("same", 1, 1),
    ]
    assert found["command"] == "manyheads check photos"
    assert any("cannot be read" in each or "unreadable" in each for each in found["problems"])
    (pair,) = client.get("data/findings", of=token, kind="same")["findings"]
    assert [each["name"] for each in pair["images"]] == [
        "train/dog/0.png",
        "validation/owl/copy.png",
    ]
    assert pair["words"] == "across splits, with different labels"
    client.decide("keep", "train/dog/0.png", "validation/owl/copy.png", value="same")
    client.decide("leave out", "train/cat/3.png")
    assert [each["open"] for each in client.state()["check"]["found"]["sections"]] == [0, 0]
    assert client.get("data/findings", of=token, kind="same")["total"] == 0
    assert client.get("data/findings", of=token, kind="same", settled=True)["total"] == 1
    later = StudioClient(place)
    later.desk.opened()
    assert [each["open"] for each in later.state()["check"]["found"]["sections"]] == [0, 0]


def test_a_check_asks_for_names_and_never_for_paths(studio: StudioClient) -> None:
    for body in ({"backbone": "/etc/passwd"}, {"backbone": "x"}, {"weights": "../w.npz"}):
        refused = studio.post("data/check", 400, labels=True, **body)
        assert "expected" in refused["error"]
    assert studio.state()["check"] == {"task": None, "found": None}


def test_findings_need_a_check(studio: StudioClient) -> None:
    token = studio.state()["token"]
    assert "check first" in studio.get("data/findings", 400, of=token, kind="same")["error"]


def _checked(client: StudioClient) -> dict:
    opened = client.desk.opened()
    assert opened is not None
    while (state := client.get("data/check"))["task"]["running"]:
        pass
    assert state["task"]["error"] is None
    return state["found"]
