"""A backbone as a compiled inference program: raw pixels in, features out, pooled or as a grid."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, Self, TypeVar
from weakref import WeakSet, finalize

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.backbones import exported
from manyheads.backbones.idle_threads import HeldThreads, keep_forever
from manyheads.backbones.inference_streams import Measured, best_streams, timed
from manyheads.backbones.placement import (
    RUNTIMES,
    check_place,
    keras_library,
)
from manyheads.backbones.registry import BackboneSpec, batch_size
from manyheads.backbones.weights import Weights
from manyheads.core import openvino_runtime
from manyheads.core.accelerators import free_memory
from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.core.settings import choice, digest
from manyheads.errors import ManyheadsError

Batch = UInt8[np.ndarray, "n size size 3"]
Computed = Float32[np.ndarray, "n *grid features"]
POOLINGS = ("avg", "grid")
Key = TypeVar("Key")

_alive: WeakSet[OpenVinoBackbone] = WeakSet()


class CompiledBackbone(Protocol):
    """A backbone that is ready to run; leave its context to free it.

    Laws: the features of an image are the same, bit for bit, in every batch, at every position
    and beside any neighbours (on an accelerator up to rounding); in float32 they agree with Keras's
    own forward pass to 1e-4 of the largest.
    """

    features: int
    """How many numbers an image becomes."""
    batch: int
    """How many images it takes at a time, at most."""

    def run(
        self, batches: Iterable[tuple[Key, Batch]], *, job: Job = SILENT
    ) -> Generator[tuple[Key, Computed]]:
        """Yield (key, features) for each (key, pixels 0–255 RGB), not always in their order.

        Reads ahead in `batches` by the few that are computed at once. Once `job` is stopped it ends
        early: what is finished still comes, what is in flight does not.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def compile_backbone(
    spec: BackboneSpec,
    weights: Weights,
    size: int,
    *,
    runtime: str = "openvino",
    device: str = "cpu",
    precision: str = "f32",
    pooling: str = "avg",
    images: int = 0,
    job: Job = SILENT,
) -> CompiledBackbone:
    """Prepare a backbone for images of `size` pixels on a `runtime` and a `device`.

    About so many `images` are to pass: for many it is worth measuring what suits the machine.
    `precision` is what the network computes in: float32, bfloat16 or float16. With the `pooling`
    avg an image becomes `[features]`, with grid `[rows, columns, features]`. Raises `BackboneError`
    if the images are too small for it or its features are no mean of a grid, `SettingError` for an
    unknown runtime or a precision that is not to be had, and `DeviceError` for a device that is not
    there or fails.
    """
    choice("runtime", runtime, RUNTIMES)
    choice("pooling", pooling, POOLINGS)
    check_place(spec, runtime, device, precision)
    spec.check_size(size)
    if pooling == "grid":
        spec.check_grid()
    if runtime == "openvino":
        program = exported.program(spec, weights, size, job, pooling)
        with job.step(f"loading {spec.name}"):
            if device == "cpu":
                return _suited(program, size, program.batch_for(size), precision, images)
            return openvino_on(program, size, device, precision)
    if (runtime, device) == ("keras", "cpu"):
        from manyheads.backbones.keras_runtime import KerasBackbone

        return KerasBackbone(spec, weights, size, batch_size(size), pooling)
    from manyheads.backbones.device_backbone import device_batch, on_device

    how: dict[str, Any] = {"device": device, "precision": precision, "pooling": pooling}
    batch = batch_size(size) if device == "cpu" else device_batch(size, free_memory(device))
    with job.step(f"loading {spec.name}"):
        if runtime == "keras":
            from manyheads.backbones.keras_forward import KerasForward

            if library := keras_library():
                os.environ.setdefault("KERAS_BACKEND", library)
            return on_device(lambda: KerasForward(spec, weights, size, **how), batch, device)
        from manyheads.backbones.onnx_forward import OnnxForward

        return on_device(lambda: OnnxForward(spec, weights, size, job=job, **how), batch, device)


def openvino_on(
    program: exported.Program, size: int, device: str, precision: str = "f32"
) -> CompiledBackbone:
    """A program on a device of OpenVINO other than the processor."""
    from manyheads.backbones.device_backbone import OpenVinoForward, device_batch, on_device

    batch = program.batch or device_batch(size, free_memory(device))
    fixed = program.batch is not None
    return on_device(
        lambda: OpenVinoForward(program, size, device, precision), batch, device, fixed=fixed
    )


def loaded(program: exported.Program, size: int, images: int = 0) -> OpenVinoBackbone:
    """A program that is there already, ready to run in float32 on about so many `images`."""
    return _suited(program, size, program.batch_for(size), "f32", images)


