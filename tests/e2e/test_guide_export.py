"""The guide to exports: its snippets, run on a photo as a reader would, name the right class."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.models.classifier import load
from manyheads.models.export.exporter import export_model
from manyheads.models.export.formats import FORMATS
from manyheads.study.folder import RunFolder

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "export.md"
FAST = ("openvino",)
TAGS = [name for name in FORMATS if name != "h5"]  # which opens as keras does


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in TAGS]
)
def test_the_snippet_names_the_class(small_run: RunFolder, name: str, tmp_path: Path) -> None:
    for package in FORMATS[name].packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (pip install '.[export]')")
    images = sorted((small_run.path.parent / "images" / "validation").glob("*/*.png"))
    shutil.copyfile(images[0], tmp_path / "photo.png")
    target = FORMATS[name].target(tmp_path)
    export_model(small_run, name, target)
    assert printed(name, tmp_path) == load(small_run.path).predict(images[0]).labels


def test_every_format_has_a_row_and_a_snippet() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE)
    assert [name for name, _ in rows] == list(FORMATS)
    for name, files in rows:
        assert f"`{FORMATS[name].target(Path()).name}" in files
    assert re.findall(r"<!-- (\w+) -->\n```python", text) == ["photo", *TAGS]


def printed(name: str, folder: Path) -> list[str]:
    """What the guide's code for a format prints, with the small study's size of images."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = [snippet(text, tag) for tag in ("photo", name)]
    program = "\n".join(blocks).replace("150", "32").replace("photo.jpg", "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "openvino"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1:]


def snippet(text: str, tag: str) -> str:
    (block,) = re.findall(rf"<!-- {tag} -->\n```python\n(.*?)```", text, re.DOTALL)
    return block
