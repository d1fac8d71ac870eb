"""The forward passes of accelerators, on the processor: they answer what Keras itself answers.

The largest error is relative to the largest feature; in float32 1e-4 at most, as on OpenVINO. In
half precision, the length of the difference is relative to the length of the features. The network
has drawn weights, which amplify rounding more than trained ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.core import keras_process
from tests.conformance import device_forward, keras_forward
from tests.conformance.test_backbones import photographs

SIZE = 64
FLOAT32 = 1e-4
HALF = {"bf16": 0.2, "f16": 0.05}
WAYS = [("onnxruntime", "openvino"), ("keras", "jax"), ("keras", "tensorflow")]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Weights that are drawn, images, and what Keras on TensorFlow makes of them."""
    pytest.importorskip("tensorflow")
    folder, spec = tmp_path_factory.mktemp("reference"), registry.get("mobilenet_v2")
    pixels = folder / "pixels.npy"
    np.save(pixels, photographs(SIZE))
    job = {
        "module": spec.module, "function": spec.function, "seed": 3, "pixels": str(pixels),
        "output": str(folder / "features.npz"), "weights": str(folder / "weights.safetensors"),
    }  # fmt: skip
    told = keras_process.call(keras_forward.forward, {"jobs": [job]}, backend="tensorflow")
    return job | {"digest": told["digests"][0]}


@pytest.mark.when_changed("backbones")
@pytest.mark.parametrize(("runtime", "backend"), WAYS, ids=[backend for _, backend in WAYS])
def test_a_device_computes_what_keras_computes(
    reference: dict[str, Any], runtime: str, backend: str, tmp_path: Path
) -> None:
    pytest.importorskip({"openvino": "onnxruntime"}.get(backend, backend))
    output = tmp_path / "found.npz"
    keras_process.call(
        device_forward.features,
        {
            "backbone": "mobilenet_v2", "weights": [reference["weights"], reference["digest"]],
            "pixels": reference["pixels"], "output": str(output), "runtime": runtime,
        },
        backend=backend,
    )  # fmt: skip
    wanted, found = np.load(reference["output"])["features"], np.load(output)
    assert np.abs(found["f32"] - wanted).max() <= FLOAT32 * np.abs(wanted).max()
    for precision, most in HALF.items():
        if precision in found:
            apart = np.linalg.norm(found[precision] - wanted) / np.linalg.norm(wanted)
            assert 0 < apart <= most, f"{precision}: {apart:.3g}"
