"""The engine contract: what every way to train a bank of heads takes, yields and promises."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float16, Float64, Int64

from manyheads.core import accelerators
from manyheads.core.job import SILENT, Job
from manyheads.core.settings import choice
from manyheads.errors import MissingExtraError
from manyheads.heads.epoch_rules import BestEpoch, rules_kept, scored_by
from manyheads.heads.epoch_scores import epoch_score
from manyheads.heads.fold import Fold
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import SeededStreams, StreamsOf

ENGINES = ("auto", "fused", "stacked", "keras")


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """One head of a bank: its hyperparameters, its randomness, and how long it trains.

    Training ends after `epochs`, the hyperparameters' own or fewer or more, and with `patience`
    before, once the rule has found no better epoch in so many. A head's numbers in an epoch depend
    on neither. Its randomness is that of the fold `drawn_as` (None: its own): folds that divide the
    same images in the same way, for other features of them, share it.
    """

    hyperparameters: Hyperparameters
    seed: int
    fold: int
    epochs: int
    patience: int | None = None
    drawn_as: int | None = None

    @property
    def stream(self) -> tuple[int, int]:
        """The seed and the fold that its randomness is drawn for."""
        return self.seed, self.fold if self.drawn_as is None else self.drawn_as


Predictions = Float16[np.ndarray, "validation classes"]


class Metrics(NamedTuple):
    """One epoch as Keras reports it: losses in nats, accuracies as shares of samples.

    `val_score` is the metric of a rule of `SCORE_RULES`; 0 where another rule selects.
    """

    accuracy: float
    loss: float
    val_accuracy: float
    val_loss: float
    val_score: float = 0.0

    def told(self, rule: str) -> dict[str, float]:
        """The metrics by name; the score of a rule that selects by one under the metric's own."""
        known = self._asdict()
        score, metric = known.pop("val_score"), scored_by(rule)
        return known if metric is None else {**known, f"val_{metric}": score}


@dataclass(frozen=True)
class EpochEnd:
    """A head has finished an epoch (counted from 1); `batch_losses` are its steps' mean losses."""

    head: int
    epoch: int
    metrics: Metrics
    batch_losses: Float64[np.ndarray, "steps"]


@dataclass(frozen=True)
class HeadEnd:
    """A head has finished: `done`, or `failed` with the reason in `note`.

    `parameters` are those after `epoch`, the epoch that the rule chose; None and 0 if no epoch was
    finished. `predictions` are the log-probabilities of the validation samples, as
    `compact_predictions` makes them, after each epoch that a comparison may look at: those of
    `rules_kept` and the last.
    """

    head: int
    status: Literal["done", "failed"]
    note: str
    epoch: int
    parameters: Parameters | None
    predictions: Mapping[int, Predictions] = field(default_factory=dict)

    @property
    def chosen(self) -> Predictions | None:
        """The predictions after `epoch`."""
        return self.predictions.get(self.epoch)


class Engine(Protocol):
    """A way to train a bank.

    Laws, held by one conformance suite over every engine:

    - the semantics are those of `keras.Model.fit` on the whole network: Adam (0.9, 0.999, 1e-7),
      the mean loss of a batch, the short last batch used, inverted dropout, `loss` and `accuracy`
      accumulated over the epoch with dropout on, `val_loss` and `val_accuracy` with it off;
    - a head's events depend on its own settings, its fold and its streams alone: bit for bit the
      same whatever its neighbours, their number, the threads or an earlier interruption;
    - a head's events come in the order of its epochs, its `HeadEnd` last; heads may interleave;
    - how long a head may train changes nothing in the epochs that it does train: fewer `epochs`,
      or `patience`, give a prefix of its events;
    - a head that diverges ends as `failed`, and the bank goes on;
    - when `job` is stopped, or the iterator closed, training ends within about a second, and no
      `HeadEnd` is made up for a head that was not finished.
    """

    name: str

    def train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        *,
        rule: str = "best_accuracy",
        streams: StreamsOf = SeededStreams,
        job: Job = SILENT,
    ) -> Generator[EpochEnd | HeadEnd]:
        """Train `heads` on their `folds`, yielding what happens as it happens."""
        ...


def train_bank(
    engine: Engine,
    heads: Sequence[HeadSettings],
    folds: Sequence[Fold],
    *,
    rule: str,
    on_epoch: Callable[[EpochEnd], None] = lambda _: None,
    streams: StreamsOf = SeededStreams,
    job: Job = SILENT,
) -> Generator[tuple[HeadEnd, list[Metrics]]]:
    """Train `heads`, and yield the end of each as it comes, with the metrics of its epochs.

    Heads end in an order of chance, and those that a stop cut off do not. An end holds arrays, so
    none is kept here: whoever wants the list makes it. `on_epoch` hears of each epoch as it ends.
    """
    curves: dict[int, list[Metrics]] = {}
    with closing(engine.train(heads, folds, rule=rule, streams=streams, job=job)) as events:
        for event in events:
            if isinstance(event, EpochEnd):
                curves.setdefault(event.head, []).append(event.metrics)
                on_epoch(event)
            else:
                yield event, curves.pop(event.head, [])


