"""What is measured computes what it says, at tiny sizes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import step_parts
from benchmarks.generated import generated_photographs
from benchmarks.parts import fused, keras_heads, networks, shapes, sklearn_heads

few = partial(shapes.samples, 48, 16)


def test_the_engine_is_timed_in_memory_and_on_a_mapped_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fused, "samples", few)
    monkeypatch.setattr(fused, "VALIDATION", 8)
    assert fused.heads(count=2, epochs=20)["epoch"] > 0
    file = tmp_path / "features"
    np.concatenate(few()[::2]).tofile(file)
    assert fused.images(str(file), train=40, epochs=20)["sample"] > 0


@pytest.mark.when_changed("commands")
def test_an_epoch_in_parts_is_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_parts, "samples", few)
    whole, apart = step_parts._trainer(), step_parts._trainer()
    whole._train(1)
    step_parts._in_parts(apart, 1, step_parts.Clock())
    for one, other in zip(whole.parameters(), apart.parameters(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.when_changed("commands")
def test_the_parts_stand_beside_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_parts, "samples", few)
    found = step_parts.measured(1) | dict.fromkeys(step_parts.PARTS, 2.0) | {"train": 14.0}
    lines = step_parts.report(found)
    assert "| loss, and its gradient | 2.00 | 12% |" in lines
    assert "| all parts | 16.0 | 100% |" in lines


def test_scikit_learn_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sklearn_heads, "samples", few)
    assert sklearn_heads.heads(epochs=1, threads=1)["epoch"] > 0


@pytest.mark.when_changed("studies")
def test_keras_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.banks import training_keras

    training_keras()
    monkeypatch.setattr(keras_heads, "samples", lambda train=48: shapes.samples(train, 16))
    assert keras_heads.heads(epochs=2, settings={"jit_compile": False})["epoch"] > 0
    assert keras_heads.images(train=40, epochs=1, settings={"jit_compile": False})["sample"] > 0


def test_decoded_batches_hold_every_file_in_order() -> None:
    paths = sorted(generated_photographs(12, 10).rglob("*.jpg"))
    batches = list(networks._batches(paths, 8))
    assert [len(batch) for batch in batches] == [8, 8, 6]
    expected = np.stack([networks.load_pixels(path, networks.IMAGE) for path in paths])
    np.testing.assert_array_equal(np.concatenate(batches), expected)


def test_a_short_batch_is_filled_and_scaled() -> None:
    pixels = np.full((3, 2, 2, 3), 255, np.uint8)
    whole = networks._scaled(networks._whole(pixels))
    assert whole.shape == (shapes.BATCH, 2, 2, 3)
    assert (whole[:3] == 1).all()
    assert (whole[3:] == -1).all()


def learnable() -> tuple[Any, Any]:
    """Samples whose class shows in one feature."""
    y = np.arange(64) % shapes.CLASSES
    x = np.zeros((64, shapes.FEATURES), np.float32)
    x[np.arange(64), y] = 1
    return x, y


@pytest.mark.when_changed("studies")
def test_stacked_heads_learn_on_jax() -> None:
    pytest.importorskip("jax", reason="JAX is not installed; it comes with the extra `bench`")
    from benchmarks.parts import jax_heads

    x, y = (jax_heads.jnp.asarray(array) for array in learnable())
    loops = {"vmap": jax_heads._scanned, "one product": jax_heads._stepped}
    for layout, epoch in loops.items():
        state = jax_heads._start(3, layout)
        before, _ = jax_heads._validate(state[0], x, y)
        for seed in range(15):
            order = jax_heads.jnp.arange(len(x))
            state, _ = epoch(state, x, y, order, jax_heads.jax.random.key(seed))
        after, accuracy = jax_heads._validate(state[0], x, y)
        assert (np.asarray(after) < np.asarray(before)).all()
        assert (np.asarray(accuracy) > 0.5).all()


def test_stacked_heads_learn_on_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.parts import torch_heads

    x, y = (torch.from_numpy(array) for array in learnable())
    for layout in ("bmm", "one product"):
        stack = torch_heads._Stack(3, layout)
        optimizer = torch.optim.Adam(stack.parameters, 0.01)
        before = stack.loss(x, y, training=False).item()
        for _ in range(30):
            optimizer.zero_grad()
            stack.loss(x, y, training=True).backward()
            optimizer.step()
        assert stack.loss(x, y, training=False).item() < 0.5 * before


def test_both_layouts_of_pytorch_are_the_same_heads() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.parts import torch_heads

    x, y = (torch.from_numpy(array) for array in learnable())
    stacks = [torch_heads._Stack(3, layout) for layout in ("bmm", "one product")]
    with torch.no_grad():
        for one, other in zip(*(stack.parameters for stack in stacks), strict=True):
            if one.shape != other.shape:  # [heads, features, units] side by side
                one = one.transpose(0, 1).reshape(other.shape)
            other.copy_(one)
    losses = [stack.loss(x, y, training=False).item() for stack in stacks]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
