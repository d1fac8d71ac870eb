"""Where results are to go is looked at before the work, in every command."""

from __future__ import annotations

import os
from collections import namedtuple
from importlib import import_module
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.core import destinations
from manyheads.core.destinations import file_for, folder_for, require_room
from manyheads.errors import DiskError, SettingError


def test_what_can_be_written_is_returned_and_not_made(tmp_path: Path) -> None:
    assert folder_for(tmp_path) == tmp_path
    new = tmp_path / "a" / "b"
    assert folder_for(new) == new
    assert file_for(new / "c.html", suffixes=(".html",)) == new / "c.html"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/deeper", "lost", "lost/below"])
def test_what_stands_in_the_way_is_named(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingError, match=r"a folder at .*(file|lost), found a .*another `x`"):
        folder_for(tmp_path / place, "x")


def test_a_file_is_no_folder_and_has_its_ending(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"a file at .*, found a folder"):
        file_for(tmp_path)
    with pytest.raises(SettingError, match=r"ends with \.html"):
        file_for(tmp_path / "a.txt", suffixes=(".html",))


def test_what_may_not_be_written_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        DiskError, match="permission denied; name a place that you may write with `x`"
    ):
        folder_for(tmp_path / "new", "x")


def test_too_small_a_disk_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(destinations.shutil, "disk_usage", lambda _: usage(10, 0, 2_000_000))
    require_room(tmp_path / "new", 2_000_000)
    with pytest.raises(DiskError, match=r"3\.0 MB free on the disk of .*, found 2\.0 MB"):
        require_room(tmp_path / "new", 3_000_000)
    with pytest.raises(DiskError, match=r"2\.1 MB free on the disk of .*, found 2\.0 MB"):
        require_room(tmp_path / "new", 2_000_001)


class Worked(Exception):
    """The work has begun."""


@pytest.mark.parametrize(
    "command",
    [
        "sweep DATA --out PLACE", "fit DATA --out PLACE", "lesson DATA --out PLACE",
        "demo --out PLACE", "shortcut DATA --class cat --out PLACE",
        "explain RUN DATA --out PLACE", "export RUN --out PLACE/m.keras",
        "import RUN/best.keras --classes a b c --out PLACE/m.keras",
        "check DATA --similar --gallery PLACE/g.html", "report RUN --out PLACE/r.html",
        "check DATA --similar --write-groups PLACE/g.csv", "predict RUN DATA --out PLACE/p.csv",
    ],
)  # fmt: skip
def test_every_command_looks_before_it_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], small_run,
) -> None:  # fmt: skip
    def work(*_: object, **__: object) -> None:
        raise Worked

    for name in (
        "core.keras_process.call", "features.extraction.compile_backbone",
        "backbones.single_images.loaded", "run.data_check.check_dataset",
    ):  # fmt: skip
        module, _, function = f"manyheads.{name}".rpartition(".")
        monkeypatch.setattr(import_module(module), function, work)
    (tmp_path / "file").touch()
    words = {
        "DATA": str(small_run.path.parent / "images"), "RUN": str(small_run.path),
        "PLACE": str(tmp_path / "file"),
    }  # fmt: skip
    for word, meant in words.items():
        command = command.replace(word, meant)
    assert main(command.split()) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
