"""Feature maps, half-precision rows, altered images, and features of some images alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import UInt8

from manyheads.backbones import registry
from manyheads.backbones.weights import Weights
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.images import load_pixels
from manyheads.errors import Interrupted
from manyheads.features import extraction as extract_module
from manyheads.features.cache import FeatureCache
from manyheads.features.extraction import Features, extract, recipe_of
from tests.jobs import StoppingJob
from tests.unit.features.fakes import IMAGE, FakeBackbone, content, recipe

SPEC = registry.get("mobilenet_v2")
WEIGHTS = Weights(Path("nowhere"), "0" * 64, "a test")
CELLS, WIDTH = (2, 3), 5


class GridBackbone(FakeBackbone):
    """Yields a grid of 2×3 cells, each of the image's own numbers."""

    def expected(self, pixels: Any) -> Any:
        flat = pixels.reshape(len(pixels), -1)[:, : CELLS[0] * CELLS[1] * WIDTH]
        return (flat.reshape(-1, *CELLS, WIDTH) / 255).astype(np.float32)


@dataclass(frozen=True)
class Darkened:
    """Takes an amount from every pixel, and one more where the content says so."""

    amount: int

    def __call__(
        self, pixels: UInt8[np.ndarray, "size size 3"], content: str
    ) -> UInt8[np.ndarray, "size size 3"]:
        return np.maximum(pixels.astype(int) - self.amount - int(content[0], 16), 0).astype(
            np.uint8
        )


@pytest.fixture
def backbone(monkeypatch: pytest.MonkeyPatch) -> GridBackbone:
    fake = GridBackbone()
    monkeypatch.setattr(extract_module, "compile_backbone", lambda *_, **__: fake)
    return fake


@pytest.fixture
def dataset(image_folder: Callable[..., Path]) -> Dataset:
    return open_dataset(
        image_folder({"train/a": 5, "train/b": 4, "validation/a": 2, "validation/b": 2})
    )


def run(dataset: Dataset, **options: Any) -> Features:
    return extract(dataset, SPEC, WEIGHTS, IMAGE, **options)


@pytest.mark.parametrize(("storage", "kind"), [("f32", np.float32), ("f16", np.float16)])
def test_grids_are_kept_cell_by_cell(
    dataset: Dataset, backbone: GridBackbone, storage: str, kind: type
) -> None:
    found = run(dataset, pooling="grid", storage=storage)
    pixels = np.stack([load_pixels(path, IMAGE) for path in dataset.paths])
    wanted = backbone.expected(pixels).reshape(len(dataset), -1, WIDTH).astype(kind)
    assert found.grid == CELLS
    assert found.matrix.dtype == kind
    np.testing.assert_array_equal(found.matrix[found.rows], wanted)
    again = run(dataset, pooling="grid", storage=storage)
    assert (again.passes, again.grid) == (0, CELLS)
    np.testing.assert_array_equal(again.matrix[again.rows], wanted)


def test_damage_of_a_half_precision_row_is_found() -> None:
    kept = recipe(storage="f16")
    names = [content(number) for number in range(6)]
    with FeatureCache(kept) as cache:
        cache.add(names, np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32))
        path = cache.folder / "features.f16"
    with path.open("r+b") as file:
        file.seek(3 * 16 + 5)
        file.write(b"\x7f")
    with FeatureCache(kept) as cache:
        assert np.flatnonzero(cache.rows(names) < 0).tolist() == [3]


@pytest.mark.usefixtures("backbone")
def test_pooled_features_have_no_grid(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_module, "compile_backbone", lambda *_, **__: FakeBackbone())
    found = run(dataset)
    assert found.grid is None
    assert found.matrix.ndim == 2


def test_each_version_is_kept_apart_and_is_what_the_backbone_saw(
    dataset: Dataset, backbone: GridBackbone
) -> None:
    plain = run(dataset, pooling="grid")
    dark = run(dataset, pooling="grid", alteration=Darkened(9))
    assert dark.passes == len(dataset)
    altered = np.stack(
        [
            Darkened(9)(load_pixels(path, IMAGE), digest)
            for path, digest in zip(dataset.paths, dataset.digests, strict=True)
        ]
    )
    wanted = backbone.expected(altered).reshape(len(dataset), -1, WIDTH)
    np.testing.assert_array_equal(dark.matrix[dark.rows], wanted)
    assert run(dataset, pooling="grid", alteration=Darkened(9)).passes == 0
    assert run(dataset, pooling="grid", alteration=Darkened(10)).passes == len(dataset)
    again = run(dataset, pooling="grid")
    np.testing.assert_array_equal(again.matrix[again.rows], plain.matrix[plain.rows])


def test_altered_grids_go_on_where_they_were_stopped(
    dataset: Dataset, backbone: GridBackbone
) -> None:
    how: dict[str, Any] = {"pooling": "grid", "storage": "f16", "alteration": Darkened(9)}
    job = StoppingJob("extracting", 4)
    with pytest.raises(Interrupted):
        run(dataset, **how, job=job)
    kept = backbone.passes
    assert 4 <= kept < len(dataset)
    found = run(dataset, **how)
    assert found.passes == len(dataset) - kept
    whole = run(dataset, **(how | {"storage": "f32"}))
    np.testing.assert_array_equal(
        found.matrix[found.rows], whole.matrix[whole.rows].astype(np.float16)
    )


def test_only_the_images_that_are_wanted_pass(dataset: Dataset, backbone: GridBackbone) -> None:
    train = dataset.rows("train")
    found = run(dataset, pooling="grid", only=train)
    assert found.passes == backbone.passes == len(train)
    assert found.unreadable == {}
    assert (found.rows[train] >= 0).all()
    assert (found.rows[dataset.rows("validation")] == -1).all()
    kept = recipe_of(SPEC, WEIGHTS, IMAGE, pooling="grid")
    with FeatureCache(kept) as cache:
        assert cache.missing(dataset.contents) == len(dataset.rows("validation"))


@pytest.mark.usefixtures("backbone")
def test_an_unreadable_image_is_told_only_where_it_is_wanted(dataset: Dataset) -> None:
    bad, other = (int(dataset.rows(split)[0]) for split in ("train", "validation"))
    for index in (bad, other):
        Path(str(dataset.paths[index])).write_bytes(b"no image")
    changed = open_dataset(dataset.root)
    assert set(run(changed, pooling="grid", only=changed.rows("train")).unreadable) == {bad}
    assert set(run(changed, pooling="grid").unreadable) == {bad, other}


def test_the_digests_of_plain_recipes_have_not_changed() -> None:
    """Caches of earlier versions stay valid."""
    known = "c53a13da9f390f64"
    assert recipe_of(SPEC, WEIGHTS, IMAGE).digest[:16] == known
    others: list[dict[str, Any]] = [
        {"pooling": "grid"}, {"pooling": "grid", "storage": "f16"},
        {"alteration": Darkened(1)}, {"alteration": Darkened(2)},
    ]  # fmt: skip
    changed = {recipe_of(SPEC, WEIGHTS, IMAGE, **more).digest for more in others}
    assert len(changed) == 4
    assert not any(digest.startswith(known) for digest in changed)