class HeadProgress:
    """Decides, epoch by epoch, which epochs of a head are chosen and when it ends, for any engine.

    `status` is None as long as the head trains. Of a rule that needs a `val_score`, `labels` are
    those of the validation samples; an engine that has computed it gives None.
    """

    def __init__(
        self,
        index: int,
        head: HeadSettings,
        rule: str,
        labels: Int64[np.ndarray, "validation"] | None = None,
    ) -> None:
        self._metric, self._labels = scored_by(rule), labels
        self._index, self._head = index, head
        self._best = BestEpoch(rule)
        self._kept = [self._best, *(BestEpoch(other) for other in rules_kept(rule)[1:])]
        self._said: dict[BestEpoch, Predictions] = {}
        self._last: dict[int, Predictions] = {}
        self._epoch = 0
        self._note = ""
        self.status: Literal["done", "failed"] | None = None

    def add(
        self,
        metrics: Metrics,
        losses: Float64[np.ndarray, "steps"],
        predictions: Callable[[], Predictions],
        *,
        finite: bool,
    ) -> EpochEnd | None:
        """The event of the next epoch; None where the head has diverged in it.

        `finite` tells of all its parameters and losses. `predictions` is called if they are kept.
        """
        self._epoch += 1
        if not finite:
            self.status = "failed"
            self._note = f"diverged in epoch {self._epoch}: its numbers are no longer finite"
            return None
        if self._metric and self._labels is not None:
            known = predictions()
            score = epoch_score(self._metric, known.argmax(axis=1), self._labels)
            metrics, predictions = metrics._replace(val_score=score), lambda: known
        better = [each for each in self._kept if each.offer(self._epoch, metrics)]
        patience = self._head.patience
        impatient = patience is not None and self._epoch - self._best.epoch >= patience
        if self._epoch == self._head.epochs or impatient:
            self.status = "done"
        if better or self.status:
            said = predictions()
            self._said |= dict.fromkeys(better, said)
            self._last = {self._epoch: said} if self.status else {}
        return EpochEnd(self._index, self._epoch, metrics, losses)

    @property
    def chosen(self) -> int:
        """The epoch that the rule chooses so far; 0 before the first."""
        return self._best.epoch

    @property
    def is_chosen(self) -> bool:
        """Whether the epoch that was added last is that."""
        return self.chosen == self._epoch

    def end(self, parameters: Parameters | None) -> HeadEnd:
        """The end of a head that has a `status`, with the `parameters` of its chosen epoch."""
        assert self.status is not None
        by_epoch = {each.epoch: predicted for each, predicted in self._said.items()}
        return HeadEnd(
            self._index, self.status, self._note, self._best.epoch, parameters,
            by_epoch | self._last,
        )  # fmt: skip


def head_events(
    index: int,
    head: HeadSettings,
    rule: str,
    epochs: Iterable[tuple[Metrics, Float64[np.ndarray, "steps"]]],
    parameters: Callable[[], Parameters],
    predictions: Callable[[], Predictions],
    labels: Int64[np.ndarray, "validation"] | None = None,
) -> Iterator[EpochEnd | HeadEnd]:
    """What an engine yields for one head, while `epochs` trains it and tells each one's outcome.

    `parameters` copies the present ones, `predictions` tells what the head says with them, and
    `labels` are the validation samples'. A head
    whose losses or parameters are no longer finite has diverged; one whose `epochs` end early was
    stopped, and gets no `HeadEnd`.
    """
    progress, chosen = HeadProgress(index, head, rule, labels), None
    for metrics, losses in epochs:
        now = parameters()
        # The parameters tell more than the losses: Keras's ReLU may make a zero of a NaN.
        finite = all(np.isfinite(each).all() for each in (losses, metrics.val_loss, *now))
        event = progress.add(metrics, losses, predictions, finite=finite)
        if event:
            yield event
        if progress.is_chosen:
            chosen = now
        if progress.status:
            yield progress.end(chosen)
            return


def prepare_engine(name: str) -> None:
    """Begin in the background what the engine's first head would otherwise wait for.

    Compiling the kernels of `fused` takes seconds, once on a machine. Python waits for it at its
    end, for it would abort amid a compilation.
    """

    def compile_quietly() -> None:
        from manyheads.heads.fused.engine import compile_kernels

        # Whatever is wrong shows again, and with a reader, when the engine trains.
        with suppress(Exception):
            compile_kernels()

    if name == "fused":
        threading.Thread(target=compile_quietly, name="compile").start()


def engine_named(name: str, threads: int | None = None) -> Engine:
    """The engine of that name, one of `ENGINES`, loaded with what it needs.

    `threads` is how many heads `fused` trains at a time; None: one a core. Raises `SettingError`
    for another name, and `MissingExtraError` for `stacked` without JAX.
    """
    name = chosen_engine(choice("engine", name, ENGINES))
    if name == "keras":
        from manyheads.heads.keras_engine import KerasEngine

        return KerasEngine()
    if name == "stacked":
        if importlib.util.find_spec("jax") is None:
            raise MissingExtraError(
                "JAX for the engine stacked", "none", "run: pip install 'manyheads[jax]'"
            )
        from manyheads.heads.stacked.stacked_engine import StackedEngine

        return StackedEngine()
    from manyheads.heads.fused.engine import FusedEngine

    return FusedEngine(threads)


def chosen_engine(name: str) -> str:
    """`name`; for `auto` the engine for this machine: `stacked` where JAX sees an accelerator."""
    if name != "auto":
        return name
    return "stacked" if accelerators.of_jax() else "fused"
