from __future__ import annotations

import gc
import itertools
import json
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.backbones import exported, registry
from manyheads.backbones.compiled import (
    CompiledBackbone,
    OpenVinoBackbone,
    compile_backbone,
)
from manyheads.backbones.exported import Program, made
from manyheads.backbones.inference_streams import timed
from manyheads.backbones.placement import check_precision
from manyheads.backbones.registry import BackboneSpec, batch_size
from manyheads.backbones.weights import Weights
from manyheads.core import keras_process
from manyheads.core.artifacts import Artifact
from manyheads.core.job import Job
from manyheads.errors import BackboneError, Interrupted, SettingError, WeightsError
from tests.jobs import stopped_job
from tests.unit.backbones import child_tasks

TINY = child_tasks.tiny_program
SIZE = 32


def images(count: int, size: int = SIZE) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def tiny(features: int = 6) -> Program:
    return made({"backbone": "tiny", "features": features}, TINY, {"features": features})


@pytest.fixture(scope="module")
def compiled(small: BackboneSpec, small_weights: Weights) -> Iterator[CompiledBackbone]:
    with compile_backbone(small, small_weights, SIZE) as backbone:
        yield backbone


def features(backbone: CompiledBackbone, batches: list[Any]) -> list[Any]:
    found = dict(backbone.run(enumerate(batches)))
    return [found[number] for number in range(len(batches))]


# The cache of programs


