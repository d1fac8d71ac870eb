"""What starts fast stays fast: heavy libraries load in the command that needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "h5py", "jax", "keras", "matplotlib", "numba", "openvino", "scipy", "sklearn", "tensorflow",
    "torch",
}  # fmt: skip


def loaded_by(module: str) -> set[str]:
    program = f"import sys; import {module}; print(*sys.modules, sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in result.stdout.split()}


@pytest.mark.parametrize(
    "module",
    [
        "manyheads",
        "manyheads.cli.main",
        "manyheads.data.dataset",
        "manyheads.core.settings",
        "manyheads.web.studio.studio_app",
    ],
)
def test_importing_loads_no_heavy_library(module: str) -> None:
    assert loaded_by(module) & HEAVY == set()


def test_a_heavy_library_would_be_seen() -> None:
    assert "numba" in loaded_by("manyheads.heads.fused.kernels")
