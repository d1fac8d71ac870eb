"""Workers predict what one process predicts, in the order of the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads.cli.main import main
from manyheads.errors import ImageError, Interrupted, RunError, SettingError
from manyheads.models.classifier import Classifier, ImageClassifier, load
from manyheads.models.spread_predictions import PredictionContext, unlike_here
from manyheads.study.folder import RunFolder
from manyheads.workers.opening import opened_workers
from tests.in_process_workers import InProcessWorkers
from tests.jobs import stopped_job


@pytest.fixture(scope="module")
def classifier(small_run: RunFolder) -> Classifier:
    """The best model of the small study."""
    return load(small_run.path)


@pytest.fixture(scope="module")
def files(small_run: RunFolder) -> list[Path]:
    """More images than a batch takes."""
    return sorted((small_run.path.parent / "images").glob("*/*/*.png"))


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """Two processes of this machine."""
    with opened_workers(2) as opened:
        assert opened is not None
        yield opened


@pytest.fixture
def images(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Images of every kind, among them a relative name with brackets and what is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a[1].png").write_bytes(files[0].read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no image")
    pixels = np.asarray(Image.open(files[1]).convert("RGB"))
    kinds = [files[2].read_bytes(), pixels, Image.fromarray(pixels), files[0]]
    return [*files, "a[1].png", "broken.png", "absent.png", *kinds, *files[::-1]]


@pytest.mark.when_changed("commands")
def test_workers_give_the_same_answers_in_the_same_order(
    classifier: Classifier, images: list[Any], workers: Any
) -> None:
    wanted = classifier.predict(images, min_confidence=0.4)
    for given in (images, iter(images)):
        there = classifier.predict(given, min_confidence=0.4, workers=workers)
        # As text, for what cannot be read has a confidence that is no number.
        assert list(map(str, there)) == list(map(str, wanted))
        assert there.remarks == wanted.remarks


def test_results_that_come_in_another_order_wait(classifier: Classifier, files: list[Path]) -> None:
    mixed: Any = InProcessWorkers(2)
    wanted = classifier.predict(files)
    assert list(classifier.stream(files, workers=mixed)) == list(wanted)
    assert len(mixed.units) > 4
    far: Any = InProcessWorkers(2, here=False)
    assert list(classifier.stream(files, workers=far)) == list(wanted)


@pytest.mark.when_changed("commands")
def test_costs_are_counted(classifier: Classifier, files: list[Path], workers: Any) -> None:
    alone = classifier.stream(files, cache=False)
    there = classifier.stream(files, cache=False, workers=workers)
    assert list(alone) == list(there)
    counts: Any = alone, there
    assert [(each.passes, each.from_cache) for each in counts] == [(len(files), 0)] * 2


def test_no_image_needs_no_worker(classifier: Classifier) -> None:
    assert list(classifier.stream([], workers="ray://127.0.0.1:1")) == []


@pytest.mark.when_changed("commands")
def test_a_stop_and_a_wrong_image_end_it(
    classifier: Classifier, files: list[Path], workers: Any
) -> None:
    with pytest.raises(Interrupted):
        list(classifier.stream(files, workers=workers, job=stopped_job()))
    wrong: Any = [*files, np.zeros((4, 4, 3))]
    with pytest.raises(ImageError, match="float64"):
        list(classifier.stream(wrong, workers=workers))
    found = classifier.stream(iter(files), workers=workers)
    next(found)
    found.close()
    assert len(list(classifier.stream(files, workers=workers))) == len(files)


def test_what_workers_cannot_do_is_said(small_run: RunFolder, files: list[Path]) -> None:
    with pytest.raises(SettingError, match="device"):
        load(small_run.path, device="cuda").stream(files, workers=2)
    with pytest.raises(SettingError, match="workers"):
        load(small_run.path).stream(files, workers="many")


def test_machines_that_would_answer_otherwise_are_refused(
    classifier: ImageClassifier, files: list[Path]
) -> None:
    context = PredictionContext(
        path=str(classifier.path), digest="other", card=classifier.card, options={}
    )
    assert "does not find the model" in unlike_here(context)
    far: Any = InProcessWorkers(1, here=False)
    list(classifier.stream(files[:1], workers=far))

    class Unlike(InProcessWorkers):
        """Workers that lack something of what the driver has."""

        lacking: dict[str, Any]

        def map(self, function: Any, context: Any, units: Any, **how: Any) -> Any:
            return super().map(function, replace(context, **self.lacking), units, **how)

    for lacking, words in (
        ({"probe": "another"}, "predictions for generated pixels are others"),
        ({"file": "/absent/image.png"}, "finds no file at /absent/image.png"),
    ):
        unlike: Any = Unlike(1, here=False)
        unlike.lacking = lacking
        with pytest.raises(RunError, match=words):
            list(classifier.stream(files, workers=unlike))


@pytest.mark.when_changed("commands")
def test_the_command_writes_the_same_bytes(
    small_run: RunFolder, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("path\n" + "".join(f"{file}\n" for file in [*files, "absent.png"] * 3))
    command = ["predict", str(small_run.path), str(listed)]
    for name in ("out.csv", "out.jsonl"):
        assert main([*command, "--out", str(tmp_path / name)]) == 0
        assert main([*command, "--out", str(tmp_path / f"2{name}"), "--workers", "2"]) == 0
        assert (tmp_path / f"2{name}").read_bytes() == (tmp_path / name).read_bytes()
    capsys.readouterr()
    assert main([*command, "--workers", "0"]) == 1
    assert "workers" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.programs
def test_ray_gives_the_same_answers(classifier: Classifier, images: list[Any]) -> None:
    pytest.importorskip("ray")
    wanted = classifier.predict(images)
    assert list(map(str, classifier.predict(images, workers="ray"))) == list(map(str, wanted))
