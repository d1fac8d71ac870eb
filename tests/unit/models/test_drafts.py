"""A finished model gets to its place whole, folder or file, and replaces the one before."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import DiskError
from manyheads.models.card import card_path, read_card
from manyheads.models.drafts import drafts, put
from tests.unit.models.test_card import CARD


def finished(scratch: Path, text: str) -> Path:
    """A folder with a model that is a folder."""
    model = scratch / text / "model"
    (model / "variables").mkdir(parents=True)
    (model / "variables" / "data").write_text(text)
    return model.parent


def test_a_folder_replaces_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for text in ("old", "new"):
        with drafts(tmp_path / ".scratch") as scratch:
            put(finished(scratch, text), target, CARD)
        assert (target / "variables" / "data").read_text() == text
        assert read_card(target) == CARD
        assert sorted(tmp_path.iterdir()) == [target, card_path(target)]


def test_the_side_file_is_of_all_that_is_in_the_folder(tmp_path: Path) -> None:
    with drafts(tmp_path / ".scratch") as scratch:
        put(finished(scratch, "one"), tmp_path / "model", CARD)
    data = tmp_path / "model" / "variables" / "data"
    data.rename(data.with_name("other"))
    with pytest.raises(Exception, match="the side file of another model"):
        read_card(tmp_path / "model")


def test_where_the_new_folder_cannot_go_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, replace = tmp_path / "model", Path.replace
    with drafts(tmp_path / ".scratch") as scratch:
        put(finished(scratch, "old"), target, CARD)

    def full(self: Path, place: Path) -> Path:
        if self.parent.name == "new" and self.name == "model":
            raise OSError(28, "No space left on device")
        return replace(self, place)

    def again() -> None:
        with drafts(tmp_path / ".scratch") as scratch:
            new = finished(scratch, "new")
            monkeypatch.setattr(Path, "replace", full)
            put(new, target, CARD)

    with pytest.raises(DiskError, match="no space left"):
        again()
    assert (target / "variables" / "data").read_text() == "old"
    assert not (tmp_path / ".scratch").exists()
