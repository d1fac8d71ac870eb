"""The training of one tile: calls of its programs, and what they tell of each head."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from manyheads.core.job import Job
from manyheads.heads.bank import EpochEnd, HeadEnd, HeadProgress, HeadSettings, Metrics
from manyheads.heads.epoch_rules import scored_by
from manyheads.heads.head import Parameters
from manyheads.heads.stacked import tile_program
from manyheads.heads.stacked.tile_arrays import DenseArrays, EpochScores, Outcomes, ValidationSums
from manyheads.heads.stacked.tile_inputs import TileInputs, ValidationRun
from manyheads.heads.stacked.tiles import Tile, samples_a_call, steps_a_call

# Calls that the device has been given and has not finished: it trains and validates one epoch while
# what the next one needs is drawn.
_IN_FLIGHT = 3
_Chosen = tuple[Any, tuple[DenseArrays, ...]]


class _Pending(NamedTuple):
    """An epoch that the device may still compute."""

    outcomes: list[Outcomes]
    scores: EpochScores
    predictions: list[Any]


class TileTraining:
    """Trains the heads of `tile`; `matrix` are the stored features, on the device, or None."""

    def __init__(
        self,
        tile: Tile,
        inputs: TileInputs,
        heads: Sequence[HeadSettings],
        matrix: Any,
        rule: str,
        call: int,
        job: Job,
    ) -> None:
        self._tile, self._inputs, self._matrix = tile, inputs, matrix
        self._rule, self._call, self._job = rule, call, job
        self._progress = {
            index: HeadProgress(index, heads[index], rule) for index, _, _ in tile.heads
        }
        self._units = {index: heads[index].hyperparameters.size_inner for index, _, _ in tile.heads}
        self._longest = max(heads[index].epochs for index, _, _ in tile.heads)
        self._state = tile_program.begin(
            inputs.starts(), inputs.inputs, lanes=tile.lanes, sgd=tile.shape.sgd
        )
        self._settings = jax.device_put(inputs.settings)
        self._validated: dict[int, ValidationRun] = {}
        self._in_flight: deque[Any] = deque()

    def epochs(self) -> Iterator[EpochEnd]:
        """Train, and yield each head's epochs; ends early once the job is stopped.

        The device trains an epoch while the former one is told.
        """
        pending = None
        for epoch in range(1, self._longest + 1):
            former, pending = pending, self._train(epoch)
            if former is not None:
                yield from self._told(former)
            if pending is None or all(each.status for each in self._progress.values()):
                return
        if pending is not None:
            yield from self._told(pending)

    def chosen(self) -> _Chosen:
        """The chosen epochs and parameters, on the device, in the form of `ends`.

        Frees the rest of the heads' state: the next tile needs its memory.
        """
        choice = self._state.choice
        del self._state
        return tile_program.chosen_parameters(choice)

    def ends(self, chosen: _Chosen) -> list[HeadEnd]:
        """The ends of the heads that have ended."""
        epochs, layers = jax.device_get(chosen)
        ends = []
        for index, slot, lane in self._tile.heads:
            progress = self._progress[index]
            if progress.status:
                assert progress.chosen == epochs[slot, lane], "host and device choose differently"
                parts = [DenseArrays(*(array[slot, lane] for array in layer)) for layer in layers]
                ends.append(
                    progress.end(self._parameters(index, parts) if progress.chosen else None)
                )
        return ends

    def _parameters(self, index: int, layers: Sequence[DenseArrays]) -> Parameters:
        """A head's parameters without what pads them, in memory of their own."""
        shape, units = self._tile.shape, self._units[index]
        *inner, outer = layers
        rows = units if inner else shape.features
        kernel, bias = outer.kernel[:rows, : shape.classes], outer.bias[: shape.classes]
        inner_kernel, inner_bias = (
            (inner[0].kernel[:, :units], inner[0].bias[:units])
            if inner
            else (np.zeros((shape.features, 0), np.float32), np.zeros(0, np.float32))
        )
        return Parameters(inner_kernel, inner_bias, kernel, bias).copy()

    def _train(self, epoch: int) -> _Pending | None:
        """Let the device train an epoch; None once the job is stopped."""
        shape, inputs = self._tile.shape, self._inputs
        shown, outcomes = inputs.epoch(epoch), []
        count = steps_a_call(self._tile, self._call, by_rows=inputs.is_by_rows)
        for first in range(0, shape.steps, count):
            run = shown.run(first, count)
            if not self._may_go_on():
                return None
            self._state, outcome = tile_program.train_steps(
                self._state,
                self._matrix if run.vectors is None else run.vectors,
                inputs.inputs,
                shown.droprates,
                self._settings,
                run.steps,
                classes=shape.classes,
                bounded=shape.bounded,
            )
            outcomes.append(outcome)
            self._in_flight.append(outcome.losses)
        validated = self._validate()
        if validated is None:
            return None
        self._state, scores = tile_program.end_epoch(
            self._state,
            sum(each.loss for each in validated),
            sum(each.hits for each in validated),
            sum(each.by_class for each in validated) if scored_by(self._rule) else None,
            inputs.validated,
            np.int32(epoch),
            self._settings,
            rule=self._rule,
        )
        return _Pending(outcomes, scores, [each.predictions for each in validated])

    def _validate(self) -> list[ValidationSums] | None:
        inputs, count = self._inputs, samples_a_call(self._tile, self._call)
        validated = []
        for start in range(0, self._tile.shape.validation, count):
            run = self._validation(slice(start, start + count))
            if not self._may_go_on():
                return None
            validated.append(
                tile_program.validate(
                    self._state.layers,
                    self._matrix if run.vectors is None else run.vectors,
                    inputs.folds,
                    run.rows,
                    run.labels,
                    run.is_real,
                    classes=self._tile.shape.classes,
                    scored=scored_by(self._rule) is not None,
                )
            )
            self._in_flight.append(validated[-1].loss)
        return validated

    def _validation(self, part: slice) -> ValidationRun:
        """The samples of every epoch; those whose features are stored stay on the device."""
        known = self._validated.get(part.start)
        if known is None:
            known = self._inputs.validation(part)
            if known.vectors is None:
                known = self._validated[part.start] = jax.device_put(known)
        return known

    def _may_go_on(self) -> bool:
        """Wait until the device has few calls left, so that a request to stop is heard soon."""
        while len(self._in_flight) >= _IN_FLIGHT:
            jax.block_until_ready(self._in_flight.popleft())
        return not self._job.stopped

    def _told(self, pending: _Pending) -> Iterator[EpochEnd]:
        outcomes, scores, predictions = jax.device_get(pending)
        steps = self._tile.shape.steps
        losses, hits = (np.concatenate(each)[:steps] for each in zip(*outcomes, strict=True))
        losses = np.ascontiguousarray(np.moveaxis(losses, 0, -1), np.float64)
        hits, said = hits.sum(axis=0), np.concatenate(predictions, axis=2)
        for index, slot, lane in self._tile.heads:
            progress = self._progress[index]
            if progress.status:
                continue
            sizes, validated = self._inputs.batches[slot], self._inputs.validated[slot]
            head_losses, samples = losses[slot, lane].copy(), sizes.sum()
            event = progress.add(
                Metrics(
                    accuracy=float(hits[slot, lane] / samples),
                    loss=float(head_losses @ sizes / samples),
                    val_accuracy=float(scores.hits[slot, lane] / validated),
                    val_loss=float(scores.loss[slot, lane]),
                    val_score=float(scores.score[slot, lane]),
                ),
                head_losses,
                said[slot, lane, :validated].copy,
                finite=bool(scores.finite[slot, lane]),
            )
            if event:
                yield event
