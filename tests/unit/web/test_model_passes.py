"""Batches of a real network: the same answers as `predict`, in every batch, at any load."""

from __future__ import annotations

import io
import random
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from manyheads import load
from manyheads.errors import ImageError
from manyheads.models.classifier import ImageClassifier
from manyheads.models.prediction import Prediction
from manyheads.models.unknown_answers import UnknownRule
from manyheads.models.unlike_files import read_unlikeness
from manyheads.study.folder import RunFolder
from manyheads.web.service.batching import Batcher, ClosedError, QueueFullError
from manyheads.web.service.model_passes import ProcessorPasses, SerialPasses, passes_of
from tests.strategies import distinct_image


def picture(number: int) -> bytes:
    content = io.BytesIO()
    distinct_image(f"passes {number}", 40).save(content, "PNG")
    return content.getvalue()


PICTURES = [picture(number) for number in range(50)]


@pytest.fixture(scope="module")
def classifier(small_run: RunFolder) -> ImageClassifier:
    found = load(small_run.path)
    assert isinstance(found, ImageClassifier)
    return found


@pytest.fixture(scope="module")
def wanted(classifier: ImageClassifier) -> list[dict[str, float]]:
    return [each.probabilities for each in classifier.predict(PICTURES, cache=False)]


def test_the_processor_has_passes_side_by_side(classifier: ImageClassifier) -> None:
    assert isinstance(passes_of(classifier), ProcessorPasses)


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("count", [1, 2, 8, 9, 15, 16])
def test_an_answer_is_the_same_in_every_pass(
    classifier: ImageClassifier, wanted: list[dict[str, float]], count: int
) -> None:
    for passes in (passes_of(classifier), SerialPasses(classifier, 16)):
        pixels = np.stack([classifier.pixels(each) for each in PICTURES[:count]])
        found = passes.begin(pixels, lambda: None).predictions()
        assert [each.probabilities for each in found] == wanted[:count]
        assert [each.label for each in found] == [
            max(each, key=lambda name: each[name]) for each in wanted[:count]
        ]


def test_answers_have_the_features_by_which_they_are_judged(classifier: ImageClassifier) -> None:
    wanted = classifier.predict(PICTURES[:8], unknown=0.25, cache=False)
    known = read_unlikeness(classifier.path)
    assert known is not None
    rule, width = UnknownRule(known, 0.25, classifier.path), known.features
    pixels = np.stack([classifier.pixels(each) for each in PICTURES[:8]])
    for passes in (passes_of(classifier, features=width), SerialPasses(classifier, 16, width)):
        found = [rule.applied(e) for e in passes.begin(pixels, lambda: None).predictions()]
        assert [(e.label, e.unlike) for e in found] == [(e.label, e.unlike) for e in wanted]
        assert {each.features is None for each in found} == {True}


def test_an_answer_is_the_same_at_any_load(
    classifier: ImageClassifier, wanted: list[dict[str, float]]
) -> None:
    chance, sizes = random.Random(0), list[int]()
    batcher = Batcher(passes_of(classifier), classifier.pixels, queue=10_000, begun=sizes.append)
    asked: list[tuple[int, Future[Prediction]]] = []
    for _ in range(60):
        places = chance.choices(range(len(PICTURES)), k=chance.choice([1, 1, 2, 7, 16, 40]))
        asked += zip(places, batcher.submit([PICTURES[n] for n in places]), strict=True)
        if chance.random() < 0.3:
            asked[-1][1].result()
    for place, answer in asked:
        assert answer.result(60).probabilities == wanted[place]
    batcher.close()
    assert sum(sizes) == len(asked)
    assert max(sizes) == 16
    assert min(sizes) < 16
    assert batcher.held == 0


def test_what_is_held_is_answered_at_the_end(classifier: ImageClassifier) -> None:
    batcher = Batcher(passes_of(classifier), classifier.pixels, queue=100)
    asked = batcher.submit(PICTURES)
    with pytest.raises(QueueFullError):
        batcher.submit([*PICTURES, *PICTURES])
    batcher.close()
    assert all(each.done() for each in asked)
    with pytest.raises(ClosedError):
        batcher.submit(PICTURES)


def test_what_cannot_be_read_or_is_not_wanted_holds_no_place(classifier: ImageClassifier) -> None:
    batcher = Batcher(passes_of(classifier), classifier.pixels, queue=100)
    (bad,) = batcher.submit([b"no image"])
    with pytest.raises(ImageError):
        bad.result(10)
    asked = batcher.submit(PICTURES)
    cancelled = [each.cancel() for each in asked]
    batcher.close()
    assert any(cancelled)
    assert batcher.held == 0


def test_a_batch_that_fails_fails_alone(classifier: ImageClassifier) -> None:
    passes = SerialPasses(classifier, 16)
    batcher = Batcher(passes, classifier.pixels, queue=100)
    begin, passes.batch = passes.begin, 16

    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    passes.begin = broken  # pyright: ignore[reportAttributeAccessIssue]
    (lost,) = batcher.submit(PICTURES[:1])
    with pytest.raises(RuntimeError, match="no memory"):
        lost.result(10)
    passes.begin = begin
    (found,) = batcher.submit(PICTURES[:1])
    assert found.result(10).label is not None
    batcher.close()


def test_a_file_without_a_run_is_served_as_well(small_run: RunFolder, tmp_path: Path) -> None:
    from manyheads.web.service.served_models import named_models

    file = tmp_path / "pets.keras"
    file.write_bytes(b"")
    assert named_models([str(file)]) == {"pets": file}
    assert list(named_models([str(small_run.path / "best.keras")])) == ["run"]
    assert list(named_models([f"a={file}", f"b={file}"])) == ["a", "b"]
    assert list(named_models([str(tmp_path / "my photos!")])) == ["my-photos"]
