"""The parser of a command, whose errors say what was probably meant."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from manyheads.cli import output
from manyheads.cli.synonyms import AMBIGUOUS, COMMANDS, NEEDLESS, OPTIONS

_SETTING = re.compile(r"`([a-z][a-z0-9_]*)`( \d(?:[\w.]*\w)?)?")
_TWICE = re.compile(r" of `manyheads (\w+)` and (--[\w-]+(?: \S+)? of `manyheads \1`)")
_Commands = argparse._SubParsersAction
_FEW = 6  # options that a usage names
_BETWEEN = re.compile(r"[,;\s\[\]()]+")
_DECIMAL_COMMA = re.compile(r"0?,\d+")
_NO_NUMBER = re.compile(r"(invalid (?:float|int) value: )'(\d*),(\d+)'")


class _Help(argparse.HelpFormatter):
    """Help whose usage names what must be given, and of more than a few options none by name."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        one_of = [group for group in groups if group.required]
        needed = [each for each in actions if each.required or
                  any(each in group._group_actions for group in one_of)]  # fmt: skip
        if len(actions) - len(needed) > _FEW:
            options = argparse.Action([], "options", metavar="[options]", required=True)
            actions, groups = [options, *needed], one_of
        super().add_usage(usage, actions, groups, prefix)


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that knows close matches and what other tools call a thing.

    `commands` are all commands by name, of which this is one or the parent; those below another
    one are named with it, such as `features pack`. `running` is the one that is at work, if any.
    `groups` are the names of the parent's commands, as its help lists them. `stand_ins` has, for an
    operand that may be left out, the option that then stands in.
    """

    commands: Mapping[str, Parser]
    groups: dict[str, list[str]]
    stand_ins: dict[str, str]
    running: ClassVar[Parser | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"formatter_class": _Help} | kwargs)
        self.commands, self.groups, self.stand_ins, self._given = {}, {}, {}, []

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] - it is overloaded
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        given = sys.argv[1:] if args is None else list(args)
        self._given = given
        if self.commands:
            self._check_command(given) if self._has_commands else self._check_options(given)
        for action in self._actions:
            if option := self.stand_ins.get(action.dest):
                action.required = all(word.partition("=")[0] != option for word in given)
        return super().parse_known_args(given, namespace)

    def format_help(self) -> str:
        """The help; that of the parent lists the commands in their groups."""
        if not self.groups:
            return super().format_help()
        (commands,) = (each for each in self._actions if isinstance(each, _Commands))
        lines = {each.dest: each for each in commands._get_subactions()}
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title, names in self.groups.items():
            formatter.start_section(title)
            formatter.add_arguments([lines[name] for name in names])
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([each for each in self._actions if each is not commands])
        formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def error(self, message: str) -> NoReturn:
        message = _NO_NUMBER.sub(r"\1'\2,\3'; write \2.\3, with a decimal point", message)
        lists = [each for action in self._actions if action.nargs == "+"
                 for each in action.option_strings if each in self._given]  # fmt: skip
        _, required, names = message.partition("arguments are required: ")
        if lists and required:
            message += f"; write {names} before {lists[-1]}, which takes all that follows"
        self.print_usage(sys.stderr)
        self.exit(2, output.in_words(f"{self.prog}: error: {message}", sys.stderr) + "\n")

    def parsed_over(self, defaults: Mapping[str, Any]) -> argparse.Namespace:
        """What was parsed last, parsed again with other `defaults` of its options, by setting."""
        self.set_defaults(**defaults)
        return self.parse_args(self._given)

    @property
    def leaves(self) -> list[Parser]:
        """The commands below this one, or this one alone if there are none."""
        below = [each for action in self._actions if isinstance(action, _Commands)
                 for each in action.choices.values()]  # fmt: skip
        return below or [self]

    @property
    def options(self) -> list[str]:
        """All options of the command, as they are written."""
        return [option for action in self._actions for option in action.option_strings]

    def flag(self, setting: str) -> str | None:
        """How the command line of this command writes a setting, or None if it has none."""
        for action in self._actions:
            if action.dest == setting:
                long = [each for each in action.option_strings if each.startswith("--")]
                return long[0] if long else str(action.metavar)
        return None

    def with_flags(self, text: str) -> str:
        """`text` with each setting in backquotes as this command, or another one, writes it."""

        def written(found: re.Match[str]) -> str:
            value = found[2] or ""
            if flag := self.flag(found[1]):
                return flag + value
            others = {name: flag for name, each in self.commands.items()
                      if (flag := each.flag(found[1]))}  # fmt: skip
            if not others:
                return found[0]
            # Of a setting that many have, the command that has all of a study's.
            name = "sweep" if "sweep" in others else next(iter(others))
            return f"{others[name]}{value} of `manyheads {name}`"

        return _TWICE.sub(r" and \2", _SETTING.sub(written, text))

    @property
    def _has_commands(self) -> bool:
        return any(isinstance(action, _Commands) for action in self._actions)

    def _check_command(self, given: Sequence[str]) -> None:
        first = given[0] if given else ""
        if first in self.commands or first in self.options or not first:
            return
        if first.startswith("-"):
            self._check_options([first])
            return
        words = f"unknown command {first!r}"
        near = COMMANDS.get(first.lower()) or _close(first.lower(), self.commands, COMMANDS)
        near = [name for name in near if name in self.commands or name in self.options]
        if not near and _exists(first):
            near = [f"{name} {first}" for name in ("fit", "sweep") if name in self.commands]
        if near:
            meant = _either(f"{self.prog} {name}" for name in near)
            self.error(f"{words}; did you mean {meant}?")
        names = [name for name in self.commands if " " not in name]
        self.error(f"{words}; choose from {', '.join(names)}")

    def _check_options(self, given: Sequence[str]) -> None:
        unknown = {}
        for word in given:
            if word == "--":
                break
            name = word.partition("=")[0]
            if _is_option(word) and not self._knows(name):
                unknown[name] = self._meant(name)
        if len(unknown) == 1:
            ((name, hint),) = unknown.items()
            self.error(f"unknown option {name}; {hint}{self._see(hint)}")
        if unknown:
            words = ", ".join(f"{name} ({hint})" for name, hint in unknown.items())
            self.error(f"unknown options {words}{self._see(words)}")

    def _see(self, hint: str) -> str:
        """Where all options are, unless the hint says so."""
        end = "" if hint.endswith("?") else "."
        return "" if "--help" in hint else f"{end} See {self.prog} --help"

    def _knows(self, name: str) -> bool:
        if name in self.options:
            return True
        if not name.startswith("--"):  # `-0` and `-h`, also together
            return name[:2] in self.options
        longer = [each for each in self.options if each.startswith(name)]
        # What begins several options may be another tool's name for one of them.
        elsewhere = name[2:] in AMBIGUOUS or (len(longer) > 1 and name[2:] in OPTIONS)
        return bool(longer) and not elsewhere

    def _meant(self, name: str) -> str:
        """What to write instead of an option that there is not."""
        bare = name.lstrip("-").lower().replace("_", "-")
        exact = [f"--{bare}", *(f"--{each}" for each in OPTIONS.get(bare, ()))]
        near = [option for option in exact if option in self.options]
        if near:
            return f"did you mean {_either(near)}?"
        if bare in NEEDLESS:
            operands = [each.metavar or each.dest for each in self._actions if _is_operand(each)]
            if operands or "{" not in NEEDLESS[bare]:
                return NEEDLESS[bare].format(operand=operands[0] if operands else "")
        names = [option.lstrip("-") for option in self.options if option.startswith("--")]
        close = _close(bare, names, OPTIONS)
        if near := [f"--{each}" for each in close if each in names]:
            return f"did you mean {_either(near)}?"
        for option in exact:
            having = [each for each, parser in self.commands.items() if option in parser.options]
            if len(having) == sum(not each._has_commands for each in self.commands.values()):
                return f"write {option} behind the command"
            if having:
                return f"{option} is an option of {_either(f'manyheads {each}' for each in having)}"
        return f"{self.prog} --help names all options"


def separated(values: Sequence[str]) -> list[str]:
    """The values of a list, which spaces, commas, semicolons or brackets separate.

    Raises `ValueError` for what may be one number with a decimal comma, such as `0,5`.
    """
    for value in values:
        if _DECIMAL_COMMA.fullmatch(value):
            point, parts = value.replace(",", "."), " ".join(value.split(",")).strip()
            raise ValueError(f"{value!r} may be one number or two; write {point}, or {parts}")
    return [part for value in values for part in _BETWEEN.split(value) if part]


class Values(argparse.Action):
    """A list of numbers or words."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        del parser  # which argparse gives
        try:
            parts = separated(values)
        except ValueError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        if not parts:
            raise argparse.ArgumentError(self, f"give a value, such as {option_string} 0.5")
        setattr(namespace, self.dest, parts)


