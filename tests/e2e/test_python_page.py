"""docs/python.md: its code runs, in order, on small data, and it names every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import manyheads
from tests.small_study import small_images

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SMALL = (
    ('"backbone": "xception", "image_size": 150',
     '"backbone": "mobilenet", "weights": "random:0", "image_size": 32'),
    ("epochs=30, seeds=10", "epochs=3, seeds=2, size_inner=8"),
    ("epochs=60", "epochs=6, patience=2"),
    ('budget="30m"', "budget=60, heads=1, folds=2"),
    ('out="runs/lesson"',
     'out="runs/lesson", epochs=2, droprate_epochs=2, seeds=2, size_inner=[0, 4]'),
)  # fmt: skip


@pytest.mark.when_changed("documents")
def test_its_code_runs(tmp_path: Path) -> None:
    small_images(tmp_path / "photos", train=8, validation=4, test=4)
    photo = tmp_path / "photos" / "test" / "cat" / "0.png"
    (tmp_path / "photo.jpg").write_bytes(photo.read_bytes())
    text = PAGE.read_text(encoding="utf-8")
    program = "".join(re.findall(r"<!-- tested -->\n```python\n(.*?)```", text, re.DOTALL))
    assert text.count("```python") == text.count("<!-- tested -->\n```python")
    for written, exchanged in SMALL:
        assert program.count(written) == 1, written
        program = program.replace(written, exchanged)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for printed in (
        "<Study of photos in runs/photos: ",
        "4 of 4 trials done\n",
        "12 validation images, 2 seeds",
        "better with probability",
        "['ensemble', 'longer', 'shortcut']\n",
        "runs/photos/report.html\n",
        "On 12 test images: accuracy ",
        "(1, 3)\n",
        "photos: 48 images, 3 classes; ",
        "a run folder at nowhere; no such folder; ",
    ):
        assert printed in done.stdout, f"{printed}\n{done.stdout}"
    assert done.stderr == ""


def test_it_names_every_public_name() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", text))
    assert set(manyheads.__all__) - {"__version__"} <= named