def test_a_program_is_made_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny()
    assert first.features == 6
    assert own_cache in first.path.parents
    monkeypatch.setattr(keras_process, "call", None)
    assert tiny() == first
    with pytest.raises(TypeError):
        tiny(9)  # another recipe


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("name", ["backbone.xml", "backbone.bin", "seal.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_program_is_made_again(
    name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    program = tiny()
    file = program.path.with_name(name)
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(whole[:-1])
    else:
        file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with caplog.at_level(logging.WARNING):
        assert tiny() == program
    assert "damaged" in caplog.text
    assert file.read_bytes() == whole


def test_what_a_killed_process_left_is_cleared_away(own_cache: Path) -> None:
    program = tiny()
    folder = program.path.parent
    folder.rename(folder.with_name(f".{folder.name}"))
    (folder.with_name(f".{folder.name}") / "seal.json").unlink()
    assert tiny() == program
    assert [entry.name for entry in (own_cache / "compiled").iterdir() if entry.is_dir()] == [
        folder.name
    ]


def test_a_failure_leaves_no_program(own_cache: Path) -> None:
    with pytest.raises(Exception, match="RuntimeError"):
        made({"backbone": "none"}, child_tasks.crash, {})
    assert not [entry for entry in (own_cache / "compiled").iterdir() if entry.is_dir()]


def test_a_request_to_stop_is_heard_while_keras_builds(own_cache: Path, tmp_path: Path) -> None:
    job = stopped_job()
    hanging = {"witness": str(tmp_path / "pid")}
    with pytest.raises(Interrupted):
        made({"backbone": "x"}, child_tasks.hang, hanging, job)
    assert not [entry for entry in (own_cache / "compiled").iterdir() if entry.is_dir()]


def test_the_seal_names_what_the_program_depends_on(
    small: BackboneSpec, small_weights: Weights
) -> None:
    program = exported.program(small, small_weights, SIZE)
    recipe = json.loads(program.path.with_name("seal.json").read_text())["recipe"]
    assert recipe["backbone"] == small.name
    assert recipe["weights"] == small_weights.digest
    assert (recipe["size"], recipe["batch"]) == (SIZE, 16)
    assert {"keras", "openvino", "layout"} <= recipe.keys()


def test_a_grid_is_a_program_of_its_own_and_the_pooled_one_keeps_its_key(
    small: BackboneSpec, small_weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs of earlier versions stay valid."""
    asked: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def made(*given: Any, **_: Any) -> Artifact:
        asked.append((given[1], given[3]))
        return Artifact(Path("nowhere"), {"features": 1})

    monkeypatch.setattr(exported.artifacts, "made", made)
    for pooling in ("avg", "grid"):
        exported.program(small, small_weights, SIZE, pooling=pooling)
    (pooled, plain), (grid, other) = asked
    assert pooled.keys() == {"backbone", "weights", "size", "batch", "layout"}
    assert plain.keys() == {"backbone", "weights", "digest", "size"}
    assert grid == pooled | {"pooling": "grid"}
    assert other == plain | {"pooling": "grid"}


def test_weights_that_are_not_the_named_ones_are_refused(
    small: BackboneSpec, small_weights: Weights
) -> None:
    other = Weights(small_weights.path, "f" * 64, "a test")
    with pytest.raises(WeightsError, match=r"digest ffffffffffff….*delete that file"):
        compile_backbone(small, other, SIZE)


# Running


def test_the_shape_is_what_it_says(compiled: CompiledBackbone) -> None:
    assert compiled.features == 576
    assert compiled.batch == 16
    (found,) = features(compiled, [images(5)])
    assert found.shape == (5, 576)
    assert found.dtype == np.float32
    assert (found.std(axis=0) > 0).any()


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_features_depend_on_the_image_alone(compiled: CompiledBackbone, data: Any) -> None:
    """The law that lets an interrupted extraction equal an uninterrupted one bit for bit."""
    pixels = images(24)
    alone = np.concatenate(features(compiled, [pixels[i : i + 1] for i in range(24)]))
    order = data.draw(st.permutations(range(24)))
    cuts = sorted(data.draw(st.sets(st.integers(1, 23), min_size=1)) | {12})
    parts = [order[a:b] for a, b in itertools.pairwise([0, *cuts, 24])]
    found = features(compiled, [pixels[part] for part in parts])
    for part, values in zip(parts, found, strict=True):
        np.testing.assert_array_equal(values, alone[part])


def test_the_fixed_batch_does_not_matter_either(
    small: BackboneSpec, small_weights: Weights, compiled: CompiledBackbone
) -> None:
    program = exported.program(small, small_weights, SIZE)
    (expected,) = features(compiled, [images(8)])
    for batch in (1, 3, 8):
        other = OpenVinoBackbone(program, SIZE, batch)
        parts = [images(8)[start : start + batch] for start in range(0, 8, batch)]
        np.testing.assert_array_equal(np.concatenate(features(other, parts)), expected)


def test_what_a_pass_calls_is_let_go_with_its_features(
    small: BackboneSpec, small_weights: Weights
) -> None:
    backbone = OpenVinoBackbone(exported.program(small, small_weights, SIZE), SIZE, 4)
    called = threading.Event()
    over = partial(called.set)
    passed = backbone.begin(images(3), over)
    assert passed.features().shape == (3, 576)
    assert called.is_set()
    known = weakref.ref(over)
    del backbone, passed, over
    gc.collect()
    assert known() is None


def test_it_reads_ahead_by_a_few_batches_only(compiled: CompiledBackbone) -> None:
    taken = 0

    def batches() -> Iterator[tuple[object, Any]]:
        nonlocal taken
        for number in range(30):
            taken += 1
            yield number, images(2)

    done = 0
    for _ in compiled.run(batches()):
        done += 1
        assert taken - done <= 16
    assert done == 30


def test_leaving_early_leaves_a_backbone_that_runs_again(compiled: CompiledBackbone) -> None:
    running = compiled.run((number, images(4)) for number in range(50))
    next(running)
    running.close()
    assert len(features(compiled, [images(4)] * 5)) == 5


def test_an_error_in_the_images_comes_through(compiled: CompiledBackbone) -> None:
    def batches() -> Iterator[tuple[object, Any]]:
        yield 0, images(4)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(compiled.run(batches()))
    assert len(features(compiled, [images(4)])) == 1


def test_a_request_to_stop_ends_the_run(compiled: CompiledBackbone) -> None:
    job = Job()
    endless = ((number, images(16)) for number in itertools.count())
    started, after = 0.0, 0
    for number, _ in enumerate(compiled.run(endless, job=job)):
        after += job.stopped
        if number == 5:
            job.stop()
            started = time.perf_counter()
    assert time.perf_counter() - started < 1.0
    assert after <= 8


# Choosing


def test_large_images_come_in_small_batches() -> None:
    assert [batch_size(size) for size in (32, 150, 224, 299, 600, 2048)] == [16, 16, 16, 8, 2, 1]


def test_images_that_are_too_small_are_refused(small_weights: Weights) -> None:
    with pytest.raises(BackboneError, match="at least 75"):
        compile_backbone(registry.get("inception_v3"), small_weights, 74)


def test_an_unknown_runtime_is_refused(small: BackboneSpec, small_weights: Weights) -> None:
    with pytest.raises(SettingError, match="openvino, keras"):
        compile_backbone(small, small_weights, SIZE, runtime="onnx")


def test_an_unknown_precision() -> None:
    with pytest.raises(SettingError, match="`precision` to be one of f32, bf16, f16"):
        check_precision("f8")


def test_keras_computes_in_float32_alone() -> None:
    with pytest.raises(SettingError, match=r"precision f32 on the runtime keras, found bf16"):
        check_precision("bf16", "keras")


def test_a_precision_that_the_processor_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        def get_property(self, *_: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr("manyheads.core.openvino_runtime.core", Core)
    with pytest.raises(SettingError, match=r"computes in bf16, found one that computes in f32"):
        check_precision("bf16")


def test_measuring_streams_changes_no_feature(
    small: BackboneSpec,
    small_weights: Weights,
    compiled: CompiledBackbone,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("manyheads.backbones.compiled.timed", partial(timed, seconds=0.01))
    with compile_backbone(small, small_weights, SIZE, images=10**6) as backbone:
        assert (own_cache / "streams.json").is_file()
        np.testing.assert_array_equal(
            features(backbone, [images(5)])[0], features(compiled, [images(5)])[0]
        )


def test_bfloat16_is_near_float32(
    small: BackboneSpec, small_weights: Weights, compiled: CompiledBackbone
) -> None:
    try:
        check_precision("bf16")
    except SettingError as error:
        pytest.skip(str(error))
    with compile_backbone(small, small_weights, SIZE, precision="bf16") as backbone:
        (found,), (exact,) = (features(each, [images(5)]) for each in (backbone, compiled))
    apart = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    assert 1e-5 < apart < 0.1
