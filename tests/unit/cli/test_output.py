"""What is printed reaches consoles and files of any encoding, and says so where it cannot."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.cli import main, output
from manyheads.cli.main import COMMANDS
from manyheads.study.folder import RunFolder

ENCODINGS = [
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]
SELDOM = pytest.mark.when_changed("screens")


def printed(text: str, encoding: str, errors: str = "strict") -> bytes:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline="")
    output.make_printable(stream)
    stream.write(text)
    stream.flush()
    return raw.getvalue()


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("0.5 ± 0.1 … a–b × 2", "ascii", b"0.5 +- 0.1 ... a-b x 2"),
        ("0.5 ± 0.1 … a–b × 2", "cp1252", "0.5 ± 0.1 … a–b × 2".encode("cp1252")),
        ("best ← 1 − 2 ≥ 0", "cp1252", b"best <- 1 - 2 >= 0"),
        ("1\N{NARROW NO-BREAK SPACE}000", "ascii", b"1 000"),
        ("café, łódź, 狐, 🦊", "ascii", rb"caf\xe9, \u0142\xf3d\u017a, \u72d0, \U0001f98a"),
        ("café, łódź", "utf-8", "café, łódź".encode()),
        ("bad\udcff.png", "utf-8", b"bad\xff.png"),
        ("bad\udcff.png", "ascii", b"bad\xff.png"),
        ("\ud800", "utf-8", b"\\ud800"),
    ],
)
def test_what_an_encoding_lacks_is_spelled(text: str, encoding: str, expected: bytes) -> None:
    assert printed(text, encoding) == expected


def test_the_users_own_choice_of_errors_stays() -> None:
    assert printed("±", "ascii", "replace") == b"?"


def run_in(
    environment: dict[str, str], program: str, *arguments: str, **more: object
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | environment, timeout=300, **{"capture_output": True} | more,  # type: ignore
    )  # fmt: skip


@pytest.mark.when_changed("screens")
@pytest.mark.parametrize(
    "environment",
    [ENCODINGS[0], *(pytest.param(each, marks=SELDOM) for each in ENCODINGS[1:])],
    ids=["cp1252", "ascii", "C"],
)
def test_every_command_prints_in_every_encoding(
    environment: dict[str, str], small_run: RunFolder, tmp_path: Path
) -> None:
    folder = tmp_path / "łódź 🦊"
    shutil.copytree(small_run.path, folder)
    card = folder / "best.keras.json"
    document = json.loads(card.read_text(encoding="utf-8"))
    document["classes"][0] = "łódź 🦊"
    card.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    photo = small_run.path.parent / "images" / "train" / "cat" / "0.png"
    run, odd = str(folder), str(tmp_path / "żaba.png")
    shutil.copy(photo, odd)
    names = [module.__name__.rpartition(".")[2].strip("_") for module in COMMANDS]
    asked = [
        *([name, "--help"] for name in names),
        ["compare", run, "--bayes"], ["compare", run, "--json"], ["report", run],
        ["predict", run, odd], ["predict", run, odd, "--json"], ["predict", run, odd, "--csv"],
        ["predict", run, str(tmp_path / "ł missing.png")], ["predict", "ł…", "x"],
        ["test", run], ["export", run, "--out", str(tmp_path / "ń.keras")],
    ]  # fmt: skip
    program = (
        "import sys\n"
        "from manyheads.cli.main import main\n"
        "for arguments in sys.argv[1].split('\\x1e'):\n"
        "    try: code = main(arguments.split('\\x1f'))\n"
        "    except SystemExit as end: code = end.code\n"
        "    assert code in (0, 1), (arguments, code)\n"
    )
    # As a shell gives them: in the C locale, bytes that are no text.
    done = run_in(environment, program, "\x1e".join(map("\x1f".join, asked)))
    assert done.returncode == 0, done.stderr[-3000:].decode("utf-8", "replace")
    assert b"Traceback" not in done.stderr
    assert rb"\u0142" in done.stdout  # of the class, beside names of files
    assert "Comparisons" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("environment", ENCODINGS[:2], ids=["cp1252", "ascii"])
def test_json_stays_json_in_every_encoding(environment: dict[str, str]) -> None:
    program = (
        "from manyheads.cli.result_tables import print_json; print_json({'class': 'łódź 🦊 ± é'})"
    )
    done = run_in(environment, program)
    assert json.loads(done.stdout) == {"class": "łódź 🦊 ± é"}


def say(program: str) -> str:
    """A program in which `check` runs as this says."""
    return (
        "import sys\nfrom manyheads.cli import check, result_tables\n"
        "from manyheads.cli.main import main\n"
        f"def run(*_):\n    {program}\ncheck.run = run\nsys.exit(main(sys.argv[1:]))"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("program", ["print('x')", "print('x' * 100_000)"])
def test_output_on_a_full_disk_is_one_line_and_code_1(program: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_in({}, say(program), "check", "x", capture_output=False, stdout=full,
                      stderr=subprocess.PIPE)  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("manyheads: expected to write the output, found no space left on device")


@pytest.mark.when_changed("commands")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["--version"]])
def test_help_on_a_full_disk_is_one_line_and_code_1(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_in({}, say("pass"), *arguments, capture_output=False, stdout=full,
                      stderr=subprocess.PIPE)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1


@pytest.mark.when_changed("commands")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_work_goes_on_where_nobody_can_be_told_of_it(tmp_path: Path) -> None:
    file = tmp_path / "done"
    program = say(
        "from rich.console import Console\n"
        "    for n in range(100): print('note', file=sys.stderr); Console(stderr=True).print(n)\n"
        f"    open({str(file)!r}, 'w').close()"
    )
    with Path("/dev/full").open("wb") as full:
        assert run_in({}, program, "check", "x", capture_output=False, stdout=subprocess.DEVNULL,
                      stderr=full).returncode == 0  # fmt: skip
    assert file.exists()
    file.unlink()
    reading, writing = os.pipe()
    os.close(reading)
    code = run_in({}, program, "check", "x", capture_output=False, stdout=subprocess.DEVNULL,
                  stderr=writing).returncode  # fmt: skip
    os.close(writing)
    assert code == 0
    assert file.exists()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "no", "/x/best.keras"), "to use /x/best.keras, found permission"),
        (OSError(28, "no"), "files to be read and written, found no space left on device; free"),
        (FileNotFoundError(2, "no", "y"), "to use y, found no such file"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    error: OSError, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from manyheads.cli import check

    def run(*_: object) -> None:
        raise error

    monkeypatch.setattr(check, "run", run)
    assert main.main(["check", "x"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"manyheads: expected {line}")
    assert said.count("\n") == 1
