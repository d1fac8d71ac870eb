"""Completion in shells: everything that the parser knows, and what a shell makes of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from manyheads.cli import main
from manyheads.cli.completion import SHELLS, completed_commands, completion
from manyheads.cli.main import build_parser

# Calls the function as bash does with the words of a line, the last of which is completed.
_BASH = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_manyheads
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_long_option_is_completed(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["--print-completion", shell])
    assert ended.value.code == 0
    script = capsys.readouterr().out
    assert script == completion(build_parser(), shell)
    assert script.isprintable() or all(line.isprintable() for line in script.splitlines())
    for name, parser in build_parser().commands.items():
        assert name.split()[-1] in script
        for option in parser.options:
            assert (option if shell != "fish" else option.lstrip("-")) in script


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["--print-completion", "tcsh"])
    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_commands_are_told_with_what_they_do() -> None:
    commands = {each.name: each for each in completed_commands(build_parser())}
    assert commands["features"].below == ("pack", "unpack")
    assert commands["features pack"].about.startswith("write the features")
    sweep = {name: option for option in commands["sweep"].options for name in option.names}
    assert sweep["--engine"].values == ("auto", "fused", "stacked", "keras")
    assert sweep["--droprate"].many
    assert sweep["--out"].files
    assert (sweep["--strict"].takes, sweep["--strict"].values) == ("", ())
    assert all(option.about for each in commands.values() for option in each.options)
    assert all(len(option.about) <= 74 for each in commands.values() for option in each.options)


@pytest.fixture
def bash(tmp_path: Path):
    """What bash offers for a line, whose last word is being written."""
    found = shutil.which("bash")
    if found is None:
        pytest.skip("no bash here")
    file = tmp_path / "completion.bash"
    file.write_text(completion(build_parser(), "bash"), encoding="utf-8")

    def offered(*words: str) -> list[str]:
        command = [found, "-u", "-c", _BASH, "bash", file.as_posix(), "manyheads", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        assert done.stderr == ""
        return done.stdout.split()

    return offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("sw", "sweep"),
        ("sweep --en", "--encoding --engine"),
        ("sweep --engine ", "auto fused stacked keras"),
        ("sweep data --engine st", "stacked"),
        ("sweep --engine = f", "fused"),  # bash makes three words of --engine=f
        ("sweep data ", ""),
        ("sweep --droprate 0.2 0.5 ", ""),
        ("sweep --droprate 0.2 --until", "--until-decided"),
        ("features ", "pack unpack"),
        ("features pack --stor", "--storage"),
        ("features unpack --stor", ""),
        ("explain x.png --method o", "occlusion"),
        ("predict sweep --engi", ""),  # a run folder of that name is no command
        ("--print-completion z", "zsh"),
    ],
)
def test_bash_offers_what_may_follow(bash, line: str, offered: str) -> None:
    assert bash(*line.split(" ")) == offered.split()


@pytest.mark.parametrize(("shell", "option"), [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")])
def test_shells_read_the_scripts(shell: str, option: str, tmp_path: Path) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} here")
    file = tmp_path / "script"
    file.write_text(completion(build_parser(), shell), encoding="utf-8")
    done = subprocess.run([found, option, str(file)], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
