"""What the last lines of a study say of Keras: exactly that opens the model, and it predicts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from manyheads.cli.closing import closing_lines, keras_lines
from manyheads.models.classifier import ImageClassifier, load
from manyheads.run.pipeline import Finished

# What anybody writes who has the sentence, the file and its side file; and nothing of manyheads.
PROGRAM = """
import json, sys
sys.modules["manyheads"] = None
import keras
import numpy as np
file, images, answers = sys.argv[1:]
model = {call}(file)
card = json.load(open(file + ".json", encoding="utf-8"))
assert (card["input"], card["output"]) == ("preprocessed", "logits")
pixels = np.load(images).astype("float32") / 127.5 - 1  # as MobileNet's preprocess_input
np.save(answers, np.asarray(model.predict(pixels, verbose=0)))
print(keras.config.backend())
"""


def sentence(study: Finished) -> str:
    lines = closing_lines(study)
    first = lines.index(keras_lines()[0])
    return " ".join(line.strip() for line in lines[first : first + 2])


def opened(
    python: Path, study: Finished, scratch: Path, tolerance: float, **environment: str
) -> str:
    """The name of Keras's backend, once what it says of images is what `predict` says."""
    call = re.search(r"opens it with (\S+):", sentence(study))
    assert call is not None
    classifier = load(study.folder.path)
    assert isinstance(classifier, ImageClassifier)
    files = [study.dataset.paths[row] for row in study.dataset.rows("validation")]
    pixels = np.stack([classifier.pixels(file) for file in files])
    np.save(scratch / "images.npy", pixels)
    answers = scratch / "answers.npy"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KERAS", "PYTHON"))}
    done = subprocess.run(
        [
            str(python), "-I", "-c", PROGRAM.format(call=call[1]),
            str(study.folder.best), str(scratch / "images.npy"), str(answers),
        ],
        capture_output=True, text=True, check=False,
        env=kept | {"KERAS_HOME": str(scratch / "keras")} | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    logits = np.load(answers)
    assert np.ptp(logits, axis=0).max() > 1e-3  # the images do differ
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = classifier.predict(files).probabilities
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    return done.stdout.split()[-1]


@pytest.mark.when_changed("exports")
def test_here_with_the_variable_alone(small_study: Finished, tmp_path: Path) -> None:
    variable = re.search(r"here, (\w+)=(\w+);", sentence(small_study))
    assert variable is not None
    # Keras on OpenVINO takes bfloat16 where the processor has it, as the guide says.
    setting = {variable[1]: variable[2]}
    found = opened(Path(sys.executable), small_study, tmp_path, 2e-2, **setting)
    assert found == "openvino"


@pytest.mark.slow
@pytest.mark.when_changed("exports")
def test_elsewhere_with_what_is_to_be_installed(small_study: Finished, tmp_path: Path) -> None:
    """In a new environment that holds what the sentence says, and no manyheads."""
    advice = re.search(r"elsewhere, pip (install .*)$", sentence(small_study))
    assert advice is not None
    venv.create(tmp_path / "venv", with_pip=True)
    python = next(tmp_path.glob("venv/[bS]*/python*"))
    install = [str(python), "-m", "pip", "-qq", *advice[1].split()]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the package registry is out of reach: {done.stderr[-300:]}")
    listed = [str(python), "-m", "pip", "list", "--format", "json"]
    found = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert not {"manyheads", "openvino"} & {entry["name"] for entry in json.loads(found)}
    assert opened(python, small_study, tmp_path, 1e-4) == "tensorflow"
