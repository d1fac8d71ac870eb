"""The log of decisions: what steps amount to, undoing, and files that were torn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import DataError, DiskError
from manyheads.web.studio.decisions import (
    DecidedImage,
    DecidedState,
    DecisionLog,
    checked_value,
    like_another,
)

A, B, C = (DecidedImage.of(f"{name}.png", f"{ord(name):x}" * 32) for name in "abc")


@pytest.fixture
def log(tmp_path: Path) -> DecisionLog:
    return DecisionLog(tmp_path / "own" / "log.jsonl")


def test_steps_add_up(log: DecisionLog) -> None:
    log.add("relabel", [A, B], "dog")
    log.add("relabel", [A], "owl")
    log.add("move", [B], "test")
    log.add("leave out", [C])
    log.add("keep", [A, B], "label")
    log.add("keep", [A, B], "near")
    assert log.decided() == DecidedState(
        {A: "owl", B: "dog"}, {B: "test"}, {C},
        {("label", frozenset({"a.png"})), ("label", frozenset({"b.png"})),
         ("near", frozenset({"a.png", "b.png"}))},
    )  # fmt: skip
    log.add("as given", [A, B, C])
    assert log.decided().labels == log.decided().splits == {}
    assert log.decided().left_out == set()


def test_each_step_is_undone_and_done_again(log: DecisionLog) -> None:
    log.add("relabel", [A], "dog")
    log.add("relabel", [A], "owl")
    assert log.undo().value == "owl"
    assert log.decided().labels == {A: "dog"}
    assert log.undo().value == "dog"
    assert log.decided().labels == {}
    assert log.redo().value == "dog"
    assert log.redo().value == "owl"
    assert log.decided().labels == {A: "owl"}
    with pytest.raises(DataError, match="an undone decision"):
        log.redo()


def test_a_new_step_forgets_what_was_undone(log: DecisionLog) -> None:
    log.add("relabel", [A], "dog")
    log.undo()
    log.add("leave out", [A])
    assert log.undone == ()
    with pytest.raises(DataError):
        log.redo()


def test_there_is_nothing_to_undo_at_first(log: DecisionLog) -> None:
    with pytest.raises(DataError, match="a decision to undo"):
        log.undo()
    assert not log.file.exists()


def test_another_log_of_the_file_sees_every_step_at_once(log: DecisionLog) -> None:
    other = DecisionLog(log.file)
    assert other.steps == ()
    log.add("relabel", [A], "dog")
    assert [step.value for step in other.steps] == ["dog"]
    other.undo()
    assert log.steps == ()
    assert log.version == other.version


@given(st.lists(st.sampled_from(["relabel", "undo", "redo", "leave out"]), max_size=12))
def test_a_log_that_is_read_again_is_the_same(tmp_path_factory, kinds: list[str]) -> None:
    log = DecisionLog(tmp_path_factory.mktemp("log") / "log.jsonl")
    for place, kind in enumerate(kinds):
        try:
            if kind in ("undo", "redo"):
                getattr(log, kind)()
            else:
                log.add(kind, [A], f"class {place}" if kind == "relabel" else "")
        except DataError:
            pass
    again = DecisionLog(log.file)
    assert (again.steps, again.undone) == (log.steps, log.undone)


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_is_passed_over_and_what_follows_is_whole(
    log: DecisionLog, cut: int
) -> None:
    log.add("relabel", [A], "dog")
    log.add("relabel", [B], "owl")
    content = log.file.read_bytes()
    log.file.write_bytes(content[:-cut])
    again = DecisionLog(log.file)
    # Without its line end alone, the line is whole.
    assert len(again.steps) == (2 if cut == 1 else 1)
    again.add("leave out", [C])
    assert DecisionLog(log.file).decided().left_out == {C}
    assert len(DecisionLog(log.file).steps) == (3 if cut == 1 else 2)


@pytest.mark.parametrize("line", [b"3", b"null", b"{}", b'{"kind": "relabel"}', b"\xff\xfe"])
def test_lines_that_are_no_steps_are_passed_over(log: DecisionLog, line: bytes) -> None:
    log.add("relabel", [A], "dog")
    with log.file.open("ab") as file:
        file.write(line + b"\n")
    log.add("relabel", [B], "owl")
    assert [step.value for step in DecisionLog(log.file).steps] == ["dog", "owl"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("relabel", ""), ("relabel", "  "), ("relabel", "a\nb"), ("relabel", "x" * 201),
     ("relabel", "NaN"), ("move", "train set"), ("move", ""), ("burn", ""), ("relabel", "\u202e")],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(log: DecisionLog, kind: str, value: str) -> None:
    with pytest.raises(DataError):
        log.add(kind, [A], value)
    assert log.steps == ()


def test_a_class_is_composed_and_without_white_space_at_its_ends() -> None:
    assert checked_value("relabel", " cafe\u0301 ") == "caf\u00e9"


def test_a_name_like_another_is_told() -> None:
    assert like_another("Cat", ["cat", "dog"]) == "cat"
    assert like_another("cat", ["cat", "Cat"]) is None
    assert like_another("owl", ["cat"]) is None


def test_a_decision_is_about_images(log: DecisionLog) -> None:
    with pytest.raises(DataError, match="images to decide about"):
        log.add("leave out", [])


def test_words_name_one_image_and_count_several(log: DecisionLog) -> None:
    assert log.add("relabel", [A], "dog").words == "a.png: label 'dog'"
    assert log.add("leave out", [A, B]).words == "2 images: left out"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file")
    with pytest.raises(DiskError):
        DecisionLog(tmp_path / "own" / "log.jsonl").add("leave out", [A])
