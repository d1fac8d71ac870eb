"""Features of backbones side by side: each backbone's own, and none computed twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.errors import BackboneError
from manyheads.features import extraction as extract_module
from manyheads.features.cache import lacking
from manyheads.features.extraction import Features, extract, recipe_of
from tests.jobs import HeardJob
from tests.unit.features.fakes import IMAGE, WIDTH, FakeBackbone

NAMES = ("mobilenet", "mobilenet_v2")
PAIR = registry.get("+".join(NAMES))
EACH = [Weights(Path("nowhere"), str(n) * 64, "a test") for n in range(2)]
WEIGHTS = Weights(Path("nowhere"), "f" * 64, "a test", tuple(EACH))


class Doubled(FakeBackbone):
    """Other features of the same images."""

    def expected(self, pixels: Any) -> Any:
        return 2 * super().expected(pixels)


@pytest.fixture
def backbones(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeBackbone]:
    fakes: dict[str, FakeBackbone] = {NAMES[0]: FakeBackbone(), NAMES[1]: Doubled()}

    def compiled(spec: BackboneSpec, *_: object, **__: object) -> FakeBackbone:
        return fakes[spec.name]

    monkeypatch.setattr(extract_module, "compile_backbone", compiled)
    return fakes


@pytest.fixture
def folder(image_folder: Callable[..., Path]) -> Path:
    root = image_folder({"train/cat": 5, "train/dog": 5, "validation/cat": 2, "validation/dog": 2})
    first = root / "train" / "cat" / "0000.png"
    (root / "train" / "cat" / "copy.png").write_bytes(first.read_bytes())
    (root / "train" / "dog" / "0000.png").write_bytes(b"no image")
    return root


def of_pair(dataset: Dataset, **options: Any) -> Features:
    return extract(dataset, PAIR, WEIGHTS, IMAGE, **options)


def of_each(dataset: Dataset) -> list[Features]:
    return [
        extract(dataset, spec, known, IMAGE) for spec, known in zip(PAIR.members, EACH, strict=True)
    ]


def test_rows_are_those_of_each_side_by_side(
    folder: Path, backbones: dict[str, FakeBackbone]
) -> None:
    dataset, job = open_dataset(folder), HeardJob()
    found = of_pair(dataset, job=job)
    readable = np.flatnonzero(found.rows >= 0)
    assert (len(dataset), len(readable)) == (15, 14)
    assert found.passes == sum(each.passes for each in backbones.values()) == 26
    assert found.recipe == recipe_of(PAIR, WEIGHTS, IMAGE)
    assert [dataset.name_of(sample) for sample in found.unreadable] == ["train/dog/0000.png"]
    assert found.matrix.shape == (13, 2 * WIDTH), "a content has one row"
    wanted = [each.matrix[each.rows[readable]] for each in of_each(dataset)]
    np.testing.assert_array_equal(
        found.matrix[found.rows[readable]], np.concatenate(wanted, axis=1)
    )
    steps = job.steps("extracting")
    assert steps == sorted(steps), "the second goes on counting where the first ends"
    assert {total for _, total in steps} == {28}


def test_what_one_of_them_saw_alone_is_not_computed_again(
    folder: Path, backbones: dict[str, FakeBackbone]
) -> None:
    dataset = open_dataset(folder)
    recipe = recipe_of(PAIR, WEIGHTS, IMAGE)
    contents = dataset.contents
    assert lacking(recipe, contents) == (28, 0)
    extract(dataset, PAIR.members[1], EACH[1], IMAGE)
    assert lacking(recipe, contents) == (14, 0)
    assert of_pair(dataset).passes == backbones["mobilenet"].passes == 13
    assert lacking(recipe, contents) == (0, 2 * WIDTH)
    assert of_pair(dataset).passes == 0


@pytest.mark.usefixtures("backbones")
def test_of_some_images_alone_others_have_no_rows(folder: Path) -> None:
    dataset = open_dataset(folder)
    wanted = dataset.rows("validation")
    found = of_pair(dataset, only=wanted)
    assert np.flatnonzero(found.rows >= 0).tolist() == wanted.tolist()
    assert found.passes == 2 * len(wanted)
    assert found.matrix.shape == (len(wanted), 2 * WIDTH)


@pytest.mark.usefixtures("backbones")
def test_no_readable_image_has_no_row(image_folder: Callable[..., Path]) -> None:
    root = image_folder({"train/cat": 1, "train/dog": 1})
    for file in root.rglob("*.png"):
        file.write_bytes(b"no image")
    found = of_pair(open_dataset(root))
    assert found.rows.tolist() == [-1, -1]
    assert len(found.unreadable) == 2
    assert len(found.matrix) == 0


@pytest.mark.usefixtures("backbones")
def test_feature_maps_are_refused(folder: Path) -> None:
    with pytest.raises(BackboneError, match="the mean of its feature map, found mobilenet"):
        of_pair(open_dataset(folder), pooling="grid")
