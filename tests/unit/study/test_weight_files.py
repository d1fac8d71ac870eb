"""Files of class weights: what is read, what is refused, and what a study is known by."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.core.settings import digest
from manyheads.errors import SettingError
from manyheads.study.drawn_candidates import candidates_of
from manyheads.study.weight_files import read_class_weight

WEIGHTS = '{"hat": 2, "red panda": 0.5}'
LESSON = {"learning_rate": [0.1], "size_inner": [4], "droprate": [0.5]}


@pytest.mark.parametrize(
    "text",
    [
        "class,weight\nred panda,0.5\nhat,2\n",
        "hat,2\nred panda,0.5",
        "\ufeffClass;Weight\r\nhat;2.0\r\n\r\nred panda;5e-1\r\n",
        "hat\t2\nred panda\t0.5\n",
        '"hat", 2\n"red panda", 0.5\n',
        '{"hat": 2, "red panda": 0.5}',
        '\n {"red panda": 5e-1,\n  "hat": 2.0}',
    ],
)
def test_one_form_comes_of_all_that_say_the_same(text: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.txt"
    file.write_text(text, encoding="utf-8", newline="")
    assert read_class_weight(file) == WEIGHTS
    given = candidates_of({**LESSON, "class_weight": ["none", str(file)]})
    same = candidates_of({**LESSON, "class_weight": ["none", {"red panda": 0.5, "hat": 2}]})
    assert digest(given) == digest(same)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "none"),
        ("hat,2\nhat,3\n", "'hat' twice"),
        ('{"hat": 2, "hat": 3}', "'hat' twice"),
        ("hat,2,7\n", "3 cells in the line 'hat,2,7'"),
        ("hat\n", "1 cells"),
        ("hat,two\n", "the weight of class hat"),
        ("hat,0\n", "above 0"),
        ("hat,-1\n", "above 0"),
        ("hat,nan\n", "found nan"),
        ("hat,1e9\n", "1e+06"),
        ('{"hat": 2', "class weights in"),
        ('{"hat": [2]}', "the weight of class hat"),
        ('"hat,2', "class weights in"),
    ],
)
def test_what_is_no_weight_is_refused_in_one_line(text: str, found: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        read_class_weight(file)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="did you mean balanced"):
        candidates_of({**LESSON, "class_weight": ["balance"]})
    with pytest.raises(SettingError, match="no file of that name"):
        candidates_of({**LESSON, "class_weight": [str(tmp_path / "gone.csv")]})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00hat")
    with pytest.raises(SettingError, match="no UTF-8 text"):
        read_class_weight(tmp_path / "bytes")
    with pytest.raises(SettingError, match="no file of that name"):
        read_class_weight(tmp_path)
