"""Put together the pages of the documentation site, and the manual pages of the command line.

    python scripts/pages.py FOLDER          pages for MkDocs
    python scripts/pages.py --man FOLDER    manyheads.1, manyheads-sweep.1, …

Pages lie as in the repository, so that the links between them hold as they are. The reference of
Python is made of docstrings by mkdocstrings; that of the command line is made here, by the parser.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import manyheads
from manyheads.cli.main import build_parser
from manyheads.cli.parser import Parser

ROOT = Path(__file__).parents[1]
KEPT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
FOLDERS = ("docs", "benchmarks/results")
_LINK = re.compile(r"\[([^\[\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)((?:#[^)]*)?)\)")


def write_pages(target: Path) -> None:
    """Write the pages to the folder `target`, anew."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in KEPT:
        shutil.copy(ROOT / name, target / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("*.svg"))
    _write(target / "docs" / "decisions" / "README.md", _decisions())
    _write(target / "docs" / "reference.md", _reference())
    _write(target / "docs" / "commands.md", _commands())
    for page in target.rglob("*.md"):
        _write(page, _LINK.sub(partial(_link, page), _read(page)))


def write_manual(target: Path) -> None:
    """Write a manual page for each command to the folder `target`."""
    target.mkdir(parents=True, exist_ok=True)
    parser = build_parser()
    for name, each in {"": parser, **parser.commands}.items():
        title = "-".join(["manyheads", *name.split()])
        _write(target / f"{title}.1", "\n".join(_manual(title, name, each, parser)) + "\n")


def _link(page: Path, found: re.Match[str]) -> str:
    """A link of a page: to a folder's index, and as text where the site does not have the file."""
    words, name, anchor = found.groups()
    place = page.parent / name
    if place.is_dir() and (place / "README.md").is_file():
        return f"[{words}]({name.rstrip('/')}/README.md{anchor})"
    return found[0] if place.is_file() else words


def _decisions() -> str:
    rows = [
        f"- [{_read(note).splitlines()[0].removeprefix('# ')}]({note.name})"
        for note in sorted((ROOT / "docs" / "decisions").glob("*.md"))
    ]
    return "\n".join(["# Decisions", "", "Why things are as they are, in order.", "", *rows, ""])


def _reference() -> str:
    parts = ["# Reference", "", "All public names, from their docstrings. [A tour](python.md)", ""]
    kinds: dict[str, list[str]] = {"Functions": [], "Classes": []}
    for place, names in manyheads._PLACES.items():
        for name in names:
            kinds["Classes" if name[0].isupper() else "Functions"].append(f"{place}.{name}")
    for title, names in kinds.items():
        parts += [f"## {title}", ""]
        for name in sorted(names, key=lambda each: each.rpartition(".")[2].casefold()):
            parts += [f"::: manyheads.{name}", ""]
    return "\n".join([*parts, "## Errors", "", "::: manyheads.errors", ""])


def _commands() -> str:
    parts = ["# Command line", ""]
    parser = build_parser()
    for name, each in parser.commands.items():
        parts += [f"## manyheads {name}", "", *_wrapped(each.description), ""]
        for title, options in _groups(each):
            parts += [f"**{title}**", ""]
            parts += [f"- `{what}`: {about}" for what, about in options]
            parts.append("")
        if each.epilog:
            parts += [each.epilog, ""]
    return "\n".join(parts)


def _wrapped(text: str | None) -> list[str]:
    return [" ".join((text or "").split())]


def _groups(parser: Parser) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The groups of a command's arguments: of each, how it is written, and what it does."""
    formatter = parser._get_formatter()
    for group in parser._action_groups:
        found = [
            (_written(action), " ".join(formatter._expand_help(action).split()))
            for action in group._group_actions
            if action.help and not hasattr(action, "add_parser")
        ]
        if found:
            yield str(group.title), found


def _written(action) -> str:
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    value += " …" * (action.nargs in ("+", "*"))
    return f"{', '.join(action.option_strings)} {value}".strip()


def _manual(title: str, name: str, parser: Parser, parent: Parser) -> Iterator[str]:
    moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    date = time.strftime("%Y-%m-%d", moment)
    yield f'.TH "{title.upper()}" "1" "{date}" "manyheads {manyheads.__version__}"'
    about = " ".join((parser.description or "").split())
    yield f".SH NAME\n{_roff(title)} \\- {_roff(about.split('. ')[0].rstrip('.'))}"
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    yield f".SH SYNOPSIS\n{_roff(usage)}"
    yield f".SH DESCRIPTION\n{_roff(about)}"
    below = [each for each in parent.commands if each.rpartition(" ")[0] == name]
    if below:
        yield ".SH COMMANDS"
        for each in below:
            described = " ".join((parent.commands[each].description or "").split())
            yield f".TP\n.B {_roff(each.rpartition(' ')[2])}\n{_roff(described.split('. ')[0])}"
    for group, options in _groups(parser):
        yield f'.SH "{_roff(group.upper())}"'
        for what, text in options:
            yield f".TP\n.B {_roff(what)}\n{_roff(text)}"
    if parser.epilog:
        yield f".SH NOTES\n{_roff(' '.join(parser.epilog.split()))}"
    yield ".SH EXIT STATUS\n0: done. 1: a problem with the input or the machine. 2: a wrong usage. "
    yield "130: interrupted; the same command goes on."
    others = [each for each in parent.commands if each != name and " " not in each]
    pages = ", ".join(f".BR manyheads-{each} (1)" for each in others).replace(", ", ",\n")
    yield f".SH SEE ALSO\n{pages}"


def _roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--man":
        write_manual(Path(sys.argv[2]))
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        write_pages(Path(sys.argv[1]))
    else:
        sys.exit("expected FOLDER, or --man FOLDER")
