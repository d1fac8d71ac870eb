"""A table as plain values and as plain text."""

from __future__ import annotations

from manyheads.core.table import Table, as_text, names, numbers, words

TABLE = Table(
    columns=[*names("class"), *numbers("images\nof it"), *words("")],
    rows=[("cat", "1,200", "← most"), ("red panda", "3", "")],
    totals=[("all", "1,203", "")],
)


def test_names_are_at_the_left_and_numbers_at_the_right() -> None:
    assert as_text(TABLE).splitlines() == [
        "           images",
        "class       of it",
        "cat         1,200  ← most",
        "red panda       3",
        "all         1,203",
    ]


def test_a_title_may_break_inside_a_name() -> None:
    (column,) = names("learning_\nrate\nfirst")
    assert column.heading == "learning_rate first"
    assert column.key
