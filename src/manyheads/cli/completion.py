"""`manyheads --print-completion SHELL`: a script that completes commands and options in a shell.

Everything in it comes from the parser, so that a new option is completed without a line here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from manyheads.cli.parser import Parser

SHELLS = ("bash", "zsh", "fish")

_FILES = ("FILE", "FOLDER", "DATA", "RUN", "MODEL", "IMAGE", "SOURCE", "PATTERN", "WHERE")
_LONGEST = 72  # characters of what a menu says of an option


@dataclass(frozen=True)
class CompletedOption:
    """An option: its names, what it does, and what it takes.

    `takes` is the name of its value, empty for a flag; `many` says that several may follow;
    `values` are those known beforehand, and `files` says that it takes paths.
    """

    names: tuple[str, ...]
    about: str
    takes: str
    many: bool
    values: tuple[str, ...]
    files: bool


@dataclass(frozen=True)
class CompletedCommand:
    """A command, such as `features pack`, with its options; `below` are commands behind it."""

    name: str
    about: str
    options: tuple[CompletedOption, ...]
    below: tuple[str, ...]

    @property
    def last(self) -> str:
        """The last word of the name."""
        return self.name.rpartition(" ")[2]


class PrintCompletion(argparse.Action):
    """Print the script of a shell, and end."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        del namespace, option_string  # which argparse gives
        assert isinstance(parser, Parser)
        print(completion(parser, str(values)), end="")
        parser.exit()


def completion(parser: Parser, shell: str) -> str:
    """The script that makes `shell`, one of `SHELLS`, complete the commands of `parser`."""
    writers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return "\n".join(writers[shell](parser.prog, completed_commands(parser))) + "\n"


def completed_commands(parser: Parser) -> list[CompletedCommand]:
    """The commands of `parser`, that of the empty name, the parent, first."""
    abouts = {"": parser.description or ""}
    parents = {"": parser, **parser.commands}
    for name, each in parents.items():
        for action in _subcommands(each):
            for choice in action._get_subactions():
                abouts[f"{name} {choice.dest}".strip()] = choice.help or ""
    return [
        CompletedCommand(
            name,
            _brief(abouts.get(name, "")),
            tuple(_options(each)),
            tuple(below for action in _subcommands(each) for below in action.choices),
        )
        for name, each in parents.items()
    ]


def _subcommands(parser: Parser) -> list[argparse._SubParsersAction[Any]]:
    return [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]


def _options(parser: Parser) -> Iterator[CompletedOption]:
    formatter, known = parser._get_formatter(), _known_values()
    for action in parser._actions:
        if not action.option_strings:
            continue
        takes = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
        values = tuple(map(str, action.choices or known.get(action.dest, ())))
        yield CompletedOption(
            tuple(action.option_strings),
            _brief(formatter._expand_help(action)),
            takes,
            action.nargs in ("+", "*"),
            values if takes else (),
            takes in _FILES,
        )


def _known_values() -> dict[str, tuple[str, ...]]:
    """The words that options take which say in their own way what is wrong with others."""
    from manyheads.data.data_settings import DECODES, INTERPOLATIONS
    from manyheads.data.group_rules import EXIF, PARENT
    from manyheads.heads.bank import ENGINES
    from manyheads.heads.epoch_rules import EPOCH_RULES, SCORE_RULES

    return {
        "decode": DECODES,
        "device": ("auto", "cpu", "gpu", "npu", "cuda"),
        "engine": ENGINES,
        "group_by": (PARENT, f"{EXIF}Model"),
        "interpolation": INTERPOLATIONS,
        "resize": ("squash", "crop", "pad"),
        "runtime": ("auto", "openvino", "keras", "onnxruntime"),
        "select": (*EPOCH_RULES, *SCORE_RULES),
    }


def _brief(text: str) -> str:
    """What a help says first: without defaults and what stands behind a colon or semicolon."""
    words = re.split(r" \(default| \(|[;:] ", " ".join(text.split()))[0].rstrip(".")
    if len(words) <= _LONGEST:
        return words
    return f"{words[:_LONGEST].rpartition(' ')[0].rstrip(',')} …"


