"""What holds for every file of the project: sizes, versions, and what must never be committed."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

import manyheads

ROOT = Path(__file__).parents[2]
CODE = ("src", "tests", "benchmarks")
ASKED_AT, SPLIT_AT = 250, 400
LARGEST_FILE = 512 * 1024

# Written in pieces, so that this file passes its own test.
REGISTRIES = tuple(
    f"{name}.{domain}"
    for name, domain in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb.debian", "org"),
        ("anaconda", "org"),
        ("anaconda", "com"),
        ("ghcr", "io"),
        ("docker", "io"),
        ("proxy.golang", "org"),
        ("crates", "io"),
    ]
)
MACHINE_PATH = re.compile(r"(?<![\w.$}~*/-])/(?:work|root|home|Users|opt|mnt)/[\w.]")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The files that git tracks, as they stand in the working tree."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_module_is_two_modules(capsys: pytest.CaptureFixture[str]) -> None:
    modules = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    lengths = {path.relative_to(ROOT): len(path.read_bytes().splitlines()) for path in modules}
    long = sorted((length, str(path)) for path, length in lengths.items() if length > ASKED_AT)
    with capsys.disabled():
        for length, path in long:
            print(f"\n{path} has {length} lines: is it two modules?", end="")
    assert lengths
    assert [(path, length) for length, path in long if length > SPLIT_AT] == []


def test_the_changelog_opens_with_the_package_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[?(\d[^\]\s]*)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == manyheads.__version__


def test_decision_notes_are_numbered_without_doubles() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs/decisions").glob("*.md")]
    assert numbers
    assert all(number.isdigit() for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_the_glossary_has_forty_words_each_once() -> None:
    rows = (
        (ROOT / "docs" / "glossary.md")
        .read_text(encoding="utf-8")
        .split("| --- | --- | --- |\n")[1]
    )
    words = [row.split("|")[1].strip() for row in rows.splitlines()]
    assert len(words) == len(set(words)) <= 40


def test_links_between_documents_lead_somewhere(tracked: list[Path]) -> None:
    broken = [
        (path.name, target)
        for path in tracked
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_no_two_modules_have_one_name() -> None:
    names = [path.stem for path in (ROOT / "src").rglob("*.py") if not path.stem.startswith("__")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.when_changed("studies")
def test_no_two_classes_have_one_name() -> None:
    found: dict[str, list[str]] = {}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(path.name)
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_only_text_is_committed(tracked: list[Path]) -> None:
    # Images, weights, archives and compiled files all hold a zero byte; text never does. A study of
    # an earlier version is kept as it was written.
    kept = ROOT / "tests" / "golden"
    binary = [path for path in tracked if b"\0" in path.read_bytes()]
    assert [str(path) for path in binary if kept not in path.parents] == []
    assert sum(path.stat().st_size for path in binary) < 100_000


def test_no_committed_file_is_large(tracked: list[Path]) -> None:
    assert [str(path) for path in tracked if path.stat().st_size > LARGEST_FILE] == []


def test_no_file_names_a_registry(tracked: list[Path]) -> None:
    assert [(p.name, host) for p in tracked for host in REGISTRIES if host in text(p)] == []


def test_no_file_names_a_path_of_some_machine(tracked: list[Path]) -> None:
    assert [(p.name, found) for p in tracked for found in MACHINE_PATH.findall(text(p))] == []


def test_pins_carry_hashes_and_no_address(tracked: list[Path]) -> None:
    pins = [path for path in tracked if path.parent == ROOT / "requirements"]
    assert pins
    for path in pins:
        assert "://" not in text(path)
        assert "--index" not in text(path)
        entries = re.findall(r"^[\w.-]+==.*\\\n +--hash=sha256:", text(path), re.MULTILINE)
        assert len(entries) == len(re.findall(r"^[\w.-]+==", text(path), re.MULTILINE)) > 0


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
