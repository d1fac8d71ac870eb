"""What was probably meant by a command line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.cli import main
from manyheads.cli.main import build_parser
from manyheads.cli.synonyms import COMMANDS, OPTIONS


def said(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The error of a command line, without the usage above it."""
    with pytest.raises(SystemExit) as ended:
        main.main(line.split(" "))
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1].partition("error: ")[2]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("sweep x --dropout 0.2", "did you mean --droprate?"),
        ("sweep x --dorpout 0.2", "did you mean --droprate?"),
        ("sweep x --drop-rate 0.2", "did you mean --droprate?"),
        ("sweep x --size_inner 50", "did you mean --size-inner?"),
        ("sweep x --Seeds 3", "did you mean --seeds?"),
        ("sweep x -droprate 0.5", "did you mean --droprate?"),
        ("sweep x --lr 0.1", "did you mean --learning-rate?"),
        ("sweep x --lr=0.1", "did you mean --learning-rate?"),
        ("sweep x --bs 3", "did you mean --batch-size?"),
        ("sweep x --hidden 3", "did you mean --size-inner?"),
        ("sweep x --seed 3", "did you mean --seeds or --split-seed?"),
        ("sweep x --size 224", "did you mean --image-size or --size-inner?"),
        ("sweep x --output y", "did you mean --out?"),
        ("sweep x -o y", "did you mean --out?"),
        ("export x --output y", "did you mean --out?"),
        ("fit x --timeout 60", "did you mean --budget?"),
        ("fit x --imgsz 60", "did you mean --image-size?"),
        ("predict x y --topk 3", "did you mean --top?"),
        ("test x --candidates 3", "did you mean --candidate?"),
        ("sweep --data x", "DATA is given without an option in front"),
        ("sweep x --resume", "the same command goes on where it was stopped"),
        ("fit x --droprate 0.2", "--droprate is an option of manyheads sweep, manyheads lesson or "
         "manyheads shortcut"),
        ("--debug sweep", "write --debug behind the command"),
        ("sweep x --foobarbaz", "manyheads sweep --help names all options"),
    ],
)  # fmt: skip
def test_an_unknown_option_names_what_was_meant(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message = said(line, capsys)
    assert message.startswith("unknown option -")
    prog = f"manyheads {line.split()[0]}" if line[:2] != "--" else "manyheads"
    see = "" if "--help" in meant else f"{'' if meant[-1] == '?' else '.'} See {prog} --help"
    assert message.endswith(f"; {meant}{see}")


def test_each_of_several_unknown_options_has_its_own_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said("sweep x --lr 1 --bs 2", capsys) == (
        "unknown options --lr (did you mean --learning-rate?), "
        "--bs (did you mean --batch-size?). See manyheads sweep --help"
    )


@pytest.mark.parametrize("line", ["sweep x --epoch 3", "sweep x --batch 3", "sweep x --fold 3"])
def test_unambiguous_beginnings_of_options_are_understood(line: str) -> None:
    assert build_parser().parse_args(line.split()).command == "sweep"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("swep x", "did you mean manyheads sweep?"),
        ("Predict x", "did you mean manyheads predict?"),
        ("train x", "did you mean manyheads fit or manyheads sweep?"),
        ("trian x", "did you mean manyheads fit or manyheads sweep?"),
        ("evaluate x", "did you mean manyheads test?"),
        ("help", "did you mean manyheads --help?"),
    ],
)
def test_an_unknown_command_names_what_was_meant(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(line, capsys) == f"unknown command '{line.split()[0]}'; {meant}"


def test_data_without_a_command_is_taken_for_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meant = f"did you mean manyheads fit {tmp_path} or manyheads sweep {tmp_path}?"
    assert said(str(tmp_path), capsys).endswith(meant)
    assert "choose from check, split, " in said("nothing-like-it", capsys)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("sweep x --droprate 0,0.2", "0 0.2"),
        ("sweep x --droprate 0;0.2", "0 0.2"),
        ("sweep x --droprate [0, 0.2]", "0 0.2"),
        ("sweep x --droprate 0, 0.2 0.5,", "0 0.2 0.5"),
        ("sweep x --size-inner 50,100", "50 100"),
        ("sweep x --epochs 10,20", "10 20"),
        ("sweep x --optimizer adam,sgd", "adam sgd"),
        ("sweep x --droprate-schedule early:3,late:3", "early:3 late:3"),
        ("sweep x --augment flip,shift=0.1", "flip shift=0.1"),
        ("lesson x --learning-rate 0.1,0.01", "0.1 0.01"),
    ],
)
def test_values_may_be_separated_by_commas(line: str, values: str) -> None:
    setting = line.split()[2].removeprefix("--").replace("-", "_")
    parsed = build_parser().parse_args(line.split())
    assert getattr(parsed, setting) == values.split()


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("import x.h5 --out y.keras --classes cat,dog", "separate names by spaces: --classes cat "
         "dog"),
        ("sweep x --droprate 0,2", "'0,2' may be one number or two; write 0.2, or 0 2"),
        ("sweep x --droprate 0.5 ,2", "',2' may be one number or two; write .2, or 2"),
        ("sweep x --droprate ,", "give a value, such as --droprate 0.5"),
    ],
)  # fmt: skip
def test_a_list_that_may_mean_something_else_is_refused(
    line: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(line, capsys).endswith(f": {remedy}")


@pytest.mark.parametrize(
    ("option", "meant"), [("--drop", "--droprate"), ("--dense", "--size-inner")]
)
def test_anothers_word_that_begins_several_options_is_taken_for_what_it_means(
    option: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"did you mean {meant}?" in said(f"sweep x {option} 3", capsys)


def test_class_names_may_hold_commas_where_there_are_several() -> None:
    line = ["import", "x.h5", "--out", "y", "--classes", "cat, small", "dog"]
    assert build_parser().parse_args(line).classes == ["cat, small", "dog"]


def test_what_a_list_has_swallowed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("sweep --droprate 0 0.2 photos", capsys).endswith(
        "required: DATA; write DATA before --droprate, which takes all that follows"
    )


def test_a_decimal_comma_has_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("explain x y --alpha 0,3", capsys).endswith("write 0.3, with a decimal point")
    assert main.main(["fit", "x", "--test-share", "0,2"]) == 1
    assert "write 0.2, with a decimal point" in capsys.readouterr().err


def test_what_others_say_stands_for_what_there_is() -> None:
    """Each synonym stands for something that some command has."""
    commands = build_parser().commands
    options = {option for parser in commands.values() for option in parser.options}
    for name, meant in OPTIONS.items():
        assert any(f"--{each}" in options for each in meant), name
    assert not set(COMMANDS) & set(commands)
    for meant in COMMANDS.values():
        assert set(meant) <= {*commands, "--help", "--version"}