class WeightWords(Values):
    """A list of words, names of files and JSON objects; the latter two may hold commas."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        words: list[str] = []
        for each in values:
            if each.startswith("{") or _exists(each):
                words.append(each)
            else:
                super().__call__(parser, namespace, [each], option_string)
                words += getattr(namespace, self.dest)
        setattr(namespace, self.dest, words)


class Names(argparse.Action):
    """A list of names, which may hold commas and spaces; one alone with commas is an error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if len(values) == 1 and "," in values[0]:
            names = " ".join(part.strip() for part in values[0].split(",") if part.strip())
            parser.error(
                f"argument {option_string}: separate names by spaces: {option_string} {names}"
            )
        setattr(namespace, self.dest, list(values))


def with_flags(text: str) -> str:
    """`text`, whose settings stand in backquotes as Python knows them, with the running command's
    flags in their place. All that is printed of errors, notes and findings passes here.
    """
    return text if Parser.running is None else Parser.running.with_flags(text)


def _is_option(word: str) -> bool:
    if len(word) < 2 or not word.startswith("-") or " " in word.partition("=")[0]:
        return False
    try:
        float(word)
    except ValueError:
        return True
    return False


def _is_operand(action: argparse.Action) -> bool:
    return not action.option_strings


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _close(word: str, names: Iterable[str], synonyms: Mapping[str, Sequence[str]]) -> list[str]:
    """The names that are written much like `word`, or are meant by what is."""
    import difflib

    found = difflib.get_close_matches(word, [*names, *synonyms], n=2, cutoff=0.75)
    return list(dict.fromkeys(each for name in found for each in synonyms.get(name, [name])))


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
