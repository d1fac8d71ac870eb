"""A backbone on a device: batches go to it ahead, in parts that its memory holds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Protocol, Self

import numpy as np

from manyheads.backbones.compiled import Batch, Computed, Key
from manyheads.backbones.exported import Program
from manyheads.core import openvino_runtime
from manyheads.core.accelerators import device_error, device_errors, is_out_of_memory
from manyheads.core.job import SILENT, Job

_AT_ONCE = 2  # batches: one computes while the other is copied to the device, or back
_WAIT = 0.1  # seconds between two looks at whether to stop

# Images at a time, by their pixels; more gain little on a large card.
_PIXELS = 256 * 224 * 224
_FEWEST, _MOST = 16, 512
# Bytes of the largest layers for each pixel of an image: 64 channels of float32 in and out, twice.
_BYTES = 1024
_ASSUMED = 4 << 30  # bytes of a device that does not tell how many are free


class Forward(Protocol):
    """Pixels to features on a device: `uint8 [n, size, size, 3]` → float32, from any thread."""

    features: int

    def __call__(self, pixels: np.ndarray) -> np.ndarray: ...


class DeviceBackbone:
    """A `CompiledBackbone` that calls a `forward` on a device, two batches at once.

    Batches are computed in parts of one size, the last one filled up. Where the device's memory is
    used up, parts are halved from then on, unless their size is `fixed`. The size decides the order
    of sums: on an accelerator features are the same up to rounding, and not bit for bit. Raises
    `DeviceError` if the device fails.
    """

    def __init__(self, forward: Forward, batch: int, device: str, *, fixed: bool = False) -> None:
        self.features, self.batch = forward.features, batch
        self.step = batch
        self._forward, self._device, self._fixed = forward, device, fixed
        self._lock = threading.Lock()

    def run(
        self, batches: Iterable[tuple[Key, Batch]], *, job: Job = SILENT
    ) -> Generator[tuple[Key, Computed]]:
        waiting: deque[tuple[Key, Future[Computed]]] = deque()
        pool = ThreadPoolExecutor(_AT_ONCE, "network")
        try:
            for key, pixels in batches:
                if job.stopped:
                    break
                waiting.append((key, pool.submit(self._computed, pixels)))
                if len(waiting) > _AT_ONCE:
                    found = _finished(waiting, job)
                    if found is None:
                        return
                    yield found
            while waiting:
                found = _finished(waiting, job)
                if found is None:
                    return
                yield found
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _computed(self, pixels: Batch) -> Computed:
        """The features of a batch, in as many parts as its memory asks for."""
        done: list[Computed] = []
        start = 0
        while start < len(pixels):
            step = self.step
            part = pixels[start : start + step]
            try:
                done.append(self._forward(_filled(part, step))[: len(part)])
            except Exception as error:  # each library has exceptions of its own
                if not is_out_of_memory(error) or not self._halved(step):
                    raise device_error(self._device, error) from error
                continue
            start += len(part)
        return np.concatenate(done)

    def _halved(self, step: int) -> bool:
        """Compute in smaller parts than `step` from now on; False where there are none."""
        with self._lock:
            if self.step < step:  # the other thread has seen to it
                return True
            if self._fixed or step == 1:
                return False
            self.step = step // 2
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        del self._forward


class OpenVinoForward:
    """A program of OpenVINO on one of its devices, compiled for each number of images."""

    def __init__(self, program: Program, size: int, device: str, precision: str) -> None:
        self.features = program.features
        self._path, self._size = program.path, size
        self._settings = {"INFERENCE_PRECISION_HINT": precision}
        self._device, self._compiled = device.upper(), dict[int, Any]()
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        request = self._for(len(pixels)).create_infer_request()
        request.infer({0: np.ascontiguousarray(pixels)}, share_inputs=False)
        return np.array(request.get_output_tensor(0).data, np.float32)

    def _for(self, images: int) -> Any:
        with self._lock:
            if images not in self._compiled:
                core = openvino_runtime.core()
                model = core.read_model(self._path)
                model.reshape([images, self._size, self._size, 3])
                made = core.compile_model(model, self._device, self._settings)
                self._compiled = {images: made}  # larger ones did not fit
            return self._compiled[images]


def device_batch(size: int, memory: int | None) -> int:
    """How many images of `size` pixels a device takes at a time: a power of two from 16 to 512.

    `memory` are the bytes that are free on it; None: not known.
    """
    free = _ASSUMED if memory is None else memory
    wanted = min(_PIXELS // size**2, free // (_AT_ONCE * _BYTES * size**2))
    return 1 << (min(max(wanted, _FEWEST), _MOST).bit_length() - 1)


def on_device(
    make: Callable[[], Forward], batch: int, device: str, *, fixed: bool = False
) -> DeviceBackbone:
    """The backbone whose forward pass `make` builds; raises `DeviceError` where it cannot."""
    with device_errors(device):
        return DeviceBackbone(make(), batch, device, fixed=fixed)


def _filled(part: Batch, step: int) -> Batch:
    """A part filled up to `step` images: one shape, one program."""
    if len(part) == step:
        return np.ascontiguousarray(part)
    whole = np.zeros((step, *part.shape[1:]), np.uint8)
    whole[: len(part)] = part
    return whole


def _finished(
    waiting: deque[tuple[Key, Future[Computed]]], job: Job
) -> tuple[Key, Computed] | None:
    """The oldest batch once it is done, or None once `job` is stopped."""
    key, work = waiting[0]
    while not work.done():
        if job.stopped:
            return None
        # In short waits, because a signal is only seen between them.
        wait([work], timeout=_WAIT)
    waiting.popleft()
    return key, work.result()
