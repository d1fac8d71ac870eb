"""The place of a studio: names that are resolved, and names that lead out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manyheads.errors import DataError, ManyheadsError, RunError
from manyheads.web.studio.workspace import OWN_FOLDER, StudioPlace
from tests.unit.web.studio_kit import small_photos


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "place"
    (place / "runs" / "a").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return place


def test_a_run_is_found_by_its_name(place: Path) -> None:
    assert StudioPlace(place).run("runs/a") == place / "runs" / "a"


@pytest.mark.parametrize(
    "name",
    ["..", "../outside", "runs/../../outside", "/etc", "", ".", "runs\\a", "runs/a\0", "x" * 5000,
     "runs/b", OWN_FOLDER, f"runs/{OWN_FOLDER}", "runs/../../place/runs/a"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_no_run(place: Path, name: str) -> None:
    (place / OWN_FOLDER).mkdir()
    with pytest.raises(RunError):
        StudioPlace(place).run(name)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_link_that_leads_out_is_no_run_and_no_data(place: Path) -> None:
    (place / "runs" / "out").symlink_to(place.parent / "outside")
    (place / "runs" / "in").symlink_to(place / "runs" / "a")
    (place / "loop").symlink_to(place / "loop")
    desk = StudioPlace(place)
    for name in ("runs/out", "loop"):
        with pytest.raises(ManyheadsError):
            desk.run(name)
        with pytest.raises(ManyheadsError):
            desk.data(name)
    assert desk.run("runs/in") == place / "runs" / "in"


def test_a_place_that_is_itself_reached_by_a_link_works(place: Path) -> None:
    (place.parent / "link").symlink_to(place)
    assert StudioPlace(place.parent / "link").run("runs/a").is_dir()


def test_a_place_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder to open"):
        StudioPlace(tmp_path / "none")


def test_nothing_is_open_at_first_and_nothing_written(place: Path) -> None:
    desk = StudioPlace(place)
    assert (desk.current, desk.manifest, desk.opened()) == (None, None, None)
    assert not desk.own.exists()


def test_what_is_open_is_known_to_the_next_studio(place: Path) -> None:
    small_photos(place)
    StudioPlace(place).open("photos").wait()
    later = StudioPlace(place)
    assert later.current == place / "photos"
    opened = later.opened()
    assert opened is not None
    assert len(opened.dataset) == 24
    assert later.manifest is None


def test_data_that_are_gone_are_not_open(place: Path) -> None:
    small_photos(place)
    StudioPlace(place).open("photos").wait()
    (place / "photos").rename(place / "moved")
    later = StudioPlace(place)
    assert later.current is None
    assert later.opened() is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"current": 3}', '{"current": "../outside"}'])
def test_a_damaged_record_says_nothing(place: Path, content: str) -> None:
    (place / OWN_FOLDER).mkdir()
    (place / OWN_FOLDER / "data.json").write_text(content)
    assert StudioPlace(place).current is None


def test_data_that_cannot_be_used_say_why(place: Path) -> None:
    desk = StudioPlace(place)
    desk.open("runs")
    with pytest.raises(DataError):
        desk.opened()
    with pytest.raises(DataError):
        desk.open("none")


def test_the_manifest_is_written_when_it_is_asked_for(place: Path) -> None:
    small_photos(place)
    desk = StudioPlace(place)
    desk.open("photos")
    opened = desk.opened()
    assert opened is not None
    opened.decide("relabel", [0], "dog")
    assert not (place / "photos-decided.csv").exists()
    assert StudioPlace(place).manifest == place / "photos-decided.csv"
    assert desk.manifest == place / "photos-decided.csv"
