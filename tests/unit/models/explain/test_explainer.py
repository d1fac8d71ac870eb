"""A classifier's explanations are the maps of its own head on its own feature maps."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
from PIL import Image

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import resolve
from manyheads.core.job import SILENT, Job
from manyheads.data.images import load_pixels
from manyheads.errors import BackboneError, Interrupted, ModelError, SettingError
from manyheads.heads.files import load_head
from manyheads.models.card import card_path
from manyheads.models.classifier import Classifier, ImageClassifier, load
from manyheads.models.explain.explainer import Explainer
from manyheads.models.explain.explanation import Explanations
from manyheads.models.explain.grids import ModelParts, parts_of
from manyheads.models.explain.maps import activation_map, occlusion_map
from manyheads.models.export.exporter import export_model
from manyheads.study.folder import RunFolder
from tests.jobs import HeardJob, stopped_job

pytestmark = pytest.mark.when_changed("studies")


@pytest.fixture(scope="module")
def found(grid_model: Classifier, grid_files: list[Path]) -> Explanations:
    """The explanations of all images."""
    return grid_model.explain(grid_files)


def test_maps_are_of_the_models_own_grids_and_head(
    grid_run: RunFolder, grid_model: Classifier, grid_files: list[Path], found: Explanations
) -> None:
    card, count = grid_model.card, 5
    pixels = np.stack([load_pixels(file, card.image) for file in grid_files[:count]])
    spec = registry.get(card.backbone)
    weights = resolve(spec, "random:0")
    with compile_backbone(spec, weights, card.image.size, pooling="grid") as backbone:
        ((_, grids),) = backbone.run([(0, pixels)])
    head, _ = load_head(grid_run.head(int(card.selected["candidate"])))
    for entry, grid in zip(found[:count], grids, strict=True):
        target = card.classes.index(str(entry.target))
        np.testing.assert_allclose(entry.occlusion, occlusion_map(head, grid, target), atol=1e-4)
        np.testing.assert_allclose(entry.cam, activation_map(head, grid, target), atol=1e-4)
    assert (found.grid, found.cam.shape) == ((3, 3), (len(grid_files), 3, 3))
    assert np.ptp(found.occlusion, axis=(1, 2)).min() > 0


def test_answers_are_those_of_predict(
    grid_model: Classifier, grid_files: list[Path], found: Explanations
) -> None:
    wanted = grid_model.predict(grid_files)
    assert found.labels == wanted.labels == [entry.target for entry in found]
    assert [entry.image for entry in found] == [entry.image for entry in wanted]
    confidences = [entry.confidence for entry in found]
    np.testing.assert_allclose(confidences, wanted.probabilities.max(axis=1), atol=1e-4)


@pytest.mark.slow
def test_a_model_file_alone_is_enough(
    grid_run: RunFolder, grid_files: list[Path], found: Explanations, tmp_path: Path,
    own_cache: Path,
) -> None:  # fmt: skip
    for file in (grid_run.best, card_path(grid_run.best)):
        shutil.copyfile(file, tmp_path / file.name)
    alone = load(tmp_path / grid_run.best.name).explain(grid_files[:3])
    np.testing.assert_allclose(alone.occlusion, found.occlusion[:3], atol=1e-4)
    np.testing.assert_allclose(alone.cam, found.cam[:3], atol=1e-4)
    assert not (own_cache / "weights").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "raw"), [("h5", True), ("h5", False), ("keras", False)],
    ids=["h5, raw", "h5", "keras"],
)  # fmt: skip
def test_an_export_gives_the_same_maps(
    grid_run: RunFolder, grid_files: list[Path], found: Explanations, tmp_path: Path,
    format_: str, raw: bool,
) -> None:  # fmt: skip
    file = tmp_path / f"best.{format_}"
    export_model(grid_run, format_, file, raw=raw)
    same = load(file).explain(grid_files[:3])
    np.testing.assert_allclose(same.occlusion, found.occlusion[:3], atol=1e-4)
    np.testing.assert_allclose(same.cam, found.cam[:3], atol=1e-4)


def test_neighbours_change_nothing(
    grid_model: Classifier, grid_files: list[Path], found: Explanations
) -> None:
    (alone,) = grid_model.explain(grid_files[5])
    np.testing.assert_array_equal(alone.occlusion, found[5].occlusion)
    np.testing.assert_array_equal(alone.cam, found[5].cam)


def test_arrays_are_explained_as_files_are(
    grid_model: Classifier, grid_files: list[Path], found: Explanations
) -> None:
    arrays = [np.asarray(Image.open(file)) for file in grid_files[:2]]
    both = grid_model.explain(np.stack(arrays))
    np.testing.assert_array_equal(both.cam, found.cam[:2])
    assert [entry.image for entry in both] == ["array 0", "array 1"]
    assert both[0].overlay().size == (320, 320)


def test_another_class_has_other_maps(
    grid_model: Classifier, grid_files: list[Path], found: Explanations
) -> None:
    other = next(name for name in grid_model.classes if name != found[0].label)
    (entry,) = grid_model.explain(grid_files[0], target=other)
    assert (entry.target, entry.label) == (other, found[0].label)
    assert entry.cam is not None
    assert np.abs(entry.cam - found.cam[0]).max() > 1e-3


def test_labels_are_explained_in_one_pass_as_one_by_one(
    grid_model: Classifier, grid_files: list[Path]
) -> None:
    assert isinstance(grid_model, ImageClassifier)
    explainer = Explainer(grid_model)
    found = explainer.explain_labels(grid_files[0], grid_model.classes[1:])
    for each, name in zip(found, grid_model.classes[1:], strict=True):
        (alone,) = explainer.explain(grid_files[0], name)
        assert (each.target, each.label, each.words) == (name, alone.label, alone.words)
        np.testing.assert_array_equal(each.occlusion, alone.occlusion)
    (usual,) = explainer.explain_labels(grid_files[0].read_bytes(), ())
    assert usual.target == usual.label
    (unread,) = explainer.explain_labels(b"no image", grid_model.classes)
    assert unread.error is not None


def test_an_unknown_class(grid_model: Classifier, grid_files: list[Path]) -> None:
    with pytest.raises(SettingError, match=r"classes, cat, dog, red panda, found 'cow'"):
        grid_model.explain(grid_files[0], target="cow")


def test_an_unreadable_image_is_reported_in_its_place(
    grid_model: Classifier, grid_files: list[Path], found: Explanations, tmp_path: Path
) -> None:
    job = HeardJob()
    mixed = grid_model.explain(
        [grid_files[0], tmp_path / "absent.png", grid_files[1]],
        job=job,
    )
    assert [entry.error is None for entry in mixed] == [True, False, True]
    assert "no such file" in str(mixed[1].error)
    np.testing.assert_array_equal(mixed.cam[[0, 2]], found.cam[:2])
    assert np.isnan(mixed.occlusion[1]).all()
    assert len(mixed.readable) == 2
    assert job.steps("explaining")[-1] == (3, 3)
    assert "absent.png: unreadable" in repr(mixed)


def test_a_model_that_has_explained_goes_with_its_last_reference(
    grid_run: RunFolder, grid_files: list[Path]
) -> None:
    gc.collect()
    gc.disable()  # a server that waits does not collect either
    try:
        model = load(grid_run.path)
        model.explain(grid_files[:1])
        gone = ref(model)
        del model
        assert gone() is None
    finally:
        gc.enable()


def test_no_images_and_only_unreadable_ones(grid_model: Classifier, tmp_path: Path) -> None:
    assert len(grid_model.explain([])) == 0
    (entry,) = grid_model.explain([tmp_path / "absent.png"])
    assert (entry.label, entry.cam) == (None, None)


def test_a_request_to_stop(grid_model: Classifier, grid_files: list[Path]) -> None:
    job = stopped_job()
    with pytest.raises(Interrupted, match="stopped before explaining was finished"):
        grid_model.explain(grid_files, job=job)


def test_parts_that_are_not_the_model(grid_run: RunFolder, grid_files: list[Path]) -> None:
    model = load(grid_run.path)
    assert isinstance(model, ImageClassifier)
    parts = parts_of(model.path, model.card)
    moved = parts.head._replace(bias=parts.head.bias + np.array([0.01, 0, 0], np.float32))
    model._explainer._parts = parts._replace(head=moved)
    with pytest.raises(ModelError, match=r"from its feature maps, to 0\.0001, found a difference"):
        model.explain(grid_files[0])


def test_a_grid_of_one_cell_tells_nothing(
    grid_run: RunFolder, grid_files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(grid_run.path)
    assert isinstance(model, ImageClassifier)
    program, head = parts_of(model.path, model.card)

    def run(batches: Iterable, *, job: Job = SILENT) -> Iterator:
        assert not job.stopped
        for key, pixels in batches:
            yield key, np.zeros((len(pixels), 1, 1, program.features), np.float32)

    monkeypatch.setattr(program, "run", run)
    model._explainer._parts = ModelParts(program, head)
    with pytest.raises(BackboneError, match="one cell, of mobilenet at 96 pixels"):
        model.explain(grid_files[0])


def test_a_backbone_without_a_grid(grid_model: Classifier, grid_files: list[Path]) -> None:
    preprocessing = registry.get("convnext_tiny").preprocessing
    card = replace(grid_model.card, backbone="convnext_tiny", preprocessing=preprocessing)
    with pytest.raises(BackboneError, match="found convnext_tiny; explain a model on another"):
        ImageClassifier(grid_model.path, card).explain(grid_files[0])
