"""What is built and published: the sdist, the workflow, the site's pages, the bill of materials."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import manyheads

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def script(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the repository with this Python."""
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **environment}, check=False,
    )  # fmt: skip


def test_the_sdist_has_every_file_that_is_tracked() -> None:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    build = tomllib.loads(text("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["sdist"]
    named = {each.strip("/") for each in build["include"]}
    always = {"pyproject.toml", "README.md", "LICENSE", ".gitignore"}
    tops = {Path(name).parts[0] for name in listing.stdout.splitlines()}
    assert {top for top in tops - named - always if (ROOT / top).stat().st_size} == set()


def test_the_citation_is_of_this_version() -> None:
    found = dict(re.findall(r"^([\w-]+): (.+)$", text("CITATION.cff"), re.MULTILINE))
    assert found["version"] == manyheads.__version__
    assert found["license"] == "Apache-2.0"


def test_actions_are_pinned_and_may_only_read() -> None:
    workflow = text(".github/workflows/ci.yml")
    uses = re.findall(r"uses: (\S+)", workflow)
    assert uses
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+\.\d+\.\d+", each) for each in uses)
    assert re.search(r"^permissions:\n  contents: read\n", workflow, re.MULTILINE)
    installed = re.findall(r"pip install ((?!-).+)", workflow)
    assert all(re.fullmatch(r"\"?[\w-]+(\[\w+\])?==[\d.]+\"?", word)
               for words in installed for word in words.split())  # fmt: skip
    assert all(f'"{minor}"' in workflow for minor in ("3.11", "3.12", "3.13", "3.14"))
    assert all(f"{system}-" in workflow for system in ("ubuntu", "macos", "windows"))


def test_the_workflow_and_the_site_are_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    document = yaml.safe_load(text(".github/workflows/ci.yml"))
    assert {"checks", "package", "base", "tests", "site"} <= set(document["jobs"])
    for job in document["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])


def test_every_page_is_on_the_site() -> None:
    named = set(re.findall(r": ([\w/.-]+\.md)$", text("mkdocs.yml"), re.MULTILINE))
    made = {"docs/reference.md", "docs/commands.md", "docs/decisions/README.md"}
    pages = {path.relative_to(ROOT).as_posix() for place in ("docs", "docs/guides")
             for path in (ROOT / place).glob("*.md")}  # fmt: skip
    assert named == pages | made | {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}


def test_pages_and_manual_pages_are_made_of_the_parser(tmp_path: Path) -> None:
    done = script("scripts/pages.py", str(tmp_path / "pages"))
    assert (done.returncode, done.stderr) == (0, "")
    commands = (tmp_path / "pages/docs/commands.md").read_text(encoding="utf-8")
    assert "## manyheads features pack" in commands
    assert "`--group-by RULE`" in commands
    reference = (tmp_path / "pages/docs/reference.md").read_text(encoding="utf-8")
    public = set(manyheads.__all__) - {"__version__", "errors"}
    assert set(re.findall(r"^::: manyheads\..*\.(\w+)$", reference, re.MULTILINE)) == public
    done = script("scripts/pages.py", "--man", str(tmp_path / "man"))
    assert (done.returncode, done.stderr) == (0, "")
    pages = sorted((tmp_path / "man").glob("*.1"))
    assert {"manyheads.1", "manyheads-sweep.1"} <= {page.name for page in pages}
    assert all(page.read_bytes().isascii() for page in pages)
    if groff := shutil.which("groff"):
        command = [groff, "-man", "-Tascii", "-ww", "-z", *map(str, pages)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        complaints = [line for line in found.stderr.splitlines() if "special character" not in line]
        assert complaints == []
    assert script("scripts/pages.py", "--man").returncode == 1


def test_the_bill_of_materials_has_what_is_pinned() -> None:
    done = script("scripts/sbom")
    assert done.returncode == 0, done.stderr
    bill = json.loads(done.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    found = [f"{each['name']}=={each['version']}" for each in bill["components"]]
    pinned = re.findall(r"^([\w.-]+==[^\s;\\]+)", text("requirements/base.txt"), re.MULTILINE)
    assert found == [each.replace("_", "-").lower() for each in pinned]
    assert all(each["properties"] for each in bill["components"])
    refs = {each["bom-ref"] for each in bill["components"]}
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    own = bill["metadata"]["component"]["bom-ref"]
    assert set(needs) == refs | {own}
    assert all(other in refs for others in needs.values() for other in others)
    project = tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]
    direct = {re.split(r"[><=\[ ]", each)[0] for each in project}
    assert {ref.partition("@")[0].removeprefix("pkg:pypi/") for ref in needs[own]} == direct
    assert script("scripts/sbom").stdout == done.stdout


@pytest.mark.parametrize(("given", "words"), [("none.txt", "none.txt"), ("README.md", "a hash")])
def test_what_is_no_list_of_pins_is_one_line(given: str, words: str) -> None:
    done = script("scripts/sbom", given)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_site_is_skipped_where_mkdocs_is_not(tmp_path: Path) -> None:
    if (bash := shutil.which("bash")) is None:
        pytest.skip("no bash here")
    for name in ("dirname", "bash", Path(sys.executable).name):
        place = shutil.which(name) or sys.executable
        (tmp_path / name).symlink_to(place)
    if not (tmp_path / "python3").exists():
        (tmp_path / "python3").symlink_to(sys.executable)
    done = subprocess.run(
        [bash, "scripts/site"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": str(tmp_path), "MANYHEADS_VENV": str(tmp_path / "none")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("skipped: MkDocs is not installed")
