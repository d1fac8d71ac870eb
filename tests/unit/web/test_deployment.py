"""The container's file and the unit of systemd in the guide: what can be run of them, runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from manyheads.cli.main import build_parser
from manyheads.errors import SettingError
from manyheads.web.service.serving import settings_of
from tests.unit.web.fake_models import serving_fakes

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "docker/Dockerfile.serve"
GUIDE = ROOT / "docs/guides/service.md"


def instructions() -> list[tuple[str, str]]:
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def values(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def test_the_container_copies_what_there_is_and_may_be_sent() -> None:
    sent = (ROOT / "docker/Dockerfile.serve.dockerignore").read_text().split()
    for rest in values("COPY"):
        if rest.startswith("--from"):
            continue
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source.removeprefix('./')}" in sent, source


def test_the_command_of_the_container_is_understood() -> None:
    (entry,), (command,) = values("ENTRYPOINT"), values("CMD")
    program, *words = [*json.loads(entry), *json.loads(command)]
    assert program == "manyheads"
    args = build_parser().parse_args(words)
    with pytest.raises(SettingError, match="a token"):  # it is not open by mistake
        settings_of(args.models, host=args.host, port=args.port)
    assert settings_of(args.models, host=args.host, port=args.port, token="x" * 16).port == 8000
    assert values("EXPOSE") == ["8000"]
    assert values("USER") == ["1000"]
    assert "[serve]" in DOCKERFILE.read_text()


def test_the_check_of_the_container_tells_health() -> None:
    (check,) = values("HEALTHCHECK")
    program, *words = json.loads(check[check.index("[") :])
    assert program == "python"
    with serving_fakes("pets", token="x" * 16) as shelf:
        words[1] = words[1].replace("http://127.0.0.1:8000", shelf.address)
        assert subprocess.run([sys.executable, *words], check=False).returncode == 0
    assert subprocess.run(
        [sys.executable, *words], check=False, stderr=subprocess.DEVNULL
    ).returncode  # it has ended


@pytest.fixture
def unit() -> str:
    (found,) = re.findall(r"```ini\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return found


def test_the_command_of_the_unit_is_understood(unit: str) -> None:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    parser.read_string(unit)
    program, *words = shlex.split(parser["Service"]["ExecStart"])
    assert Path(program).name == "manyheads"
    args = build_parser().parse_args(words)
    assert args.token_file == "%d/token"
    assert float(parser["Service"]["TimeoutStopSec"]) > 30 + 5  # --timeout, and the drain
    assert "-HUP" in parser["Service"]["ExecReload"]


def test_systemd_finds_nothing_wrong_with_the_unit(unit: str, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("no systemd here")
    file = tmp_path / "manyheads.service"
    file.write_text(unit.replace("/srv/manyheads/venv/bin/manyheads", sys.executable))
    done = subprocess.run(
        [verify, "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