def _bash(program: str, commands: Sequence[CompletedCommand]) -> Iterator[str]:
    name = f"_{program}"
    yield f'# {program} in bash. In ~/.bashrc: eval "$({program} --print-completion bash)"'
    yield f"{name}() {{"
    yield "    local current=${COMP_WORDS[COMP_CWORD]} command= option= since=0 place word"
    yield "    local options= values= takes=flag"
    yield "    COMPREPLY=()"
    yield "    [[ $current != = ]] || current="  # of --option=value, = is a word of its own
    yield "    for ((place = 1; place < COMP_CWORD; place++)); do"
    yield "        word=${COMP_WORDS[place]}"
    yield "        [[ $word != = ]] || continue"
    yield "        since=$((since + 1))"
    yield "        if [[ $word == -* ]]; then option=$word since=0; fi"
    yield '        case "$command/$word" in'
    for each in commands:
        if each.below:
            found = " | ".join(f'"{each.name}/{below}"' for below in each.below)
            yield f'            {found}) command="${{command:+$command }}$word" option= ;;'
    yield "        esac"
    yield "    done"
    yield "    case $command in"
    for each in commands:
        names = " ".join(name for option in each.options for name in option.names)
        yield f'        "{each.name}") options="{names}" values="{" ".join(each.below)}" ;;'
    yield "    esac"
    yield '    case "$command $option" in'
    for each in commands:
        for option in each.options:
            if option.takes:
                found = " | ".join(f'"{each.name} {name}"' for name in option.names)
                takes = "many" if option.many else "one"
                yield f'        {found}) takes={takes} word="{" ".join(option.values)}" ;;'
    yield "    esac"
    yield "    # An empty reply lets bash complete paths."
    yield "    if [[ $option && ($takes == many || ($takes == one && $since == 0)) ]]; then"
    yield "        values=$word"
    yield "    fi"
    yield "    [[ $current != -* ]] || values=$options"
    yield '    [[ -z $values ]] || COMPREPLY=($(compgen -W "$values" -- "$current"))'
    yield "}"
    yield f"complete -o bashdefault -o default -F {name} {program}"


def _zsh(program: str, commands: Sequence[CompletedCommand]) -> Iterator[str]:
    yield f"#compdef {program}"
    yield f'# {program} in zsh. In ~/.zshrc: eval "$({program} --print-completion zsh)"'
    abouts = {each.name: each.about for each in commands}
    for each in commands:
        yield f"{_zsh_name(program, each)}() {{"
        yield "    local -a commands"
        yield "    local state line context curcontext=$curcontext"
        yield f"    _arguments {'-C ' if each.below else ''}\\"
        for option in each.options:
            for name in option.names:
                yield f"        {_quoted(_zsh_option(name, option))} \\"
        if not each.below:
            yield "        '*:file:_files'"
            yield "}"
            continue
        yield "        '1: :->command' '*:: :->arguments'"
        yield "    case $state in"
        yield "        command)"
        yield "            commands=("
        for below in each.below:
            about = abouts[f"{each.name} {below}".strip()]
            yield f"                {_quoted(f'{below}:{about}')}"
        yield "            )"
        yield "            _describe command commands ;;"
        yield "        arguments)"
        yield "            case $words[1] in"
        for below in each.below:
            full = CompletedCommand(f"{each.name} {below}".strip(), "", (), ())
            yield f"                {below}) {_zsh_name(program, full)} ;;"
        yield "            esac ;;"
        yield "    esac"
        yield "}"
    yield f"if [[ $funcstack[1] == _{program} ]]; then"
    yield f'    _{program} "$@"'
    yield "else"
    yield f"    compdef _{program} {program}"
    yield "fi"


def _zsh_name(program: str, command: CompletedCommand) -> str:
    return "_".join(["", program, *command.name.split()])


def _zsh_option(name: str, option: CompletedOption) -> str:
    about = re.sub(r"([\[\]\\])", r"\\\1", option.about)
    if not option.takes:
        return f"{name}[{about}]"
    action = "_files" if option.files else " "
    if option.values:
        action = f"({' '.join(option.values)})".replace(":", r"\:")
    return f"{name}[{about}]:{'*-*:' if option.many else ''}{option.takes}:{action}"


def _fish(program: str, commands: Sequence[CompletedCommand]) -> Iterator[str]:
    yield f"# {program} in fish. In ~/.config/fish/completions/{program}.fish"
    name = f"__{program}_is"
    yield f"function {name}  # whether the words before the cursor are of this command"
    yield "    set -l words (commandline -opc)"
    yield "    set -l command ''"
    yield "    for word in $words[2..]"
    yield '        switch "$command/$word"'
    for each in commands:
        if each.below:
            found = " ".join(f"'{each.name}/{below}'" for below in each.below)
            yield f"            case {found}"
            yield '                set command (string trim -- "$command $word")'
    yield "        end"
    yield "    end"
    yield '    test "$command" = "$argv"'
    yield "end"
    for each in commands:
        condition = f"complete -c {program} -n {_fish_quoted(f'{name} {each.name}'.strip())}"
        for below in each.below:
            about = next(c.about for c in commands if c.name == f"{each.name} {below}".strip())
            yield f"{condition} -f -a {below} -d {_fish_quoted(about)}"
        for option in each.options:
            names = [
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            ]
            takes = ""
            if option.takes:
                takes = " -r" if option.files else " -x"
                values = " ".join(option.values)
                takes += f" -a {_fish_quoted(values)}" if values else ""
            yield f"{condition} {' '.join(names)}{takes} -d {_fish_quoted(option.about)}"


def _quoted(text: str) -> str:
    """The text as one word of bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