class OpenVinoBackbone:
    """A backbone on OpenVINO, with as many requests at once as keep the processor busy.

    Without a number of `streams` OpenVINO guesses one. After a fork it begins anew in the child,
    whose copy of the program would wait for ever for threads that only the parent has.
    """

    def __init__(
        self,
        program: exported.Program,
        size: int,
        batch: int,
        *,
        precision: str = "f32",
        streams: int | None = None,
    ) -> None:
        core = openvino_runtime.core()
        model = core.read_model(program.path)
        # One fixed shape: every pass is the same computation.
        model.reshape([batch, size, size, 3])
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
        if streams is not None:
            settings["NUM_STREAMS"] = str(streams)
        compiled = core.compile_model(model, "CPU", settings)
        self.streams = int(compiled.get_property("NUM_STREAMS"))
        threads = HeldThreads(settings | {"NUM_STREAMS": str(self.streams)})
        self._free_threads = finalize(self, threads.free)
        self._free_threads.atexit = False
        count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        # One more than can run, so that a finished one never leaves the processor idle.
        self._requests: list[Any] = [compiled.create_infer_request() for _ in range(count + 1)]
        self.features = program.features
        self.batch = batch
        self._inherited = False
        self._anew = partial(
            OpenVinoBackbone, program, size, batch, precision=precision, streams=self.streams
        )
        _alive.add(self)

    def run(
        self, batches: Iterable[tuple[Key, Batch]], *, job: Job = SILENT
    ) -> Generator[tuple[Key, Computed]]:
        if self._inherited:
            vars(self).update(vars(self._anew()))
        process = os.getpid()
        idle = list(self._requests)
        busy: deque[tuple[Any, Key, int]] = deque()
        try:
            for key, pixels in batches:
                if job.stopped:
                    break
                _require_same(process)
                if not idle:
                    finished = _finish(busy, idle, job)
                    if finished is None:
                        return
                    yield finished
                request = idle.pop()
                request.start_async({0: self._padded(pixels)}, share_inputs=False)
                busy.append((request, key, len(pixels)))
            while busy:
                _require_same(process)
                finished = _finish(busy, idle, job)
                if finished is None:
                    return
                yield finished
        finally:
            if process == os.getpid():
                for request, _, _ in busy:
                    request.cancel()
                for request, _, _ in busy:
                    _settle(request)

    def begin(self, pixels: Batch, over: Callable[[], object]) -> StartedPass:
        """Begin one pass over at most `batch` images, beside others that are under way.

        For one thread, which does not `run` meanwhile. There are `streams + 1` passes at a time, at
        most; `over` is called in a thread of OpenVINO's once this one is.
        """
        request = self._requests.pop()
        started = StartedPass(request, len(pixels), self._requests)

        def ended(_: object) -> None:
            started.over = True
            over()

        request.set_callback(ended, None)
        request.start_async({0: self._padded(pixels)}, share_inputs=False)
        return started

    def leave_behind(self) -> None:
        """In the child of a fork: use nothing any more of what was compiled in the parent."""
        for request in self._requests:
            keep_forever(request)
        self._requests, self._inherited = [], True

    def _padded(self, pixels: Batch) -> Batch:
        if len(pixels) == self.batch:
            return np.ascontiguousarray(pixels)
        whole = np.zeros((self.batch, *pixels.shape[1:]), np.uint8)
        whole[: len(pixels)] = pixels
        return whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._requests = []
        self._free_threads()


class StartedPass:
    """A pass that is under way, until it is `over`; made by `OpenVinoBackbone.begin`."""

    over = False

    def __init__(self, request: Any, images: int, idle: list[Any]) -> None:
        self._request, self._images, self._idle = request, images, idle

    def features(self) -> Computed:
        """The features of its images, taken once."""
        try:
            # A request counts as busy until `over`, which it calls, has returned.
            self._request.wait()
            return np.array(self._request.get_output_tensor(0).data[: self._images], np.float32)
        finally:
            # It would keep what it calls, and with that itself and its model, for ever.
            self._request.set_callback(_nothing, None)
            self._idle.append(self._request)


def _nothing(_: object) -> None:
    """What is called after a pass that nobody waits for."""


def _after_fork() -> None:
    for backbone in list(_alive):
        backbone.leave_behind()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _suited(
    program: exported.Program, size: int, batch: int, precision: str, images: int
) -> OpenVinoBackbone:
    """The program with as many streams as suit this machine."""
    guessed = OpenVinoBackbone(program, size, batch, precision=precision)
    shape = (4 * batch, size, size, 3)

    def measure(streams: int) -> Measured:
        probe = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        parts = [(n, probe[n : n + batch]) for n in range(0, len(probe), batch)]
        backbone = guessed
        if streams != guessed.streams:
            backbone = OpenVinoBackbone(program, size, batch, precision=precision, streams=streams)

        def run(passes: int) -> np.ndarray:
            found = dict(backbone.run(parts * passes))
            return np.concatenate([found[n] for n, _ in parts])

        return timed(run, len(probe))

    processor = openvino_runtime.core().get_property("CPU", "FULL_DEVICE_NAME")
    known_as = digest([program.path.parent.name, precision, processor, cores()])[:32]
    streams = best_streams(known_as, guessed.streams, measure, images)
    if streams == guessed.streams:
        return guessed
    return OpenVinoBackbone(program, size, batch, precision=precision, streams=streams)


def _finish(
    busy: deque[tuple[Any, Key, int]], idle: list[Any], job: Job
) -> tuple[Key, Computed] | None:
    """The oldest batch in flight once it is done, or None once `job` is stopped."""
    request, key, count = busy[0]
    # In short waits, because a signal is only seen between them.
    while not request.wait_for(100):
        if job.stopped:
            return None
    busy.popleft()
    idle.append(request)
    return key, np.array(request.get_output_tensor(0).data[:count], np.float32)


def _require_same(process: int) -> None:
    if process != os.getpid():
        raise ManyheadsError(
            "images to go through the backbone in the process that began with them",
            "a fork of it, which has none of its threads", "begin with them after the fork",
        )  # fmt: skip


def _settle(request: Any) -> None:
    with suppress(RuntimeError):  # that is how a cancelled request ends
        request.wait()
