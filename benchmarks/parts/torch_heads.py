"""PyTorch with stacked heads: every step computes all of them, and Adam updates them at once.

All heads visit the samples in one order, so a step's features are one array for all of them:
that is what suits PyTorch best.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from benchmarks.machine import answer
from benchmarks.parts.shapes import (
    BATCH,
    CLASSES,
    DROPRATE,
    FEATURES,
    LEARNING_RATE,
    UNITS,
    samples,
    timed,
)


def heads(count: int, epochs: int, layout: str, adam: str) -> dict[str, float]:
    """Milliseconds of a head's epoch in a stack of `count`, after a first one.

    `layout`: the inner kernels are `[heads, features, units]`, multiplied by `bmm`, or stand side
    by side in one matrix `[features, heads · units]`; `adam`: PyTorch's fused or foreach one.
    """
    torch.manual_seed(0)
    x, y, val_x, val_y = (torch.from_numpy(array) for array in samples())
    stack = _Stack(count, layout)
    optimizer = torch.optim.Adam(stack.parameters, LEARNING_RATE, eps=1e-7, **{adam: True})

    def one() -> None:
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            stack.loss(x[rows], y[rows], training=True).backward()
            optimizer.step()
        with torch.inference_mode():
            stack.loss(val_x, val_y, training=False).item()

    return timed(one, epochs, count)


def modules(count: int, epochs: int = 1) -> dict[str, float]:
    """Milliseconds of a head's epoch among `count` modules, each trained by itself.

    On PyTorch's accelerator if there is one; each head has an optimiser and an order of its own.
    """
    device = _device()
    x, y, val_x, val_y = (torch.from_numpy(array).to(device) for array in samples())
    heads = [_module().to(device) for _ in range(count)]
    optimizers = [
        torch.optim.Adam(head.parameters(), LEARNING_RATE, eps=1e-7, fused=True) for head in heads
    ]

    def one() -> None:
        for head, optimizer in zip(heads, optimizers, strict=True):
            head.train()
            for rows in torch.randperm(len(x), device=device).split(BATCH):
                optimizer.zero_grad(set_to_none=True)
                functional.cross_entropy(head(x[rows]), y[rows]).backward()
                optimizer.step()
            with torch.inference_mode():
                functional.cross_entropy(head.eval()(val_x), val_y).item()

    return timed(one, epochs, count)


def functional_heads(count: int, epochs: int = 2) -> dict[str, float]:
    """Milliseconds of a head's epoch in `torch.func`: `vmap` of gradients over stacked modules.

    On PyTorch's accelerator if there is one; all heads visit the samples in one order.
    """
    device = _device()
    x, y, val_x, val_y = (torch.from_numpy(array).to(device) for array in samples())
    heads = [_module().to(device) for _ in range(count)]
    parameters, _ = torch.func.stack_module_state(heads)
    optimizer = torch.optim.Adam(parameters.values(), LEARNING_RATE, eps=1e-7, fused=True)

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return functional.cross_entropy(torch.func.functional_call(heads[0], parameters, x), y)

    gradients = torch.func.vmap(torch.func.grad(loss), (0, None, None), randomness="different")
    losses = torch.func.vmap(loss, (0, None, None), randomness="different")

    def one() -> None:
        for rows in torch.randperm(len(x), device=device).split(BATCH):
            for name, gradient in gradients(parameters, x[rows], y[rows]).items():
                parameters[name].grad = gradient
            optimizer.step()
        heads[0].eval()
        with torch.inference_mode():
            losses(parameters, val_x, val_y).cpu()
        heads[0].train()

    return timed(one, epochs, count)


def _device() -> Any:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _module() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(FEATURES, UNITS),
        torch.nn.ReLU(),
        torch.nn.Dropout(DROPRATE),
        torch.nn.Linear(UNITS, CLASSES),
    )


class _Stack:
    """The parameters of all heads."""

    def __init__(self, count: int, layout: str) -> None:
        self.side_by_side = layout == "one product"
        shape = (FEATURES, count * UNITS) if self.side_by_side else (count, FEATURES, UNITS)
        self.parameters = [
            _uniform(shape, FEATURES + UNITS),
            torch.zeros(count, 1, UNITS),
            _uniform((count, UNITS, CLASSES), UNITS + CLASSES),
            torch.zeros(count, 1, CLASSES),
        ]
        for array in self.parameters:
            array.requires_grad_()

    def loss(self, x: Any, y: Any, *, training: bool) -> Any:
        """The sum over heads of the mean cross-entropy."""
        inner_kernel, inner_bias, kernel, bias = self.parameters
        products = torch.matmul(x, inner_kernel)
        if self.side_by_side:
            products = products.view(len(x), -1, UNITS).transpose(0, 1)
        hidden = functional.dropout(functional.relu(products + inner_bias), DROPRATE, training)
        logits = torch.baddbmm(bias, hidden, kernel)
        count = len(logits)
        total = functional.cross_entropy(
            logits.reshape(-1, CLASSES), y.repeat(count), reduction="sum"
        )
        return total / len(x)


def _uniform(shape: tuple[int, ...], around: int) -> Any:
    return torch.empty(shape).uniform_(-math.sqrt(6 / around), math.sqrt(6 / around))


if __name__ == "__main__":
    answer(globals())
