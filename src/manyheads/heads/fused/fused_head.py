"""One head of the fused engine: its state, and its training in calls of the compiled kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float32, Float64

from manyheads.heads.bank import EpochEnd, HeadEnd, HeadSettings, Metrics, Predictions, head_events
from manyheads.heads.fold import Fold
from manyheads.heads.fused import kernels
from manyheads.heads.fused.blocks import GRADIENT, PANEL
from manyheads.heads.fused.kernels import Layer, Rules, Samples, Workspace
from manyheads.heads.fused.vector_code import LANES
from manyheads.heads.head import (
    Parameters,
    binary_cross_entropy,
    compact_log_odds,
    compact_predictions,
    cross_entropy,
)
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.inputs import Shown, TrainingInputs
from manyheads.heads.random import Streams, UniformSource

# A request to stop waits for one compiled call, so a call has bounds. The time of a step grows as
# its parameters times (samples + what Adam costs in samples); a call of _CALL takes about 0.2 s.
_CALL = 3_000_000_000
_ADAM = 16
_BLOCK = 1024  # samples, at most: their masks are drawn before the call


def train_head(
    index: int,
    head: HeadSettings,
    fold: Fold,
    rule: str,
    streams: Streams,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[EpochEnd | HeadEnd]:
    """Train one head on the calling thread; ends early, without a `HeadEnd`, once `stopped`."""
    if not stopped():
        trainer = _Trainer(head, fold, streams, stopped)
        yield from head_events(
            index, head, rule, trainer.epochs(), trainer.parameters,
            lambda: trainer.predictions, fold.validation_labels,
        )  # fmt: skip


class _Trainer:
    """The state of one head in training."""

    def __init__(
        self, head: HeadSettings, fold: Fold, streams: Streams, stopped: Callable[[], bool]
    ) -> None:
        self.head, self.fold, self.streams, self.stopped = head, fold, streams, stopped
        self.hyperparameters = head.hyperparameters
        self.matrix = _read_only(fold.matrix)
        self.features = fold.matrix.shape[1]
        start = streams.initial_parameters(
            self.features, self.hyperparameters.size_inner, fold.classes
        )
        batch_size = self.hyperparameters.batch_size
        self.inputs = TrainingInputs(self.hyperparameters, fold, streams)
        several = fold.label_sets is not None
        self.rules = _rules(self.hyperparameters, several_labels=several)
        # Of one class a sample there are none, and the kernels do not look at them.
        self.label_sets = np.zeros((0, 0), np.float32)
        if fold.label_sets is not None:
            self.label_sets = fold.label_sets.astype(np.float32)
        self.told = fold.classes if several else 1  # answers for each sample
        self.work = _workspace(batch_size, self.features, start)
        self.inner = _layer(start.inner_kernel, start.inner_bias)
        self.outer = _layer(start.kernel, start.bias)
        self.steps = 0
        self.predictions: Predictions = np.empty((len(fold.validation), fold.classes), np.float16)
        size = sum(array.size for array in start)
        self.block = batch_size * _steps_a_call(batch_size, size)

    def epochs(self) -> Iterator[tuple[Metrics, Float64[np.ndarray, "steps"]]]:
        """Train epoch after epoch, yielding each one's outcome, until the last or `stopped`."""
        for epoch in range(1, self.head.epochs + 1):
            trained = self._train(epoch)
            validated = self._validate() if trained else None
            if trained is None or validated is None:
                return
            accuracy, losses = trained
            sizes = np.full(len(losses), self.rules.batch_size)
            sizes[-1] -= sizes.sum() - len(self.fold.train)
            loss = float(losses @ sizes / sizes.sum())
            yield Metrics(accuracy, loss, *validated), losses

    def _train(self, epoch: int) -> tuple[float, Float64[np.ndarray, "steps"]] | None:
        samples, shown = len(self.fold.train), self.inputs.epoch(epoch)
        uniforms = self.streams.uniforms(epoch)
        rules = self.rules._replace(droprate=self.hyperparameters.droprate_in(epoch))
        a_step, losses, hits = rules.batch_size, [], 0
        for part in self._blocks(samples):
            if self.stopped():
                return None
            count = part.stop - part.start
            rates = self.hyperparameters.learning_rates(
                self.steps, -(-count // a_step), -(-samples // a_step)
            )
            block_losses, block_hits = kernels.train_steps(
                _samples(shown.part(part), self.label_sets),
                self._draw(uniforms, rules.droprate, count),
                rules,
                np.array(rates),
                self.steps,
                self.inner,
                self.outer,
                self.work,
            )
            self.steps += len(block_losses)
            losses.append(block_losses)
            hits += int(block_hits.sum())
        return hits / (samples * self.told), np.concatenate(losses)

    def _validate(self) -> tuple[float, float] | None:
        rows, labels = self.fold.validation, self.fold.validation_labels
        hits, losses = 0, 0.0
        self.predictions = np.empty_like(self.predictions)  # the former may have been handed over
        for part in self._blocks(len(rows)):
            if self.stopped():
                return None
            logits = kernels.logits_of(
                self.matrix, rows[part], self.rules.batch_size, self.inner, self.outer, self.work
            )
            with np.errstate(over="ignore", invalid="ignore"):  # the loss itself tells of it
                if self.fold.label_sets is not None:
                    targets = self.fold.label_sets[labels[part]]
                    hits += int(((logits > 0) == targets).sum())
                    self.predictions[part] = compact_log_odds(logits)
                    each = binary_cross_entropy(logits, targets)
                else:
                    hits += int((logits.argmax(axis=1) == labels[part]).sum())
                    self.predictions[part] = compact_predictions(logits)
                    each = cross_entropy(logits, labels[part])
                losses += float(each.sum(dtype=np.float64))
        return hits / (len(rows) * self.told), losses / len(rows)

    def _blocks(self, samples: int) -> Iterator[slice]:
        for start in range(0, samples, self.block):
            yield slice(start, min(start + self.block, samples))

    def _draw(
        self, uniforms: UniformSource, droprate: float, samples: int
    ) -> Float32[np.ndarray, "samples units"]:
        """Numbers for the masks of the next samples; none where nothing can be hidden."""
        units = self.hyperparameters.size_inner
        if not units or not droprate:
            return np.broadcast_to(np.float32(1), (samples, units)).copy()
        return uniforms.random((samples, units), dtype=np.float32)

    def parameters(self) -> Parameters:
        units = self.hyperparameters.size_inner
        return Parameters(
            _from_panels(self.inner.kernel, self.features),
            self.inner.bias.copy(),
            _from_panels(self.outer.kernel, units or self.features),
            self.outer.bias.copy(),
        )


def _rules(setting: Hyperparameters, *, several_labels: bool) -> Rules:
    return Rules(
        batch_size=setting.batch_size,
        droprate=setting.droprate,
        smoothing=setting.label_smoothing,
        l2=setting.l2,
        decay=setting.weight_decay,
        max_norm=setting.max_norm,
        momentum=setting.momentum,
        sgd=setting.optimizer == "sgd",
        several_labels=several_labels,
    )


def _samples(shown: Shown, label_sets: Float32[np.ndarray, "sets labels"]) -> Samples:
    matrix = _read_only(shown.vectors)
    return Samples(
        matrix, shown.rows, shown.labels, shown.partners, shown.shares, shown.weights, label_sets
    )


def _read_only(matrix: Float32[np.ndarray, "stored features"]) -> np.ndarray:
    """A view that cannot be written: memory-mapped or not, the kernels are compiled once."""
    view = matrix.view(np.ndarray)
    view.flags.writeable = False
    return view


def _steps_a_call(batch_size: int, parameters: int) -> int:
    """How many steps fit into the time for which a request to stop may wait."""
    steps = _CALL // (parameters * (batch_size + _ADAM))
    return max(1, min(steps, _BLOCK // batch_size))


def _layer(
    kernel: Float32[np.ndarray, "inputs units"], bias: Float32[np.ndarray, "units"]
) -> Layer:
    panels = _to_panels(kernel)
    zeros = np.zeros_like(panels), np.zeros_like(panels), np.zeros_like(bias), np.zeros_like(bias)
    return Layer(panels, bias.copy(), *zeros)


def _to_panels(
    kernel: Float32[np.ndarray, "inputs units"],
) -> Float32[np.ndarray, "panels units width"]:
    inputs, units = kernel.shape
    panels = _panels(inputs)
    padded = np.zeros((panels * PANEL, units), np.float32)
    padded[:inputs] = kernel
    return np.ascontiguousarray(padded.reshape(panels, PANEL, units).transpose(0, 2, 1))


def _from_panels(
    panels: Float32[np.ndarray, "panels units width"], inputs: int
) -> Float32[np.ndarray, "inputs units"]:
    count, units, width = panels.shape
    whole = panels.transpose(0, 2, 1).reshape(count * width, units)
    return np.ascontiguousarray(whole[:inputs])


def _panels(inputs: int) -> int:
    return -(-inputs // PANEL)


def _workspace(batch: int, features: int, start: Parameters) -> Workspace:
    wide, hidden = _panels(features), _panels(len(start.inner_bias))
    padded = -(-batch // LANES) * LANES

    def empty(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    output, part = empty(hidden, PANEL, padded), empty(hidden, PANEL, padded)
    return Workspace(
        rows=empty(wide, padded, PANEL),
        columns=empty(wide, PANEL, padded),
        hidden=output,
        hidden_flat=output.reshape(hidden * PANEL, padded),
        hidden_part=part,
        hidden_part_flat=part.reshape(hidden * PANEL, padded),
        hidden_rows=empty(hidden, padded, PANEL),
        logits=empty(len(start.bias), padded),
        gradient=empty(GRADIENT),
    )
