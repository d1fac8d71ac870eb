"""Our own forward passes of devices, on the processor; called in a child with Keras's backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def features(
    backbone: str, weights: list[str], pixels: str, output: str, runtime: str
) -> dict[str, Any]:
    """Write the features of `pixels` in each precision by the forward pass of a runtime."""
    from manyheads.backbones import registry
    from manyheads.backbones.device_backbone import on_device
    from manyheads.backbones.keras_forward import KerasForward
    from manyheads.backbones.onnx_forward import OnnxForward
    from manyheads.backbones.weights import Weights

    spec, images = registry.get(backbone), np.load(pixels)
    known, size = Weights(Path(weights[0]), weights[1], "a test"), images.shape[1]
    precisions = ("f32", "f16") if runtime == "onnxruntime" else ("f32", "bf16", "f16")
    forward = OnnxForward if runtime == "onnxruntime" else KerasForward
    found = {}
    for precision in precisions:
        with on_device(
            lambda precision=precision: forward(
                spec, known, size, device="cpu", precision=precision
            ),
            4,
            "cpu",
        ) as compiled:
            parts = [images[start : start + 4] for start in range(0, len(images), 4)]
            found[precision] = np.concatenate([rows for _, rows in compiled.run(enumerate(parts))])
    np.savez(output, **found)
    return {}
