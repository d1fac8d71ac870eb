"""What the guides show runs: every block of code, in order, on small data.

Beside the numbers below, only the backbone is exchanged: a small one with random weights stands
for Xception with ImageNet's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_study import small_images

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
GUIDE = GUIDES / "lesson.md"
OTHERS = (
    *("", "chmod", "curl", "docker", "export", "kubectl", "pip", "python", "ray", "sbatch"),
    *("hf", "scripts/cluster", "uvicorn"),
)

NUMBERS = [
    (r"\b150\b", "32"),
    (r"\bepochs=30\b", "epochs=2"),
    (r"\bseeds=5\b", "seeds=2"),
]
KERAS = [
    *NUMBERS,
    (r"applications\.xception import Xception", "applications.mobilenet import MobileNet"),
    (r"Xception\(weights=\"imagenet\"", "MobileNet(weights=None"),
    (r"Dense\(10\)", "Dense(3)"),
]
MANYHEADS = [
    *NUMBERS,
    (r"make_model\(", 'make_model(backbone="mobilenet", weights="random:0", image_size=32, '),
    (r"Study\(\n", 'Study(\n    backbone="mobilenet", weights="random:0", data='),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the guide's reader works: the data set, and a photograph."""
    small_images(tmp_path / "clothing")
    photograph = next((tmp_path / "clothing" / "validation").glob("*/*"))
    (tmp_path / "photograph.jpg").write_bytes(photograph.read_bytes())
    return tmp_path


@pytest.mark.when_changed("documents")
def test_the_manyheads_code_runs(folder: Path) -> None:
    """On the base installation's Keras: the guide's code trains with manyheads alone."""
    printed = run(code("manyheads", MANYHEADS), folder, KERAS_BACKEND="openvino")
    assert "<Study of clothing" in printed
    assert "<1 predictions>" in printed
    names = [path.name for path in (folder / "runs" / "lesson" / "checkpoints").glob("*.keras")]
    assert len(names) == 4
    assert all(re.match(r"xception_v3_0[12]_[01]\.\d{3}", name) for name in names)
    assert (folder / "curves-manyheads.png").stat().st_size > 0


@pytest.mark.when_changed("documents")
def test_the_notebook_of_the_lesson_runs(folder: Path) -> None:
    notebook = json.loads((GUIDES / "lesson.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(each["source"]) for each in notebook["cells"] if each["cell_type"] == "code"]
    program = "\n".join(
        "\n".join([*lines, f"print(type({last}).__name__)" if "import" not in last else last])
        for *lines, last in (cell.splitlines() for cell in cells)
    )
    for pattern, replacement in [*NUMBERS, *MANYHEADS[-1:], ("validation/hat", "validation/cat")]:
        program, count = re.subn(pattern, replacement, program)
        assert count, pattern
    program = program.replace("*.jpg", "*.png").replace("image_size=32", "image_size=64")
    printed = run(program, folder).split()
    assert printed == [
        "Study", "Recommendation", "NotebookFigure", "NotebookFigure", "Verdict", "Baselines",
        "Predictions", "Explanations",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_keras_code_runs(folder: Path) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed (pip install '.[tensorflow]')")
    printed = run(code("keras", KERAS), folder, KERAS_BACKEND="tensorflow")
    assert printed.split()[-1] in {"cat", "dog", "panda"}
    assert list(folder.glob("xception_v3_*.keras"))
    assert (folder / "curves-keras.png").stat().st_size > 0


@pytest.mark.when_changed("documents")
def test_features_from_anywhere(tmp_path: Path) -> None:
    """What the guide saves, a study runs on; the mean of each channel stands for a network."""
    small_images(tmp_path / "photos", test=2)
    embed = (
        "from PIL import Image\n"
        "def embed(file):\n"
        "    return np.asarray(Image.open(file).convert('RGB')).mean(axis=(0, 1))\n"
    )
    text = (GUIDES / "own-backbone.md").read_text(encoding="utf-8")
    first, second = re.findall(r"<!-- features -->\n```python\n(.*?)```", text, re.DOTALL)
    printed = run("import numpy as np\n" + embed + first + second, tmp_path)
    assert "On 12 validation images, 10 seeds; family-wise error rate at most 5 %." in printed
    assert "<3 predictions>" in printed
    assert "row 0: " in printed
    assert (tmp_path / "runs" / "python" / "best.keras").is_file()


@pytest.mark.when_changed("documents")
def test_the_scikit_learn_code_runs(folder: Path) -> None:
    text = (GUIDES / "scikit-learn.md").read_text(encoding="utf-8")
    # On Ray: tests/unit/estimator/test_processes.py.
    text = re.sub(r"<!-- ray -->\n```python\n.*?```", "", text, flags=re.DOTALL)
    program = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for written, exchanged in (
        ('backbone="xception"', 'backbone="mobilenet", weights="random:0"'),
        ('BackboneFeatures("xception"', 'BackboneFeatures("mobilenet", weights="random:0"'),
        ("image_size=150", "image_size=32"),
        ("cv=5", "cv=2"),
    ):
        assert written in program
        program = program.replace(written, exchanged)
    printed = run(program, folder).splitlines()
    assert len(printed) == 6
    assert "droprate" in printed[1]
    assert re.match(r"\['(cat|dog|red panda)'\] [01]\.\d+$", printed[2])
    assert 0 <= float(printed[3]) <= 1
    assert re.match(r"\['(cat|dog|red panda)'\]$", printed[4])
    assert printed[5] == "1024"


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("guide", sorted(GUIDES.glob("*.md")), ids=lambda guide: guide.stem)
def test_the_commands_of_the_guides_are_understood(guide: Path) -> None:
    from manyheads.cli.main import build_parser

    blocks = re.findall(r"```console\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        program, *words = shlex.split(line, comments=True) or [""]
        assert program in ("manyheads", *OTHERS)
        if program == "manyheads":
            assert build_parser().parse_args(words)


def code(kind: str, exchanged: list[tuple[str, str]]) -> str:
    """The blocks of one kind as one program, with what is exchanged."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(rf"<!-- {kind} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 6
    program = "\n".join(blocks)
    for pattern, replacement in exchanged:
        program, count = re.subn(pattern, replacement, program)
        assert count or pattern.startswith(r"\bseeds")
    return program


def run(program: str, folder: Path, **environment: str) -> str:
    calm = {"TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **calm, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
