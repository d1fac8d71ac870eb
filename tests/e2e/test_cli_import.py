"""The guide to the lesson's model, followed on a small one of the same layout."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.cli.import_ import _check_words
from manyheads.core import keras_process
from manyheads.models.importing.import_check import ImportCheck
from tests.e2e.conftest import Command
from tests.keras2 import as_keras2
from tests.small_study import small_images
from tests.strategies import distinct_image
from tests.unit.models import keras_tasks

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "lesson-model.md"
FILE = "xception_v4_large_22_0.870.h5"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lesson's model, small, of Keras 3 and, under the lesson's own name, of Keras 2."""
    folder = tmp_path_factory.mktemp("models")
    weights = resolve(registry.get("mobilenet_v2"), "random:0")
    arguments = {"backbone": "mobilenet_v2", "weights": str(weights.path), "digest": weights.digest}
    keras_process.call(
        keras_tasks.write_lesson,
        {**arguments, "size": 32, "target": str(folder / "lesson.h5")},
    )
    as_keras2(folder / "lesson.h5", folder / FILE)
    return folder


@pytest.fixture
def folder(tmp_path: Path, models: Path) -> Path:
    """Where the guide's reader works."""
    small_images(tmp_path / "clothing", train=1, validation=1)
    distinct_image("photograph", 50).save(tmp_path / "photograph.jpg")
    (tmp_path / FILE).write_bytes((models / FILE).read_bytes())
    return tmp_path


@pytest.mark.when_changed("imports")
@pytest.mark.usefixtures("folder")
def test_the_guides_commands_do_what_it_says(command: Command) -> None:
    blocks = re.findall(r"```console\nmanyheads (.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert [block.split()[0] for block in blocks] == ["import", "predict"]
    said = command(*blocks[0].split())
    assert said.code == 0, said.err
    shown = dict(re.findall(r"^(\w+)  +(.*)$", said.out, re.MULTILINE))
    assert shown["backbone"].startswith("mobilenet_v2; weights ")
    assert shown["images"] == "32 × 32, nearest, EXIF ignored"
    assert shown["head"] == "Dense 10 relu → Dropout 0.2 → Dense 3"
    assert shown["classes"] == "3: cat, dog, red panda"
    assert shown["check"].startswith("only arrays: Keras cannot open the file (Error when deser")
    assert "lesson.keras.json" in said.out
    said = command(*blocks[1].split())
    assert said.code == 0, said.err
    assert re.search(r"photograph\.jpg\s+(cat|dog|red panda)\s", said.out)


@pytest.mark.when_changed("imports")
def test_the_guides_code_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (block,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out == "mobilenet_v2 10 0.2\n"


@pytest.mark.when_changed("imports")
def test_a_file_of_keras_3_is_compared(models: Path, command: Command, folder: Path) -> None:
    (folder / "names.txt").write_text("cat\ndog\nred panda\n", encoding="utf-8")
    said = command(
        "import", models / "lesson.h5", "--classes-from", "names.txt", "--out", "new.keras",
        "--check", "photograph.jpg", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["card"]["classes"] == ["cat", "dog", "red panda"]
    assert document["check"]["images"] == 1
    assert document["check"]["difference"] < 1e-5
    assert Path(document["side_file"]).name == "new.keras.json"


@pytest.mark.when_changed("commands")
def test_what_is_wrong_is_one_line(folder: Path, command: Command) -> None:
    said = command("import", FILE, "--classes", "cat", "dog", "--out", "lesson.keras")
    assert said.code == 1
    assert "expected the names of the 3 classes in" in said.complaint
    assert not (folder / "lesson.keras").exists()
    said = command("import", FILE, "--classes-from", "absent.txt", "--out", "lesson.keras")
    assert said.complaint.startswith("manyheads: expected the names of classes in absent.txt")


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (None, "only arrays: the file does not describe its layers"),
        (
            ImportCheck(4, False, 0.0),
            "equal to Keras's own probabilities on 4 generated images, exactly",
        ),
        (
            ImportCheck(1, True, 2e-6),
            "equal to Keras's own probabilities on 1 given image, to 2e-06",
        ),
        (ImportCheck(4, False, None, "why"), "only arrays: Keras cannot open the file (why)"),
    ],
)
def test_what_the_check_found(check: ImportCheck | None, words: str) -> None:
    assert _check_words(check) == words
